import { mkdir, open, rmdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes `directory` with all above it, and each one's name durable.
 * @throws what the system says; then none of those that it made is left, so that another attempt makes, and flushes, them all.
 */
export async function makeDirectory(directory: string, mode: number): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode });
  if (first === undefined) return;
  const made = [resolve(directory)];
  for (let at = resolve(directory); at !== resolve(first);) made.push((at = dirname(at)));
  try {
    for (const one of made) await syncDirectory(dirname(one));
  } catch (error) {
    for (const one of made) await rmdir(one).catch(() => undefined); // somebody else may have put something into it
    throw error;
  }
}

/**
 * Makes the names in `directory` durable: without this, a power cut undoes a rename, and even a file's creation
 * (seen on ext4 with FS_IOC_SHUTDOWN; ext4(5), fsync(2)).
 */
export async function syncDirectory(directory: string): Promise<void> {
  // Windows has no such thing: opening gives EISDIR or EPERM, fsync gives EPERM; NTFS journals names itself.
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network and FUSE file systems know no fsync of a directory.
    if (!isUnknown(error)) throw error;
  } finally {
    await handle.close();
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EINVAL' || error.code === 'ENOTSUP');
}
