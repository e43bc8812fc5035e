import type { Observable } from 'rxjs';

import type { Failure, Save, Status } from './change.ts';
import type { ChangeOf, CloseOptions, InputOf, KeyOf, SetOptions, Synchronous, WaitOptions } from './store.ts';

/**
 * A persistent dictionary larger than memory: storage has all of it, memory what was used last. `T` and `In` are as in
 * `Store`, and so are the writes, their twins, and the streams; only what depends on storage is asynchronous here. There
 * is no `has`, `size` or `entries`, as what is in memory would not be the answer.
 *
 * An entry leaves memory, never storage, when it was not used for `keepMs` or others were used later; what is unsaved, and
 * what is followed by `get$`, stays. Nothing is told of that.
 */
export interface Cache<T, In = T> extends AsyncDisposable {
  readonly name: string;

  /**
   * The value of `key`, from memory or else from storage; `undefined` if there is none. Who asks for a key that is being
   * read waits for the same reading. Begins a sliding time to live anew.
   * @throws LoadError if storage cannot be read, CorruptDataError if what it has is not a value, StoreClosedError.
   */
  get<K extends KeyOf<T>>(key: K, options?: WaitOptions): Promise<T[K] | undefined>;
  /** Reads `key`, and then follows it. What cannot be read is told on `errors$`, and is `undefined`. Completes when the cache closes. */
  get$<K extends KeyOf<T>>(key: K): Observable<T[K] | undefined>;
  /** What memory has under `key`; `undefined` says nothing of storage. Keeps nothing in memory longer. */
  peek<K extends KeyOf<T>>(key: K): T[K] | undefined;
  /**
   * The value of `key`; where there is none, what `loader` gives, which is set. It runs once a key, however many ask, and its
   * failure is theirs and is not kept. What is set while it runs wins; what is deleted while it runs stays deleted, though
   * who asked gets the value. What is in storage and is not a value is told on `errors$` and replaced.
   */
  getOrSet<K extends KeyOf<T>>(key: K, loader: () => InputOf<In, K> | PromiseLike<InputOf<In, K>>, options?: SetOptions & WaitOptions): Promise<T[K]>;
  /** The keys in storage and of what is unsaved. What changes meanwhile may be told or not. @throws LoadError */
  keys(): AsyncIterableIterator<KeyOf<T>>;
  /** How many keys there are, asked of storage. @throws LoadError */
  count(): Promise<number>;
  /** When `key` ends, in milliseconds since 1970, as far as memory has it. */
  expiresAt(key: KeyOf<T>): number | undefined;
  /** Its name alone, for `JSON.stringify`, as what is in memory would not be the dictionary. */
  toJSON(): { readonly name: string };
  readonly status: Status;
  readonly status$: Observable<Status>;
  readonly unsaved: readonly string[];

  /** @throws LimitError if it would exceed `withLimits`; its twin waits instead. */
  set<K extends KeyOf<T>>(key: K, value: InputOf<In, K>, options?: SetOptions): void;
  setAndSave<K extends KeyOf<T>>(key: K, value: InputOf<In, K>, options?: SetOptions & WaitOptions): Promise<boolean>;
  /** Sets `key` only if it is absent, in storage too; resolves, when it is applied, to whether it did. @throws CorruptDataError, LoadError */
  add<K extends KeyOf<T>>(key: K, value: InputOf<In, K>, options?: SetOptions & WaitOptions): Promise<boolean>;
  addAndSave<K extends KeyOf<T>>(key: K, value: InputOf<In, K>, options?: SetOptions & WaitOptions): Promise<boolean>;
  /** Deletes `key`, be it in storage alone; that is told only where memory had it. */
  delete(key: KeyOf<T>): void;
  /** Resolves to `true` once it is saved. */
  deleteAndSave(key: KeyOf<T>, options?: WaitOptions): Promise<boolean>;
  clear(): void;
  clearAndSave(options?: WaitOptions): Promise<boolean>;
  /** Sets `key` to what `fn` makes of its value, as in `Store`; resolves, when it is applied, to the value that the key then has. @throws CorruptDataError, LoadError */
  update<K extends KeyOf<T>>(key: K, fn: (value: T[K] | undefined) => InputOf<In, K> | undefined, options?: WaitOptions): Promise<T[K] | undefined>;
  updateAndSave<K extends KeyOf<T>>(key: K, fn: (value: T[K] | undefined) => InputOf<In, K> | undefined, options?: WaitOptions): Promise<T[K] | undefined>;
  /** As in `Store`. Nothing is read from storage in it: `peek`, `set`, `delete` and `clear` are what it can do. */
  transaction<R>(fn: () => Synchronous<R>): R;
  transactionAndSave<R>(fn: () => Synchronous<R>, options?: WaitOptions): Promise<R>;
  /** Begins a sliding time to live of `key` anew; resolves to whether the key is there. @throws CorruptDataError, LoadError */
  touch(key: KeyOf<T>, options?: WaitOptions): Promise<boolean>;

  /** Saves what is pending; resolves to `true` when everything applied before the call is saved. */
  flush(options?: WaitOptions): Promise<boolean>;
  /** Saves what is pending, completes every stream and releases storage. @throws SaveError if something could not be saved, with its keys. */
  close(options?: CloseOptions): Promise<void>;

  /** Every change, after memory shows it; of what memory had, and what others changed of it. What is read from storage is no change. */
  readonly changes$: Observable<ChangeOf<T>>;
  readonly saves$: Observable<Save>;
  readonly errors$: Observable<Failure>;
}
