import { catchError, count, defer, finalize, firstValueFrom, from, lastValueFrom, of, race, Subscription, switchMap, timer, type Observable } from 'rxjs';

import { abortReason, unlessAborted } from './aborted.ts';
import type { Cache } from './cache.ts';
import { checkCallback, checkCallOptions, refusedOptions } from './call-options.ts';
import type { Change, Failure, Save, Status } from './change.ts';
import { Counts } from './counts.ts';
import { isSlid } from './deadline.ts';
import { Dictionary, type DictionaryConfig, type Kind } from './dictionary.ts';
import { CorruptDataError } from './errors.ts';
import { checkKey } from './key.ts';
import { KeyReads } from './key-reads.ts';
import type { LoadedEntry } from './layers.ts';
import { asLoadError, loadedEntry, placeOf, takeUp } from './loading.ts';
import { isMortal, type Entry as MemoryEntry } from './overlay.ts';
import { providerFailure } from './provider-failure.ts';
import type { Cursor, Entry } from './providers/provider.ts';
import { Recency } from './recency.ts';
import type { CacheSettings } from './settings.ts';
import type { CloseOptions, SetOptions, WaitOptions } from './store.ts';
import { expireKeys } from './streams/expire-keys.ts';
import { nextTurn } from './streams/macrotask.ts';
import { Sweep } from './sweep.ts';

