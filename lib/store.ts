import type { Observable } from 'rxjs';

import type { ClearChange, EntryChange, Failure, Quarantined, Save, Status } from './change.ts';

/** The keys of the dictionary that `T` describes. */
export type KeyOf<T> = keyof T & string;

/** What a write takes for `K`. */
export type InputOf<In, K extends string> = In[K & keyof In];

/** An entry of the dictionary that `T` describes. */
export type EntryOf<T> = { readonly [K in KeyOf<T>]: readonly [K, T[K]] }[KeyOf<T>];

/** The changes of the dictionary that `T` describes: each of an entry has the key and the type of its value. */
export type ChangeOf<T> = { readonly [K in KeyOf<T>]: EntryChange<K, Exclude<T[K], undefined>> }[KeyOf<T>] | ClearChange<KeyOf<T>, T[KeyOf<T>]>;

/** For everything that waits. */
export interface WaitOptions {
  /** Already aborted, nothing is applied; aborted later, the waiting ends and not what is waited for. */
  readonly signal?: AbortSignal;
}

export interface CloseOptions extends WaitOptions {
  /**
   * How long the last attempts to save may take, in milliseconds; the first call's counts. A write that is cut off then,
   * and the provider, have a second each to let go. @default 30_000
   */
  readonly deadlineMs?: number;
}

/** For what is set. */
export interface SetOptions {
  /** How long the entry lives, in milliseconds from 1 on; `Infinity`: for ever. @default what `withTtl` says */
  readonly ttlMs?: number;
}

/** What a function given to `transaction` must not return, as nothing is awaited in one. */
export type Synchronous<R> = R extends PromiseLike<unknown> ? never : R;

/**
 * A persistent dictionary. `T` describes it: `{ theme: string; fontSize: number }`, or `Record<string, Session>`;
 * `In` is what its schema takes, where that differs.
 *
 * A change has two moments. It is *applied* when the call returns: every reader in this process sees it. It is *saved*
 * when the provider has made it durable. A plain write throws for bad input, never for storage; its `AndSave` twin
 * applies the same and resolves once it is saved, and rejects with a `SaveError` if the attempts to save were spent.
 * `addAndSave` and `updateAndSave` are decided by storage, and applied when it accepts them.
 * Every write throws `StoreClosedError` after `close`, `InvalidKeyError`, `InvalidValueError` and `ValidationError` for what
 * cannot be stored, and then nothing is changed. Values are to be treated as immutable: the store keeps the object that
 * it is given, and a change in place is neither seen nor saved.
 */
export interface Store<T, In = T> extends AsyncDisposable, Iterable<EntryOf<T>> {
  readonly name: string;

  /** The value of `key`, or `undefined` if there is none. Begins a sliding time to live anew; the other reads do not. */
  get<K extends KeyOf<T>>(key: K): T[K] | undefined;
  /** The current value now, then every other one; `undefined` while the key is absent. Completes when the store closes. */
  get$<K extends KeyOf<T>>(key: K): Observable<T[K] | undefined>;
  has(key: KeyOf<T>): boolean;
  has$(key: KeyOf<T>): Observable<boolean>;
  readonly size: number;
  readonly size$: Observable<number>;
  entries(): IterableIterator<EntryOf<T>>;
  /** All entries, in a fresh array, at most once a macrotask. */
  readonly entries$: Observable<readonly EntryOf<T>[]>;
  readonly status: Status;
  /** At most once a macrotask. */
  readonly status$: Observable<Status>;
  keys(): IterableIterator<KeyOf<T>>;
  values(): IterableIterator<T[KeyOf<T>]>;
  forEach(callback: (value: T[KeyOf<T>], key: KeyOf<T>) => void): void;
  /** The entries as an object, for `JSON.stringify`: with values as they are read, where `jsonOf` has them as they are saved. */
  toJSON(): { [K in KeyOf<T>]?: T[K] };
  /** The text of `key`'s value, as it is saved: encoded by the codec, as JSON. `undefined` if the key is absent. */
  jsonOf(key: KeyOf<T>): string | undefined;
  /** When `key` ends, in milliseconds since 1970; `undefined` if it does not, or is absent. */
  expiresAt(key: KeyOf<T>): number | undefined;
  /** The keys whose stored state is, or may be, another than that in memory. */
  readonly unsaved: readonly string[];
  /** What storage has and cannot be read; it stays there until its key is written or deleted. */
  readonly quarantined: ReadonlyMap<string, Quarantined>;

