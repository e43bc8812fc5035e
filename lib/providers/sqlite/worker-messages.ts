import { CorruptDataError, ProviderError, type FailureKind, type PersistifyError } from '../../errors.ts';
import type { SqliteSettings } from './options.ts';
import type { PackedBatch } from '../packed-batch.ts';
import type { Dictionary } from './schema.ts';

/** What a worker is started with. */
export interface WorkerStart {
  readonly settings: SqliteSettings;
  /** Which file the path must lead to, if the file was opened before. */
  readonly identity: string | undefined;
}

/** What the main thread asks its worker. Requests are done in the order of their coming, each is answered once. */
export type WorkerRequest = OpenRequest | WriteRequest | CloseRequest;

export interface OpenRequest {
  readonly type: 'open';
  readonly id: number;
  readonly name: string;
  readonly table: string;
}

export interface WriteRequest {
  readonly type: 'write';
  readonly id: number;
  readonly dictionary: Dictionary;
  readonly batch: PackedBatch;
  /** Shared; not 0 once the write is no longer wanted. A worker that is busy hears no message. */
  readonly aborted: Int32Array;
}

export interface CloseRequest {
  readonly type: 'close';
  readonly id: number;
}

/** Answers, and the word that a worker has come as far as to hear requests. What a write left out travels as text. */
export type WorkerMessage = WorkerAnswer | { readonly type: 'ready' };

export type WorkerAnswer =
  | { readonly type: 'opened'; readonly id: number; readonly dictionary: Dictionary }
  | { readonly type: 'written'; readonly id: number; readonly version: number; readonly leftOut: string }
  | { readonly type: 'closed'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly failure: PostedFailure };

/** An error as it travels: structured cloning keeps neither its class nor its fields. */
export interface PostedFailure {
  readonly kind: FailureKind | 'corrupt';
  readonly message: string;
  readonly outcomeUnknown: boolean;
  readonly location?: string;
  readonly cause?: { readonly message: string; readonly code?: string };
}

export function postFailure(error: unknown): PostedFailure {
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? { cause: describeCause(error.cause) } : {};
  if (error instanceof CorruptDataError) {
    const location = error.location === undefined ? {} : { location: error.location };
    return { kind: 'corrupt', message, outcomeUnknown: false, ...location, ...cause };
  }
  if (error instanceof ProviderError) return { kind: error.kind, message, outcomeUnknown: error.outcomeUnknown, ...cause };
  return { kind: 'halt', message, outcomeUnknown: false, ...cause };
}

export function receiveFailure({ kind, message, outcomeUnknown, location, cause }: PostedFailure): PersistifyError {
  const details = cause === undefined ? {} : { cause: Object.assign(new Error(cause.message), cause.code === undefined ? {} : { code: cause.code }) };
  if (kind === 'corrupt') return new CorruptDataError(message, { ...details, ...(location === undefined ? {} : { location }) });
  return new ProviderError(message, { kind, outcomeUnknown, ...details });
}

function describeCause(cause: Error): NonNullable<PostedFailure['cause']> {
  const { message } = cause;
  return 'code' in cause && typeof cause.code === 'string' ? { message, code: cause.code } : { message };
}