/** How long a close waits for keys that are being read. */
const SETTLE_MS = 1_000;

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
  readonly #pinned = new Counts();
  /** The keys that `get$` has read and follows, and for how many. */
  readonly #followed = new Counts();

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
    this.saves$.subscribe(() => {
      this.#recency.freed();
      if (layers.view.size > this.#recency.size) this.#recallAll();
    });
  }

  /** From now on what has ended expires, what is not used leaves memory, and what others commit after `place` is heard of. */
  start(place: Cursor): void {
    const { dictionary } = this;
    const { nextAt, sooner$, step } = this.#recency;
    const { scheduler } = dictionary.settings;
    dictionary.start(place);
    this.#running.add(expireKeys({ nextAt, sooner$, step, scheduler, pause$: nextTurn(scheduler) }).subscribe());
    if (!dictionary.writes.isReadOnly) this.#running.add(new Sweep(dictionary).start());
  }

  /** Nothing is loaded; resolves to the place of what is stored. */
  async load(): Promise<Cursor> {
    try {
      for await (const page of this.dictionary.session.load()) return placeOf(page);
    } catch (error) {
      throw asLoadError(error);
    }
    return { version: 0 };
  }

  get status(): Status {
    return this.dictionary.status;
  }

  get unsaved(): readonly string[] {
    return this.dictionary.unsaved;
  }

  get(key: string, options?: WaitOptions): Promise<unknown> {
    return refusedOptions('get', 'wait', options) ?? this.#read(key, options?.signal, (entry) => this.dictionary.writes.slide(entry));
  }

  get$(key: string): Observable<unknown> {
    return defer(() => {
      this.#pin(key);
      return from(this.#read(key)).pipe(
        catchError((error: unknown) => {
          this.#reportUnread(key, error);
          return of(undefined);
        }),
        switchMap(() => this.#follow(key)),
        finalize(() => this.#unpin(key)),
      );
    });
  }

  peek(key: string): unknown {
    return this.dictionary.layers.find(key)?.value;
  }

  async getOrSet(key: string, loader: () => unknown, options: SetOptions & WaitOptions = {}): Promise<unknown> {
    checkCallback('getOrSet', loader);
    checkCallOptions('getOrSet', 'setAndWait', options);
    const { ttlMs, signal } = options;
    this.dictionary.waiting.checkMayWait(signal);
    try {
      const found = await this.get(key, signal === undefined ? {} : { signal });
      if (found !== undefined) return found;
    } catch (error) {
      if (!(error instanceof CorruptDataError)) throw error;
      if (!this.#loading.has(key)) this.#reportUnread(key, error);
    }
    this.dictionary.writes.checkOpen();
    const present = this.#used(key); // another's loader may have ended just now
    if (present !== undefined) return present;
    this.dictionary.writes.checkWritable(); // before a loader runs for nothing
    const loading = this.#loading.get(key) ?? this.#load(key, loader, ttlMs);
    return unlessAborted(unlessAborted(loading, this.#ended.signal), signal);
  }

  async *keys(): AsyncGenerator<string, undefined, undefined> {
    const { layers, session, settings, writes } = this.dictionary;
    writes.checkOpen();
    const unsaved = new Set([...layers.view].flatMap(([key, entry]) => ((entry.overlay !== undefined || layers.isFlying(key)) && layers.isVisible(entry) ? [key] : [])));
    yield* unsaved;
    if (layers.isCleared) return;
    try {
      for await (const { entries } of session.load()) {
        writes.checkOpen();
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

  set(key: string, value: unknown, options?: SetOptions): void {
    checkCallOptions('set', 'set', options);
    this.dictionary.writes.set(key, value, { atLimit: 'throw', ttlMs: options?.ttlMs });
  }

  setAndSave(key: string, value: unknown, options?: SetOptions & WaitOptions): Promise<boolean> {
    return refusedOptions('setAndSave', 'setAndWait', options) ?? this.dictionary.waiting.set(key, value, options);
  }

  async add(key: string, value: unknown, options: SetOptions & WaitOptions = {}): Promise<boolean> {
    checkCallOptions('add', 'setAndWait', options);
    const { ttlMs, signal } = options;
    return this.#knowing(key, signal, () => this.dictionary.writes.add(key, value, { atLimit: 'throw', ttlMs }));
  }

  async addAndSave(key: string, value: unknown, options: SetOptions & WaitOptions = {}): Promise<boolean> {
    checkCallOptions('addAndSave', 'setAndWait', options);
    return this.#knowing(key, options.signal, () => this.dictionary.waiting.add(key, value, options));
  }

  delete(key: string): void {
    this.dictionary.writes.delete(key, 'throw');
  }

  async deleteAndSave(key: string, options?: WaitOptions): Promise<boolean> {
    checkCallOptions('deleteAndSave', 'wait', options);
    return this.dictionary.waiting.delete(key, options);
  }

  clear(): void {
    this.dictionary.writes.clear();
  }

  clearAndSave(options?: WaitOptions): Promise<boolean> {
    return refusedOptions('clearAndSave', 'wait', options) ?? this.dictionary.waiting.clear(options);
  }

  async update(key: string, fn: (value: unknown) => unknown, options: WaitOptions = {}): Promise<unknown> {
    checkCallback('update', fn);
    checkCallOptions('update', 'wait', options);
    return this.#knowing(key, options.signal, () => this.dictionary.writes.update(key, fn, 'throw'));
  }

  async updateAndSave(key: string, fn: (value: unknown) => unknown, options: WaitOptions = {}): Promise<unknown> {
    checkCallback('updateAndSave', fn);
    checkCallOptions('updateAndSave', 'wait', options);
    return this.#knowing(key, options.signal, () => this.dictionary.waiting.update(key, fn, options));
  }

  transaction<R>(fn: () => R): R {
    checkCallback('transaction', fn);
    try {
      return this.dictionary.writes.transact(fn, 'throw').result;
    } catch (error) {
      this.#recallAll();
      throw error;
    }
  }

  async transactionAndSave<R>(fn: () => R, options?: WaitOptions): Promise<R> {
    checkCallback('transactionAndSave', fn);
    checkCallOptions('transactionAndSave', 'wait', options);
    try {
      return await this.dictionary.waiting.transaction(fn, options);
    } catch (error) {
      this.#recallAll();
      throw error;
    }
  }

  async touch(key: string, options: WaitOptions = {}): Promise<boolean> {
    checkCallOptions('touch', 'wait', options);
    return this.#knowing(key, options.signal, () => this.dictionary.touch(key));
  }

  flush(options?: WaitOptions): Promise<boolean> {
    return refusedOptions('flush', 'wait', options) ?? this.dictionary.flush(options);
  }

  async close(options?: CloseOptions): Promise<void> {
    checkCallOptions('close', 'close', options);
    if (!this.dictionary.writes.isClosed) this.#letReadsEnd();
    const closing = this.dictionary.close(options);
    if (this.dictionary.writes.isClosed) {
      this.#reads.end();
      this.#running.unsubscribe();
      this.#ended.abort(this.dictionary.writes.closedError());
    }
    await closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  toJSON(): { readonly name: string } {
    return { name: this.name };
  }

  /** What Node's console prints. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Cache ${JSON.stringify(this.name)} { state: '${this.status.state}' }`;
  }

  /** Runs `step` when memory knows what is stored under `key`, which stays in memory meanwhile. */
  async #knowing<R>(key: string, signal: AbortSignal | undefined, step: () => R | Promise<R>): Promise<R> {
    this.dictionary.waiting.checkMayWrite(signal);
    this.#pin(key);
    try {
      await this.#read(key, signal);
      return await step();
    } finally {
      this.#unpin(key);
    }
  }

  /** Makes known what is under `key`; has `use` told of it, if there is anything. */
  async #read(key: string, signal?: AbortSignal, use?: (entry: MemoryEntry<unknown>) => void): Promise<unknown> {
    checkKey(key);
    if (signal?.aborted === true) throw abortReason(signal);
    const value = this.#used(key, use);
    if (value !== undefined || this.dictionary.layers.isKnownAbsent(key)) return value;
    if (this.#ended.signal.aborted) throw this.dictionary.writes.closedError();
    return unlessAborted(unlessAborted(this.#readThrough(key, use), this.#ended.signal), signal);
  }

  async #readThrough(key: string, use: ((entry: MemoryEntry<unknown>) => void) | undefined): Promise<unknown> {
    for (;;) {
      const reading = this.#reads.of(key);
      const stored = await reading.entry;
      const value = this.#used(key, use);
      if (value !== undefined || this.dictionary.layers.isKnownAbsent(key)) return value;
      if (!reading.isStale) return stored === undefined ? undefined : this.#takeIn(stored, use);
      if (this.#ended.signal.aborted) throw this.dictionary.writes.closedError();
    }
  }

  /** Makes known what was read. Returns its value, if it has not ended. */
  #takeIn(stored: Entry, use: ((entry: MemoryEntry<unknown>) => void) | undefined): unknown {
    const { layers, settings, writes } = this.dictionary;
    const { key, version, expiresAt } = stored;
    if (expiresAt !== undefined && expiresAt <= settings.scheduler.now()) {
      this.dictionary.expireStored(key, version, expiresAt);
      return undefined;
    }
    takeUp(stored, settings.format, {
      entry: (_, value) => {
        layers.quarantined.delete(key);
        layers.load(key, loadedEntry(stored, value));
        // Who follows it was told that there is nothing, so another process has set it.
        if (this.#followed.has(key)) writes.tellDifferences([{ key, before: undefined, after: value }], 'remote');
      },
      quarantined: ({ error }) => {
        throw error;
      },
    });
    return this.#used(key, use);
  }

  /** What memory has under `key`, which is used by that. */
  #used(key: string, use?: (entry: MemoryEntry<unknown>) => void): unknown {
    const entry = this.dictionary.layers.find(key);
    if (entry === undefined) return undefined;
    use?.(entry);
    this.#recency.use(key);
    return entry.value;
  }

  #follow(key: string): Observable<unknown> {
    return defer(() => {
      this.#followed.add(key);
      return this.dictionary.teller.value$(key).pipe(finalize(() => this.#followed.remove(key)));
    });
  }

  /** Memory may have keys again that it had not, without their having been used: what was undone, or refused. */
  #recallAll(): void {
    this.#recency.adopt(this.dictionary.layers.view.keys());
  }

  /** A close waits a while for what is being read, as nothing is asked of a provider that is closed. */
  #letReadsEnd(): void {
    if (this.#reads.isIdle) return;
    const { dictionary } = this;
    const ended$ = race(from(this.#reads.underWay()), timer(SETTLE_MS, dictionary.settings.scheduler));
    dictionary.reading(() => firstValueFrom(ended$).then(() => undefined)).catch(() => undefined);
  }

  #load(key: string, loader: () => unknown, ttlMs: number | undefined): Promise<unknown> {
    const isWanted = (): boolean => this.#loading.get(key) === loading;
    const loading: Promise<unknown> = Promise.resolve()
      .then(loader)
      .then((loaded) => this.#takeLoaded(key, loaded, ttlMs, isWanted));
    this.#loading.set(key, loading);
    this.#pin(key); // what is set meanwhile stays
    const end = (): void => {
      this.#unpin(key);
      if (isWanted()) this.#loading.delete(key);
    };
    loading.then(end, end);
    return loading;
  }

  /** Sets what a loader gave, unless the key was set meanwhile, or deleted, and then it is not wanted. Returns what is to be had. */
  async #takeLoaded(key: string, loaded: unknown, ttlMs: number | undefined, isWanted: () => boolean): Promise<unknown> {
    const { layers, settings, waiting, writes } = this.dictionary;
    for (let room; isWanted() && (room = waiting.room(key, undefined, loaded)) !== undefined;) await room;
    if (!isWanted()) return settings.format.validate(key, loaded);
    const present = this.#used(key);
    if (present !== undefined) return present;
    writes.set(key, loaded, { atLimit: 'ignore', ttlMs });
    return layers.view.get(key)?.value;
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
    if (this.#pinned.has(key) || entry.overlay !== undefined || layers.isFlying(key) || !layers.isVisible(entry)) return false;
    if (isMortal(entry) && isSlid(entry)) {
      writes.saveSlide(entry);
      return false;
    }
    layers.drop(key);
    return true;
  }

  /** What storage has of what memory has, and of what is followed. */
  async #readKept(): ReturnType<Kind['read']> {
    const { layers, settings } = this.dictionary;
    this.#reads.outdateAll();
    const place = await this.load();
    const keys = new Set([...layers.view.keys(), ...this.#followed.keys()]);
    const before = new Map(layers.view);
    const stored = await this.#reads.all([...keys]);
    const entries = new Map<string, LoadedEntry<unknown>>();
    for (const entry of stored.values()) takeUp(entry, settings.format, { entry: (_, value) => entries.set(entry.key, loadedEntry(entry, value)), quarantined: ({ key, error }) => this.#reportUnread(key, error) });
    const rebase = (): ReturnType<typeof layers.rebaseKeys> => {
      // What came meanwhile was read later, and what has left shows to nobody.
      const same = [...keys].filter((key) => layers.view.get(key) === before.get(key) && (before.has(key) || (this.#followed.has(key) && !layers.isCleared)));
      const differences = layers.rebaseKeys(same, entries, settings.format.toText);
      this.#recency.adopt(same);
      return differences;
    };
    return { place, rebase };
  }

  #reportUnread(key: string, error: unknown): void {
    if (!this.#ended.signal.aborted) this.dictionary.report('load', providerFailure(error), [key]);
  }

  #pin(key: string): void {
    this.#pinned.add(key);
  }

  #unpin(key: string): void {
    if (!this.#pinned.remove(key)) return;
    this.#recency.adopt([key]); // another process, or storage's decision, may have brought it
    this.#recency.freed();
  }
}
