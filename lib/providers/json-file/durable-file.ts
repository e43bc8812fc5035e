import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { type FileHandle, link, open, rename, stat, unlink } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

import { codeOf, isMissing } from './failure.ts';

const onWindows = process.platform === 'win32';

/** 16 hexadecimal digits that no other process has. */
export function randomId(): string {
  return randomBytes(8).toString('hex');
}

/** Writes all of `chunks` at `position`; a write may take less than it was given (write(2)). */
export async function writeAll(file: FileHandle, chunks: readonly Uint8Array[], position: number): Promise<number> {
  let at = position;
  for (const chunk of chunks) {
    let done = 0;
    while (done < chunk.length) {
      const { bytesWritten } = await file.write(chunk, done, chunk.length - done, at);
      done += bytesWritten;
      at += bytesWritten;
    }
  }
  return at;
}

/** A new file that was not there before; with exactly this mode, whatever the umask. */
export async function createFile(path: string, mode: number): Promise<FileHandle> {
  const file = await open(path, 'wx+', mode);
  try {
    if (!onWindows) await file.chmod(mode);
  } catch (error) {
    await file.close();
    await unlink(path).catch(ignore);
    throw error;
  }
  return file;
}

/** Flushes a file that another program wrote. Windows wants write access for it, which we may not have; some file systems are read-only and know no flush. */
export async function syncForeign(file: FileHandle, flush: 'sync' | 'datasync' = 'sync'): Promise<void> {
  try {
    await file[flush]();
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (!(onWindows && code === 'EPERM') && !unflushable.has(code)) throw error;
  }
}

const unflushable: ReadonlySet<string> = new Set(['EINVAL', 'ENOTSUP', 'EROFS']);

/**
 * Replaces `to` at once after `check`, which throws if it must not be replaced. There is no rename that compares first; so these
 * are synchronous: no other call of this process comes between the two, and those of others have some microseconds for it.
 */
export function renameOverChecked(from: string, to: string, check: () => void): Promise<void> {
  return persistently(() => {
    check();
    renameSync(from, to);
  });
}

/** Replaces `to`. Never copies and unlinks instead: a crash between the two would leave half a file. */
export function renameOver(from: string, to: string): Promise<void> {
  return persistently(() => rename(from, to));
}

/** Removes `path`; it may be gone already. */
export async function remove(path: string): Promise<void> {
  await persistently(() => unlink(path)).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}

/**
 * Gives `from` the further name `to`, in one step and only if there is none of that name.
 * @returns false if there is one.
 */
export async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    if (!noHardLinks.has(codeOf(error) ?? '')) throw error;
    return renameNew(from, to);
  }
}

/** What link(2) answers on FAT, exFAT and some network file systems. */
const noHardLinks: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Where there are no hard links, a look before the rename is the best there is. */
async function renameNew(from: string, to: string): Promise<boolean> {
  if (await exists(to)) return false;
  await rename(from, to);
  return true;
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** While an indexer, a virus scanner or a reader has a file open, Windows refuses to rename or unlink it (graceful-fs, npm). */
const heldFor: ReadonlySet<string> = new Set(['EPERM', 'EACCES', 'EBUSY']);
const persistMs = 3_000;

async function persistently(attempt: () => Promise<void> | void): Promise<void> {
  const giveUpAt = performance.now() + persistMs;
  for (let waitMs = 10; ; waitMs = Math.min(waitMs * 2, 200)) {
    try {
      await attempt();
      return;
    } catch (error) {
      // Elsewhere these codes mean what they say, and waiting would only hide it.
      if (!onWindows || !heldFor.has(codeOf(error) ?? '') || performance.now() > giveUpAt) throw error;
      await delay(waitMs);
    }
  }
}

export function ignore(): void {
  // For promises whose failure changes nothing.
}
