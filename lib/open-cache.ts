import { catchError, count, defer, finalize, from, lastValueFrom, of, Subscription, switchMap, type Observable } from 'rxjs';

import { unlessAborted } from './aborted.ts';
import type { Cache } from './cache.ts';
import type { Change, Failure, Save, Status } from './change.ts';
import { isSlid } from './deadline.ts';
import { Dictionary, type DictionaryConfig, type Kind } from './dictionary.ts';
import { CorruptDataError } from './errors.ts';
import { checkKey } from './key.ts';
import { KeyReads } from './key-reads.ts';
import type { LoadedEntry } from './layers.ts';
import { asLoadError, loadedEntry, takeUp } from './loading.ts';
import { checkTtlMs } from './options.ts';
import { isMortal } from './overlay.ts';
import { providerFailure } from './provider-failure.ts';
import type { Entry } from './providers/provider.ts';
import { Recency } from './recency.ts';
import type { CacheSettings } from './settings.ts';
import type { CloseOptions, SetOptions, WaitOptions } from './store.ts';
import { expireKeys } from './streams/expire-keys.ts';
import { nextTurn } from './streams/macrotask.ts';
import { Sweep } from './sweep.ts';

/** A dictionary of which memory has what was used last, behind its typed face. */
export class OpenCache implements Cache<Record<string, unknown>> {
  readonly name: string;
  readonly dictionary: Dictionary;
  readonly changes$: Observable<Change>;
  readonly saves$: Observable<Save>;
  readonly errors$: Observable<Failure>;
  readonly status$: Observable<Status>;
  readonly #reads: KeyReads;
  readonly #recency: Recency;
  readonly #running = new Subscription();
  readonly #ended = new AbortController();
  /** What loaders will give, by key. */
  readonly #loading = new Map<string, Promise<unknown>>();
  /** The keys that have to stay, and for how many. */
  readonly #pinned = new Map<string, number>();

  constructor(config: DictionaryConfig, { keepMs, maxEntries }: CacheSettings) {
    const dictionary = new Dictionary(config, {
      isPartial: true,
      entries: () => [],
      read: () => this.#readKept(),
      isWanted: (key) => this.#pinned.has(key),
      onWritten: (key) => this.#written(key),
      onRemote: (key) => (key === undefined ? this.#reads.outdateAll() : this.#reads.outdate(key)),
    });
    const { layers } = dictionary;
    this.name = config.name;
    this.dictionary = dictionary;
    this.changes$ = dictionary.changes$;
    this.saves$ = dictionary.saves$;
    this.errors$ = dictionary.errors$;
    this.status$ = dictionary.status$;
    this.#reads = new KeyReads(config.session, config.settings);
    this.#recency = new Recency({
      keepMs,
      maxKeys: maxEntries,
      now: () => config.settings.scheduler.now(),
      has: (key) => layers.view.has(key),
      count: () => layers.view.size,
      evict: (key) => this.#evict(key),
    });
    this.saves$.subscribe(() => this.#recency.freed());
  }

  /** From now on what has ended expires, what is not used leaves memory, and what others commit after `version` is heard of. */
  start(version: number): void {
    const { dictionary } = this;
    const { nextAt, sooner$, step } = this.#recency;
    const { scheduler } = dictionary.settings;
    dictionary.start(version);
    this.#running.add(expireKeys({ nextAt, sooner$, step, scheduler, pause$: nextTurn(scheduler) }).subscribe());
    this.#running.add(new Sweep(dictionary).start());
  }

  /** Nothing is loaded; resolves to the version of what is stored. */
  async load(): Promise<number> {
    try {
      for await (const { version } of this.dictionary.session.load()) return version;
    } catch (error) {
      throw asLoadError(error);
    }
    return 0;
  }

  get status(): Status {
    return this.dictionary.status;
  }

  get unsaved(): readonly string[] {
    return this.dictionary.unsaved;
  }

