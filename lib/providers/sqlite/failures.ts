import { CorruptDataError, PersistifyError, ProviderError, type FailureKind } from '../../errors.ts';

/** How a failure of SQLite is to be met, and what a person may do about it. */
interface Failure {
  readonly kind: FailureKind;
  readonly advice: string;
}

/** By primary result code (sqlite.org/rescode.html); one that is not listed halts, as nothing says that it passes. */
const failures: ReadonlyMap<string, Failure> = new Map([
  ['SQLITE_BUSY', { kind: 'retry', advice: 'another connection holds the lock' }],
  ['SQLITE_LOCKED', { kind: 'retry', advice: 'another connection holds the lock' }],
  ['SQLITE_PROTOCOL', { kind: 'retry', advice: 'too many connections contend for the lock' }],
  ['SQLITE_IOERR', { kind: 'retry', advice: 'the disk or file system failed; the file is checked before the next attempt' }],
  ['SQLITE_NOMEM', { kind: 'retry', advice: 'memory is short' }],
  ['SQLITE_INTERRUPT', { kind: 'retry', advice: 'it was interrupted' }],
  ['SQLITE_SCHEMA', { kind: 'retry', advice: 'the schema changed meanwhile' }],
  ['SQLITE_FULL', { kind: 'halt', advice: 'the disk is full: free some space' }],
  ['SQLITE_READONLY', { kind: 'halt', advice: 'the file, or its directory, cannot be written: check who owns it and its permissions' }],
  ['SQLITE_PERM', { kind: 'halt', advice: 'the file may not be accessed: check who owns it and its permissions' }],
  ['SQLITE_AUTH', { kind: 'halt', advice: 'it is not authorised' }],
  ['SQLITE_CANTOPEN', { kind: 'halt', advice: 'the file cannot be opened: check its path, who owns it, and the permissions of its directory' }],
  ['SQLITE_ERROR', { kind: 'halt', advice: 'a table or a column is not as it was made' }],
] as const);

/** Something that can never be stored as it is: too long, or against a constraint of the table. */
const refusals: ReadonlySet<string> = new Set(['SQLITE_TOOBIG', 'SQLITE_CONSTRAINT', 'SQLITE_MISMATCH']);

const damages: ReadonlySet<string> = new Set(['SQLITE_CORRUPT', 'SQLITE_NOTADB']);

/** The primary result code of what better-sqlite3 threw: `SQLITE_IOERR` of `SQLITE_IOERR_FSYNC`; none: it is no failure of SQLite. */
export function primaryCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error) || typeof error.code !== 'string') return undefined;
  return /^SQLITE_[A-Z]+/.exec(error.code)?.[0];
}

/** Whether the statement failed for what it was to store, and would always fail. */
export function isRefusal(error: unknown): boolean {
  // better-sqlite3 tells a text beyond SQLITE_MAX_LENGTH by a RangeError (src/util/binder.cpp).
  return (error instanceof RangeError && error.message.includes('too big')) || refusals.has(primaryCode(error) ?? '');
}

/** Whether an attempt failed for a lock that another connection holds. */
export function isBusy(error: unknown): boolean {
  const cause = error instanceof ProviderError ? error.cause : error;
  return ['SQLITE_BUSY', 'SQLITE_LOCKED', 'SQLITE_PROTOCOL'].includes(primaryCode(cause) ?? '');
}

/** Whether an attempt failed in the file system, after which nothing may be believed of the file until it is checked. */
export function isInputOutputFailure(error: unknown): boolean {
  return primaryCode(error instanceof ProviderError ? error.cause : error) === 'SQLITE_IOERR';
}

/**
 * What went wrong, in the terms of the contract.
 * @param doing what was tried, as in `saving "prefs"`.
 */
export function describeFailure(error: unknown, doing: string, file: string): PersistifyError {
  if (error instanceof PersistifyError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const code = primaryCode(error);
  if (code !== undefined && damages.has(code)) return describeDamage(code, reason, file, error);
  const known = failures.get(code ?? '');
  const advice = known === undefined ? '' : `; ${known.advice}`;
  return new ProviderError(`${doing} in ${file} failed: ${reason}${advice}.`, { kind: known?.kind ?? 'halt', cause: error });
}

function describeDamage(code: string, reason: string, file: string, cause: unknown): CorruptDataError {
  const message =
    code === 'SQLITE_NOTADB'
      ? `${file} is not an SQLite database (or it is encrypted). It is left as it is: name another file, or move this one away.`
      : `${file} is damaged (${reason}). It is left as it is: restore a backup, or save what can be read with \`sqlite3 ${file} .recover\`.`;
  return new CorruptDataError(message, { location: file, cause });
}
