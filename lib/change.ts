import type { PersistifyError } from './errors.ts';

/** Where a change came from: a call in this process, another process's commit, or `reload` and what storage refused. */
export type Origin = 'local' | 'remote' | 'reload';

interface ChangeBase {
  /** Counts this store's changes since `open`; grows by one. */
  readonly seq: number;
  readonly origin: Origin;
  /** The number of the transaction that it is part of. */
  readonly transaction?: number;
}

/** A key was given a value, be it an equal one. */
export interface SetChange<K, V> extends ChangeBase {
  readonly type: 'set';
  readonly key: K;
  readonly value: V;
  /** The value before; `undefined` if the key was absent. */
  readonly previous: V | undefined;
}

/** A key was deleted. */
export interface DeleteChange<K, V> extends ChangeBase {
  readonly type: 'delete';
  readonly key: K;
  readonly previous: V;
}

/** A key's deadline passed. */
export interface ExpireChange<K, V> extends ChangeBase {
  readonly type: 'expire';
  readonly key: K;
  readonly previous: V;
}

/** Every key was deleted. */
export interface ClearChange<K, V> extends ChangeBase {
  readonly type: 'clear';
  /** What was there, handed over and not copied. */
  readonly previous: ReadonlyMap<K, V>;
}

/** What happened to one key. */
export type EntryChange<K = string, V = unknown> = SetChange<K, V> | DeleteChange<K, V> | ExpireChange<K, V>;

/** What happened to the dictionary, as `changes$` tells it. */
export type Change<K = string, V = unknown> = EntryChange<K, V> | ClearChange<K, V>;

/** A batch that is saved, as `saves$` tells it. */
export interface Save {
  /** Storage equals the store as it was at this `seq`. */
  readonly seq: number;
  /** The keys saved; a `clear` counts, but has none. */
  readonly keys: readonly string[];
  /** How many mutations were saved. */
  readonly count: number;
  /** The length of their keys and texts, in UTF-16 units: bytes, as far as they are ASCII. */
  readonly bytes: number;
  readonly attempts: number;
  /** From the first attempt to the answer, waits included. */
  readonly durationMs: number;
}

/** Something that failed, as `errors$` tells it. */
export interface Failure {
  /** `open` and `load`: what was found wrong in storage. `save`: an attempt to save. `watch`: the feed of others' changes. `provider`: what a provider reports of itself. */
  readonly operation: 'open' | 'load' | 'save' | 'watch' | 'provider';
  readonly error: PersistifyError;
  /** Counts from 1; of a feed, the failures in a row. */
  readonly attempt: number;
  /** Of the series; `Infinity` of a feed, which is taken up again until the store closes. */
  readonly maxAttempts: number;
  /** Whether there is another attempt in this series. */
  readonly willRetry: boolean;
  /** How long until that, in milliseconds; 0 where there is none. */
  readonly delayMs: number;
  /** The attempts are spent, or a mutation was refused for good: somebody should look. What is unsaved is kept and tried again later. */
  readonly fatal: boolean;
  readonly keys: readonly string[];
}

/**
 * How the connection stands by which a store follows another one. While it is broken, reads answer what was last heard:
 * it was true at `staleSince`, in milliseconds since 1970 by the clock of this process.
 */
export type Connection = { readonly state: 'connected' } | { readonly state: 'reconnecting'; readonly staleSince: number };

/** How saving stands; of a store that follows another one over the network, how it stood there when that was last heard. */
export interface Status {
  /** `retrying`: between two attempts of a series. `failing`: the attempts were spent; the next write, `flush` or probe tries again. */
  readonly state: 'idle' | 'pending' | 'saving' | 'retrying' | 'failing' | 'closed';
  /** How many mutations are not saved yet. */
  readonly pending: number;
  /** How much of what `withLimits` allows is taken: from 0 to 1, or above where a write that waited for room is alone too large; 0 without limits. */
  readonly fullness: number;
  /** Wall-clock time of the last save of this store, in milliseconds since 1970. */
  readonly lastSavedAt: number | undefined;
  /** Only of a store that follows another one over the network, until it is closed. */
  readonly connection?: Connection;
}

/** A stored row that could not be read as a value; it stays in storage as it is until its key is written or deleted. */
export interface Quarantined {
  readonly key: string;
  /** The stored text. */
  readonly json: string;
  /** Why it could not be read. */
  readonly error: PersistifyError;
}