  async get(key: string, { signal }: WaitOptions = {}): Promise<unknown> {
    checkKey(key);
    const value = this.#used(key);
    if (value !== undefined || this.dictionary.layers.isKnownAbsent(key)) return value;
    if (this.#ended.signal.aborted) throw this.dictionary.writes.closedError();
    return unlessAborted(unlessAborted(this.#readThrough(key), this.#ended.signal), signal);
  }

  get$(key: string): Observable<unknown> {
    return defer(() => {
      this.#pin(key);
      return from(this.get(key)).pipe(
        catchError((error: unknown) => {
          this.#reportUnread(key, error);
          return of(undefined);
        }),
        switchMap(() => this.dictionary.teller.value$(key)),
        finalize(() => this.#unpin(key)),
      );
    });
  }

  peek(key: string): unknown {
    return this.dictionary.layers.find(key)?.value;
  }

  async getOrSet(key: string, loader: () => unknown, { ttlMs, signal }: SetOptions & WaitOptions = {}): Promise<unknown> {
    checkTtlMs(ttlMs);
    this.dictionary.waiting.checkMayWait(signal);
    const found = await this.get(key, signal === undefined ? {} : { signal }).catch((error: unknown) => {
      if (!(error instanceof CorruptDataError)) throw error;
      this.#reportUnread(key, error);
    });
    if (found !== undefined) return found;
    return unlessAborted(this.#loading.get(key) ?? this.#load(key, loader, ttlMs), signal);
  }

  async *keys(): AsyncGenerator<string, undefined, undefined> {
    const { layers, session, settings } = this.dictionary;
    const unsaved = new Set([...layers.view].flatMap(([key, entry]) => (entry.overlay !== undefined && layers.isVisible(entry) ? [key] : [])));
    yield* unsaved;
    if (layers.isCleared) return;
    const pages = session.load();
    try {
      for await (const { entries } of pages) {
        for (const { key, expiresAt } of entries) {
          if (unsaved.has(key) || (layers.find(key) === undefined && (layers.isKnownAbsent(key) || (expiresAt ?? Infinity) <= settings.scheduler.now()))) continue;
          yield key;
        }
      }
    } catch (error) {
      throw asLoadError(error);
    }
  }

  count(): Promise<number> {
    return lastValueFrom(from(this.keys()).pipe(count()));
  }

  expiresAt(key: string): number | undefined {
    return this.dictionary.expiresAt(key);
  }

  set(key: string, value: unknown, { ttlMs }: SetOptions = {}): void {
    checkTtlMs(ttlMs);
    this.dictionary.writes.set(key, value, { atLimit: 'throw', ttlMs });
  }

  setAndSave(key: string, value: unknown, options?: SetOptions & WaitOptions): Promise<boolean> {
    return this.dictionary.waiting.set(key, value, options);
  }

  add(key: string, value: unknown, { ttlMs, signal }: SetOptions & WaitOptions = {}): Promise<boolean> {
    return this.#knowing(key, signal, () => {
      checkTtlMs(ttlMs);
      return this.dictionary.writes.add(key, value, { atLimit: 'throw', ttlMs });
    });
  }

  addAndSave(key: string, value: unknown, options: SetOptions & WaitOptions = {}): Promise<boolean> {
    return this.#knowing(key, options.signal, () => this.dictionary.waiting.add(key, value, options));
  }

  delete(key: string): void {
    this.dictionary.writes.delete(key, 'throw');
  }

  async deleteAndSave(key: string, options?: WaitOptions): Promise<boolean> {
    return this.dictionary.waiting.delete(key, options);
  }

  clear(): void {
    this.dictionary.writes.clear();
  }

  clearAndSave(options?: WaitOptions): Promise<boolean> {
    return this.dictionary.waiting.clear(options);
  }

  update(key: string, fn: (value: unknown) => unknown, { signal }: WaitOptions = {}): Promise<unknown> {
    return this.#knowing(key, signal, () => this.dictionary.writes.update(key, fn, 'throw'));
  }

  updateAndSave(key: string, fn: (value: unknown) => unknown, options: WaitOptions = {}): Promise<unknown> {
    return this.#knowing(key, options.signal, () => this.dictionary.waiting.update(key, fn, options));
  }

  transaction<R>(fn: () => R): R {
    return this.dictionary.writes.transact(fn, 'throw').result;
  }

  transactionAndSave<R>(fn: () => R, options?: WaitOptions): Promise<R> {
    return this.dictionary.waiting.transaction(fn, options);
  }

  touch(key: string, { signal }: WaitOptions = {}): Promise<boolean> {
    return this.#knowing(key, signal, () => this.dictionary.touch(key));
  }

  flush(options?: WaitOptions): Promise<boolean> {
    return this.dictionary.flush(options);
  }

  async close(options?: CloseOptions): Promise<void> {
    const closing = this.dictionary.close(options);
    if (this.dictionary.writes.isClosed) {
      this.#running.unsubscribe();
      this.#ended.abort(this.dictionary.writes.closedError());
    }
    await closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Runs `step` when memory knows what is stored under `key`, which stays in memory meanwhile. */
  async #knowing<R>(key: string, signal: AbortSignal | undefined, step: () => R | Promise<R>): Promise<R> {
    this.dictionary.waiting.checkMayWait(signal);
    this.#pin(key);
    try {
      await this.get(key, signal === undefined ? {} : { signal });
      return await step();
    } finally {
      this.#unpin(key);
    }
  }

  async #readThrough(key: string): Promise<unknown> {
    for (;;) {
      const reading = this.#reads.of(key);
      const stored = await reading.entry;
      const value = this.#used(key);
      if (value !== undefined || this.dictionary.layers.isKnownAbsent(key)) return value;
      if (!reading.isStale) return stored && this.#takeIn(stored);
    }
  }

  /** Makes known what was read. Returns its value, if it has not ended. */
  #takeIn(stored: Entry): unknown {
    const { layers, settings } = this.dictionary;
    const { key, version, expiresAt } = stored;
    if (expiresAt !== undefined && expiresAt <= settings.scheduler.now()) {
      this.dictionary.expireStored(key, version, expiresAt);
      return undefined;
    }
    takeUp(stored, settings.format, {
      entry: (_, value) => layers.load(key, loadedEntry(stored, value)),
      quarantined: ({ error }) => {
        throw error;
      },
    });
    return this.#used(key);
  }

  /** What memory has under `key`, which is used by that. */
  #used(key: string): unknown {
    const value = this.dictionary.get(key);
    if (value !== undefined) this.#recency.use(key);
    return value;
  }