  /** @throws LimitError if it would exceed `withLimits`; its twin waits instead. */
  set<K extends KeyOf<T>>(key: K, value: InputOf<In, K>, options?: SetOptions): void;
  setAndSave<K extends KeyOf<T>>(key: K, value: InputOf<In, K>, options?: SetOptions & WaitOptions): Promise<boolean>;
  /**
   * Sets `key` only if it is absent; returns whether it did.
   * @throws CorruptDataError if the key is quarantined.
   */
  add<K extends KeyOf<T>>(key: K, value: InputOf<In, K>, options?: SetOptions): boolean;
  /** The same, decided by storage: it is applied when that accepts it, after what is pending of the key. */
  addAndSave<K extends KeyOf<T>>(key: K, value: InputOf<In, K>, options?: SetOptions & WaitOptions): Promise<boolean>;
  /** Returns whether the key was there. */
  delete(key: KeyOf<T>): boolean;
  deleteAndSave(key: KeyOf<T>, options?: WaitOptions): Promise<boolean>;
  clear(): void;
  clearAndSave(options?: WaitOptions): Promise<boolean>;
  /**
   * Sets `key` to what `fn` makes of its value, and returns the value that the key then has. If `fn` returns `undefined`,
   * nothing changes. What is there keeps its deadline; a sliding one begins its time anew.
   * @throws CorruptDataError if the key is quarantined.
   */
  update<K extends KeyOf<T>>(key: K, fn: (value: T[K] | undefined) => InputOf<In, K> | undefined): T[K] | undefined;
  /**
   * The same, decided by storage: it is applied when that accepts it, after what is pending of the key. If another process
   * has written the key since, `fn` runs again, on what is there then.
   */
  updateAndSave<K extends KeyOf<T>>(key: K, fn: (value: T[K] | undefined) => InputOf<In, K> | undefined, options?: WaitOptions): Promise<T[K] | undefined>;
  /**
   * Runs `fn`, whose writes are told only when it has returned and are saved together or not at all; if it throws, they are
   * undone. Reads in it see its writes. One inside another is a savepoint. Returns what `fn` returns.
   */
  transaction<R>(fn: () => Synchronous<R>): R;
  transactionAndSave<R>(fn: () => Synchronous<R>, options?: WaitOptions): Promise<R>;

  /** Begins a sliding time to live of `key` anew. Returns whether the key is there. */
  touch(key: KeyOf<T>): boolean;

  /** Saves what is pending; resolves to `true` when everything applied before the call is saved. */
  flush(options?: WaitOptions): Promise<boolean>;
  /**
   * Reads storage anew. What was not saved when it was called is discarded, but for a batch under way, which is settled
   * first; who waits for it gets a `DiscardedError`. The differences are told.
   * @throws LoadError if storage cannot be read, SaveError if a batch cannot be settled; nothing is discarded then.
   */
  reload(options?: WaitOptions): Promise<void>;
  /**
   * Saves what is pending, completes every stream and releases storage. Afterwards reads still answer from memory.
   * @throws SaveError if something could not be saved, with its keys.
   */
  close(options?: CloseOptions): Promise<void>;

  /** Every change, after memory shows it. */
  readonly changes$: Observable<ChangeOf<T>>;
  /** Every batch saved. */
  readonly saves$: Observable<Save>;
  /** Everything that failed: values, not errors, of the stream. */
  readonly errors$: Observable<Failure>;
}
