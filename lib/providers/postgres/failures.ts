import { CorruptDataError, PersistifyError, ProviderError, type FailureKind } from '../../errors.ts';

/** How a failure is to be met, and what a person may do about it. */
interface Failure {
  readonly kind: FailureKind;
  readonly advice?: string;
}

/** By SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html), then by its class; one that is not listed halts. */
const failures: ReadonlyMap<string, Failure> = new Map<string, Failure>([
  ['08', { kind: 'retry' }],
  ['22', { kind: 'refuse' }],
  ['23', { kind: 'refuse' }],
  ['25006', { kind: 'retry', advice: 'the server is read-only, as a standby is' }],
  // A pool of the user's own may give a connection in whose transaction something of his failed.
  ['25P02', { kind: 'retry' }],
  ['25P03', { kind: 'retry' }],
  ['25P04', { kind: 'retry', advice: 'the server ends transactions that take longer than its transaction_timeout' }],
  ['26000', { kind: 'retry', advice: 'a pooler in transaction mode in between needs `pooler: true`' }],
  ['28', { kind: 'halt', advice: 'check user, password and pg_hba.conf' }],
  ['3D000', { kind: 'halt', advice: 'create the database, or name another one' }],
  ['40', { kind: 'retry' }],
  ['42501', { kind: 'halt', advice: 'grant the user the right' }],
  ['42P01', { kind: 'halt', advice: 'restore the table, or close the store and open it again' }],
  ['42883', { kind: 'halt', advice: 'close the store and open it again' }],
  ['42P05', { kind: 'retry', advice: 'a pooler in transaction mode in between needs `pooler: true`' }],
  ['53', { kind: 'retry' }],
  ['53100', { kind: 'halt', advice: 'the disk of the server is full: free some space' }],
  ['54000', { kind: 'refuse' }],
  ['55P03', { kind: 'retry', advice: 'another connection holds the lock' }],
  ['57', { kind: 'retry' }],
  ['57P04', { kind: 'halt', advice: 'the database was dropped' }],
  ['58', { kind: 'retry' }],
  // What a trigger of the user's own raises, unless he names another state.
  ['P0001', { kind: 'refuse' }],
  // "cached plan must not change result type": a table was altered; a new connection makes a new plan.
  ['0A000', { kind: 'retry' }],
]);

/** What PgBouncer says, with a code that it has for all its errors, of settings that come with a connection. */
const unsupportedParameter = 'unsupported startup parameter';
const isTornApart: Failure = {
  kind: 'halt',
  advice: 'the tables of this library do not go together, as where one was restored without the others: restore all of them, with those of the dictionaries',
};
const needsPooler: Failure = { kind: 'halt', advice: 'a pooler in transaction mode in between needs `pooler: true`' };

/** Failures of the network, by Node's code. */
const networkCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'ENOTFOUND', 'EAI_AGAIN', 'ENOENT',
  // Of this process or machine: no descriptor, port or memory is left for a connection.
  'EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM',
]);

/** What node-postgres says without a code when a connection is lost or too slow. */
const connectionMessages = /^(?:Connection terminated|Query read timeout|timeout expired|timeout exceeded when trying to connect|Client (?:has encountered a connection error|was closed))/;

/** The SQLSTATE of an error that the server sent; none: it comes from somewhere else. */
export function sqlState(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && isFromServer(error) ? code : undefined;
}

/** Whether the statement failed for what it was to store, and would always fail. */
export function isRefusal(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && failureOf(state)?.kind === 'refuse' && !isOfBookkeeping(error);
}

/** Whether a constraint of this library's own tables does not hold: that is no matter of what was to be stored. */
function isOfBookkeeping(error: unknown): boolean {
  if (sqlState(error)?.startsWith('23') !== true) return false;
  return typeof error === 'object' && error !== null && 'table' in error && typeof error.table === 'string' && error.table.startsWith('rx_persistify_');
}

/** Whether a connection cannot be used after this error. */
export function isConnectionLost(error: unknown): boolean {
  const state = sqlState(error);
  return state === undefined || /^(?:08|57P|25006|25P0[234]|26000|42P05|0A000|58|XX)/.test(state);
}

/** Whether what was asked for may have been done although there was no answer to it. */
export function isUnanswered(error: unknown): boolean {
  const state = sqlState(error);
  return state === undefined || /^(?:08|57P0[123]|40003)/.test(state);
}

export interface FailureContext {
  /** What was tried, as in `Saving "prefs"`. */
  readonly doing: string;
  /** Where, without a secret. */
  readonly place: string;
  /** Whether it may have been done all the same. */
  readonly outcomeUnknown?: boolean;
}

/** What went wrong, in the terms of the contract. */
export function describeFailure(error: unknown, { doing, place, outcomeUnknown = false }: FailureContext): PersistifyError {
  if (error instanceof PersistifyError) return error;
  const state = sqlState(error);
  const reason = messageOf(error);
  if (state === 'XX001' || state === 'XX002') {
    return new CorruptDataError(`${place} is damaged (${reason}). It is left as it is: restore a backup.`, { location: place, cause: error });
  }
  const failure = isOfBookkeeping(error) ? isTornApart : state === undefined ? networkFailure(error) : reason.includes(unsupportedParameter) ? needsPooler : failureOf(state);
  const advice = failure?.advice === undefined ? '' : `; ${failure.advice}`;
  const named = state === undefined ? '' : ` (${state})`;
  return new ProviderError(`${doing} in ${place} failed: ${reason}${named}${advice}.`, { kind: failure?.kind ?? 'halt', outcomeUnknown, cause: error });
}

function failureOf(state: string): Failure | undefined {
  return failures.get(state) ?? failures.get(state.slice(0, 2));
}

function networkFailure(error: unknown): Failure | undefined {
  const isPassing = networkCodes.has(codeOf(error) ?? '') || connectionMessages.test(messageOf(error));
  return isPassing ? { kind: 'retry' } : undefined;
}

/** What PostgreSQL sends has a severity; Node's errors have not. */
function isFromServer(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'severity' in error;
}

function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A connection that was tried by several addresses fails with an AggregateError, whose own message is empty. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}