  #load(key: string, loader: () => unknown, ttlMs: number | undefined): Promise<unknown> {
    const isWanted = (): boolean => this.#loading.get(key) === loading;
    const loading: Promise<unknown> = Promise.resolve()
      .then(loader)
      .then((loaded) => this.#takeLoaded(key, loaded, ttlMs, isWanted));
    this.#loading.set(key, loading);
    const end = (): void => {
      if (isWanted()) this.#loading.delete(key);
    };
    loading.then(end, end);
    return loading;
  }

  /** Sets what a loader gave, unless the key was set meanwhile, or deleted, and then it is not wanted. Returns what is to be had. */
  async #takeLoaded(key: string, loaded: unknown, ttlMs: number | undefined, isWanted: () => boolean): Promise<unknown> {
    const { waiting, writes } = this.dictionary;
    const room = isWanted() ? waiting.room(key, undefined, loaded) : undefined;
    if (room !== undefined) await room;
    if (!isWanted()) return loaded;
    const present = this.#used(key);
    if (present !== undefined) return present;
    writes.set(key, loaded, { atLimit: 'ignore', ttlMs });
    return this.peek(key);
  }

  /** A key was written in this process; `undefined`: all were. */
  #written(key: string | undefined): void {
    const { layers } = this.dictionary;
    if (key === undefined) {
      this.#reads.outdateAll();
      this.#loading.clear();
      return;
    }
    this.#reads.outdate(key);
    if (layers.view.has(key)) this.#recency.use(key);
    else {
      this.#recency.forget(key);
      this.#loading.delete(key);
    }
  }

  #evict(key: string): boolean {
    const { layers, writes } = this.dictionary;
    const entry = layers.view.get(key);
    if (entry === undefined) return true;
    if (this.#pinned.has(key) || entry.overlay !== undefined || !layers.isVisible(entry)) return false;
    if (isMortal(entry) && isSlid(entry)) {
      writes.saveSlide(entry);
      return false;
    }
    layers.drop(key);
    return true;
  }

  /** What storage has of what memory has. */
  async #readKept(): ReturnType<Kind['read']> {
    const { layers, settings } = this.dictionary;
    this.#reads.outdateAll();
    const version = await this.load();
    const keys = [...layers.view.keys()];
    const stored = await this.#reads.all(keys);
    const entries = new Map<string, LoadedEntry<unknown>>();
    for (const entry of stored.values()) takeUp(entry, settings.format, { entry: (_, value) => entries.set(entry.key, loadedEntry(entry, value)), quarantined: ({ key, error }) => this.#reportUnread(key, error) });
    return { version, rebase: () => layers.rebaseKeys(keys, entries, settings.format.toText) };
  }

  #reportUnread(key: string, error: unknown): void {
    if (!this.#ended.signal.aborted) this.dictionary.report('load', providerFailure(error), [key]);
  }

  #pin(key: string): void {
    this.#pinned.set(key, (this.#pinned.get(key) ?? 0) + 1);
  }

  #unpin(key: string): void {
    const left = (this.#pinned.get(key) ?? 0) - 1;
    if (left > 0) this.#pinned.set(key, left);
    else if (this.#pinned.delete(key)) this.#recency.freed();
  }
}
