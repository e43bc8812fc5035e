import type { Observable } from 'rxjs';

import type { Status } from '../change.ts';
import type { PersistifyError } from '../errors.ts';
import type { Batch, BatchResult } from '../mutation.ts';

/** Knows how to open named dictionaries in one place: a directory, a database, a service. */
export interface Provider {
  /** For messages: `sqlite`, `json-file`, … */
  readonly name: string;
  /**
   * Opens the dictionary, and makes it if it is not there.
   * @throws StoreLockedError if another owner has it and it cannot be shared.
   * @throws CorruptDataError if what is there is damaged; it is left as it is.
   * @throws ProviderError for anything else.
   */
  open(storeName: string, context: OpenContext): Promise<ProviderSession>;
}

/** What the core gives a provider to open a dictionary with. */
export interface OpenContext {
  /** The random id of this session, the `writer` of its batches. */
  readonly writer: string;
  /** Tells the user, on `errors$`, of something found wrong that does not stop the session. May be called at any time. */
  readonly report: (error: PersistifyError) => void;
}

/** One open dictionary. The core calls `write` for one batch at a time, and calls nothing after `close`. */
export interface ProviderSession {
  readonly capabilities: Capabilities;
  /**
   * Of a session that only reads: how the store stands that it follows, and the connection to it. The status of the store is this one
   * then, until it closes. Never errors.
   */
  readonly status$?: Observable<Status>;
  /**
   * Every entry, in pages. Each names the dictionary's place, read before the first page, and the same in each; there is at least one
   * page, if an empty one. Where storage knows it, that is the whole of a cursor, so that `watch` behind it notices a storage that was
   * restored, or failed over, and has come as far again.
   */
  load(): AsyncIterable<Page>;
  /** The entries of these keys; absent ones are left out of the answer. */
  read?(keys: readonly string[]): Promise<readonly Entry[]>;
  /**
   * Stores the batch in one commit that is durable when this resolves. A batch whose number is not above the last one
   * that this writer committed is not applied again: it answers what was answered then, as far as that is kept.
   * What the commit goes without is named in `leftOut`: what is refused, what expected another version, and each `expire` that
   * removed nothing.
   * Settles soon after `signal` aborts: with the result if it was committed, else with an error.
   * @throws ProviderError if nothing of the batch was stored, or that is unknown (`outcomeUnknown`).
   */
  write(batch: Batch, context: WriteContext): Promise<BatchResult>;
  /**
   * What was committed after `since`, in commit order, none missed. Of the session's own commits it need not tell more than the
   * cursor, by which the core knows how far the feed has come. Errors when the connection is lost.
   * Where storage cannot go on from `since` without a gap, a {@link ResetFeed} is answered, and nothing after it.
   */
  watch?(since: Cursor): Observable<Feed>;
  /** Releases everything. What was acknowledged is durable without it. */
  close(): Promise<void>;
}

export interface WriteContext {
  readonly signal: AbortSignal;
}

/** What the storage behind a session can and cannot do. */
export interface Capabilities {
  /** Whether other processes or sessions may write the same dictionary meanwhile. */
  readonly shared: boolean;
  /** Whether this session only reads, and follows what others write. The core then gives it nothing to write: every write is refused before it is applied. */
  readonly readOnly?: boolean;
  /** What an acknowledged write outlives: nothing, a crash of the process, or a power cut. */
  readonly durability: 'memory' | 'process' | 'power';
  /** The longest encoded value, in UTF-8 bytes; none: no bound of its own. */
  readonly maxValueBytes?: number;
  /** Why this encoded value cannot be held, or `undefined` if it can. Called once a `set`, before anything is applied. */
  readonly accepts?: (json: string) => string | undefined;
}

/** One entry as it is stored. */
export interface Entry {
  readonly key: string;
  /** The encoded value, exactly as it was written. */
  readonly json: string;
  /** The version of the commit that wrote it, at least 1. */
  readonly version: number;
  /** As in `SetMutation`. */
  readonly expiresAt?: number;
}

/** A part of the answer to `load`. */
export interface Page extends Cursor {
  readonly entries: readonly Entry[];
}

/** A place in the order of commits: the version, and who wrote it, so that a restored or failed-over storage is noticed. */
export interface Cursor {
  readonly version: number;
  readonly writer?: string;
  readonly number?: number;
}

/** One commit as the feed tells it, or word that the feed cannot go on from where it was: load again. */
export type Feed = CommitFeed | ResetFeed;

export interface CommitFeed {
  readonly type: 'commit';
  readonly cursor: Cursor;
  /** Whether it cleared the dictionary before everything else. */
  readonly cleared: boolean;
  /** What it set, as storage holds it now. */
  readonly entries: readonly Entry[];
  /** What it deleted. */
  readonly deleted: readonly string[];
  /** What it removed because its time was over, where that is known; the others find it out by the deadline. */
  readonly expired?: readonly string[];
  /**
   * Deadlines that it moved, of entries that it left as they are. Only a session that reads alone has to tell them: one that writes
   * asks storage before it ends anything, and hears of it then.
   */
  readonly touched?: readonly Touched[];
}

/** A deadline that was moved, never to an earlier time; an entry without one stays for ever all the same. */
export interface Touched {
  readonly key: string;
  /** As in `SetMutation`. */
  readonly expiresAt: number;
}

/**
 * The feed cannot go on from where it was, be it at once or later: the core loads everything again, and watches from there. It
 * must be told for a cursor
 * - of a version that storage has not reached, as it was restored to an earlier state;
 * - of a version that another `writer` committed, or under another `number`, than the cursor says, as storage that was restored, or
 *   a server that took over, went on from there in another way. A cursor that does not say them, as the first one after a `load`,
 *   stands for whoever did;
 * - behind which the storage no longer has every commit, as older ones are pruned.
 */
export interface ResetFeed {
  readonly type: 'reset';
}
