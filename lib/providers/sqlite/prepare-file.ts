import { closeSync, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { CorruptDataError, ProviderError } from '../../errors.ts';
import { makeDirectory } from '../make-directory.ts';

/**
 * Makes the file (0600) and its directories (0700) where they are missing.
 * @throws ProviderError if that cannot be done, or if something else is there.
 * @throws CorruptDataError if the file is missing, or empty, beside a write-ahead log that holds commits.
 */
export async function prepareFile(file: string): Promise<void> {
  const directory = dirname(file);
  try {
    await makeDirectory(directory, 0o700);
  } catch (error) {
    throw failed(`The directory ${directory} cannot be made`, error);
  }
  // In this order: another process that makes the database writes to the file before it writes to its log.
  if ((await sizeOf(`${file}-wal`)) > 0 && (await sizeOf(file)) === 0) throw logAlone(file);
  if (!createEmpty(file) && (await isDirectory(file))) {
    throw new ProviderError(`${file} is a directory; the option "file" should be the path of a file in it.`, { kind: 'halt' });
  }
}

/** 0 where there is none. */
async function sizeOf(path: string): Promise<number> {
  const stats = await stat(path).catch(() => undefined); // what cannot be looked at will be told when it is opened
  return stats?.size ?? 0;
}

/** SQLite would take an empty file for a new database, and delete the log with all that it holds. */
function logAlone(file: string): CorruptDataError {
  const message = `${file} is missing, or empty, but commits stand in ${file}-wal, which belongs to it. Both are left as they are: put the file back, or, to begin anew, move the log away.`;
  return new CorruptDataError(message, { location: file });
}

async function isDirectory(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isDirectory();
  } catch (error) {
    throw failed(`${file} cannot be looked at`, error);
  }
}

/** Tells whether it was missing. */
function createEmpty(file: string): boolean {
  try {
    // Both at once, and never on a file that is there: closing any descriptor of a file drops the locks that SQLite holds
    // on it in this process (sqlite.org/howtocorrupt.html, 2.2).
    closeSync(openSync(file, 'wx', 0o600));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw failed(`${file} cannot be made`, error);
  }
}

function failed(what: string, cause: unknown): ProviderError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ProviderError(`${what} (${reason}): check the path, and who may write there.`, { kind: 'halt', cause });
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
