import { CorruptDataError, PersistifyError, ProviderError, type FailureKind } from '../../errors.ts';

/** How a failure is to be met, and what a person may do about it. */
interface Failure {
  readonly kind: FailureKind;
  readonly advice?: string;
}

/** By the name of the DOMException (w3.org/TR/IndexedDB, 3.12); one that is not listed halts, as nothing says that it passes. */
const failures: ReadonlyMap<string, Failure> = new Map<string, Failure>([
  // The connection was closed: by the browser, or because another tab deletes or renews the database. The next attempt opens another one.
  ['InvalidStateError', { kind: 'retry' }],
  ['AbortError', { kind: 'retry' }],
  ['TimeoutError', { kind: 'retry' }],
  ['TransactionInactiveError', { kind: 'retry' }],
  ['UnknownError', { kind: 'retry', advice: 'the browser could not read or write its files' }],
  ['QuotaExceededError', { kind: 'halt', advice: 'this site may store no more: delete some of it, or free some of the disk (navigator.storage.estimate() tells how much there is)' }],
  ['VersionError', { kind: 'halt', advice: 'a newer version of this package, or another program, has made the database: reload the page, or name another database' }],
  ['SecurityError', { kind: 'halt', advice: 'the browser lets this page store nothing: allow it cookies and site data' }],
  ['NotAllowedError', { kind: 'halt', advice: 'the browser lets this page store nothing: allow it cookies and site data' }],
  ['NotFoundError', { kind: 'halt', advice: 'the database is not as it was made: name another one' }],
]);

/** What browsers say when a value that they keep in a file of its own is not there any more. */
const damages: ReadonlySet<string> = new Set(['NotReadableError', 'DataError']);

export interface FailureContext {
  /** What was tried, as in `Saving "prefs"`. */
  readonly doing: string;
  readonly database: string;
  /** Whether it may have been stored all the same. */
  readonly outcomeUnknown?: boolean;
}

/** What went wrong, in the terms of the contract. */
export function describeFailure(error: unknown, { doing, database, outcomeUnknown = false }: FailureContext): PersistifyError {
  if (error instanceof PersistifyError) return error;
  const place = placeOf(database);
  const name = nameOf(error);
  const reason = error instanceof Error && error.message !== '' ? error.message : name;
  if (damages.has(name)) {
    return new CorruptDataError(`${doing} in ${place} failed: the browser has lost a part of it (${reason}). What is left stays as it is.`, { location: place, cause: error });
  }
  const failure = failures.get(name);
  const advice = failure?.advice === undefined ? '' : `; ${failure.advice}`;
  return new ProviderError(`${doing} in ${place} failed: ${reason.replace(/\.$/, '')} (${name})${advice}.`, { kind: failure?.kind ?? 'halt', outcomeUnknown, cause: error });
}

/** Whether nothing was stored for certain, as there was no room. */
export function isOutOfRoom(error: unknown): boolean {
  return nameOf(error) === 'QuotaExceededError';
}

/** Whether the connection is closed, or closing. */
export function isConnectionLost(error: unknown): boolean {
  return nameOf(error instanceof ProviderError ? error.cause : error) === 'InvalidStateError';
}

/** A database, as messages name it. */
export function placeOf(database: string): string {
  return `the IndexedDB database ${JSON.stringify(database)}`;
}

/** By name and not by class: errors may come from another window. */
function nameOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'name' in error ? String(error.name) : typeof error;
}
