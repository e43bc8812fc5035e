import { defaultIfEmpty, defer, firstValueFrom, from, ignoreElements, map, race, take, timer, type Observable } from 'rxjs';

import { abortReason, unlessAborted } from './aborted.ts';
import type { Change, Failure, Origin, Quarantined, Save, Status } from './change.ts';
import { EntriesView } from './entries-view.ts';
import { OptionsError, SaveError, type PersistifyError } from './errors.ts';
import { Layers, type LoadedEntry } from './layers.ts';
import { Limits } from './limits.ts';
import { loadAll } from './loading.ts';
import { providerFailure } from './provider-failure.ts';
import type { ProviderSession } from './providers/provider.ts';
import { Saver } from './saver.ts';
import type { Settings } from './settings.ts';
import type { CloseOptions, Store, WaitOptions } from './store.ts';
import { Teller } from './teller.ts';
import { Writes } from './writes.ts';

export interface OpenStoreConfig {
  readonly name: string;
  readonly session: ProviderSession;
  readonly writer: string;
  readonly settings: Settings;
  readonly onClosed: () => void;
}

/** How long a provider may take to release storage, be the deadline over. */
const RELEASE_MS = 1_000;

/**
 * The store behind its typed face. It checks what comes in, applies it to the layers, has the teller tell it and the saver
 * save it; each of them knows nothing of the others.
 */
export class OpenStore implements Store<Record<string, unknown>> {
  readonly name: string;
  readonly changes$: Observable<Change>;
  readonly saves$: Observable<Save>;
  readonly errors$: Observable<Failure>;
  readonly size$: Observable<number>;
  readonly entries$: Observable<readonly (readonly [string, unknown])[]>;
  readonly status$: Observable<Status>;
  readonly #config: OpenStoreConfig;
  readonly #layers = new Layers<unknown>();
  readonly #teller: Teller<unknown>;
  readonly #saver: Saver<unknown>;
  readonly #writes: Writes;
  readonly #limits: Limits;
  #closed: Promise<void> | undefined;
  /** Readings of storage under way. */
  readonly #readings = new Set<Promise<void>>();
  #isResyncQueued = false;

  constructor(config: OpenStoreConfig) {
    const layers = this.#layers;
    this.#config = config;
    this.name = config.name;
    this.#teller = new Teller({
      seq: () => layers.seq,
      value: (key) => layers.view.get(key)?.value,
      has: (key) => layers.view.has(key),
      size: () => layers.view.size,
      entries: () => [...this.entries()],
      isTentative: () => this.#writes.isInTransaction,
    });
    this.#saver = new Saver({
      storeName: config.name,
      layers,
      session: config.session,
      writer: config.writer,
      settings: config.settings,
      onRefused: (differences) => this.#writes.tellDifferences(differences, 'reload'),
      onClearRefused: () => this.#resync('reload'),
    });
    this.changes$ = this.#teller.changes$;
    this.size$ = this.#teller.size$;
    this.entries$ = this.#teller.entries$;
    this.saves$ = this.#saver.saves$;
    this.errors$ = this.#saver.errors$;
    this.status$ = this.#saver.status$;
    this.#limits = new Limits(layers, config.settings.limits);
    this.#writes = new Writes({
      storeName: config.name,
      layers,
      teller: this.#teller,
      format: config.settings.format,
      capabilities: config.session.capabilities,
      limits: this.#limits,
      onPending: () => this.#saver.announce(),
    });
  }

  /** Fills the store with what is stored, once, before anybody has it. Resolves to the version read. */
  load(): Promise<number> {
    const { view, quarantined } = this.#layers;
    return loadAll(this.#config.session, this.#config.settings.format, {
      entry: ({ key, version }, value) => view.set(key, { value, version, overlay: undefined }),
      quarantined: (bad) => quarantined.set(bad.key, bad),
    });
  }

  /** Tells of something wrong that is no failed save. */
  report(operation: Failure['operation'], error: PersistifyError, keys: readonly string[] = []): void {
    this.#saver.report({ operation, error, attempt: 1, maxAttempts: 1, willRetry: false, delayMs: 0, fatal: false, keys });
  }

  /** Storage was changed by others: reads it anew and tells the differences, once for any number of calls meanwhile. */
  readAnew(): void {
    this.#resync('remote');
  }

  get size(): number {
    return this.#layers.view.size;
  }

  get status(): Status {
    return this.#saver.status;
  }

  get unsaved(): readonly string[] {
    return this.#layers.unsavedKeys();
  }

  get quarantined(): ReadonlyMap<string, Quarantined> {
    return this.#layers.quarantined;
  }

  get(key: string): unknown {
    return this.#layers.view.get(key)?.value;
  }

  get$(key: string): Observable<unknown> {
    return this.#teller.value$(key);
  }

  has(key: string): boolean {
    return this.#layers.view.has(key);
  }

  has$(key: string): Observable<boolean> {
    return this.#teller.has$(key);
  }

  keys(): IterableIterator<string> {
    return this.#layers.view.keys();
  }

  values(): IterableIterator<unknown> {
    return new EntriesView(this.#layers.view).values();
  }

  entries(): IterableIterator<readonly [string, unknown]> {
    return new EntriesView(this.#layers.view).entries();
  }

  [Symbol.iterator](): IterableIterator<readonly [string, unknown]> {
    return this.entries();
  }

  forEach(callback: (value: unknown, key: string) => void): void {
    for (const [key, { value }] of this.#layers.view) callback(value, key);
  }

  set(key: string, value: unknown): void {
    this.#writes.set(key, value, 'throw');
  }

  async setAndSave(key: string, value: unknown, { signal }: WaitOptions = {}): Promise<boolean> {
    this.#checkMayWait(signal);
    const room = this.#room(key, signal, value);
    if (room !== undefined) await room; // where there is room the write is applied before this returns
    this.#writes.set(key, value, 'ignore');
    return this.#trueOnceSaved([key], signal);
  }

  add(key: string, value: unknown): boolean {
    return this.#writes.add(key, value, 'throw');
  }

  async addAndSave(key: string, value: unknown, { signal }: WaitOptions = {}): Promise<boolean> {
    this.#checkMayWait(signal);
    const room = this.#room(key, signal, value);
    if (room !== undefined) await room;
    const isAdded = this.#writes.add(key, value, 'ignore');
    await this.#saver.saved([key], signal);
    return isAdded;
  }

  delete(key: string): boolean {
    return this.#writes.delete(key, 'throw');
  }

  async deleteAndSave(key: string, { signal }: WaitOptions = {}): Promise<boolean> {
    this.#checkMayWait(signal);
    const room = this.#room(key, signal);
    if (room !== undefined) await room;
    const isDeleted = this.#writes.delete(key, 'ignore');
    await this.#saver.saved([key], signal);
    return isDeleted;
  }

  clear(): void {
    this.#writes.clear();
  }

  async clearAndSave({ signal }: WaitOptions = {}): Promise<boolean> {
    this.#checkMayWait(signal);
    this.clear();
    return this.#trueOnceSaved(undefined, signal);
  }

  update(key: string, fn: (value: unknown) => unknown): unknown {
    return this.#writes.update(key, fn, 'throw');
  }

  async updateAndSave(key: string, fn: (value: unknown) => unknown, { signal }: WaitOptions = {}): Promise<unknown> {
    this.#checkMayWait(signal);
    const room = this.#room(key, signal);
    if (room !== undefined) await room;
    const value = this.#writes.update(key, fn, 'ignore');
    await this.#saver.saved([key], signal);
    return value;
  }

  transaction<R>(fn: () => R): R {
    return this.#writes.transact(fn, 'throw').result;
  }

  async transactionAndSave<R>(fn: () => R, { signal }: WaitOptions = {}): Promise<R> {
    this.#checkMayWait(signal);
    const room = this.#room('', signal);
    if (room !== undefined) await room;
    const { result, keys } = this.#writes.transact(fn, 'ignore');
    await this.#saver.saved(keys, signal);
    return result;
  }

  async flush({ signal }: WaitOptions = {}): Promise<boolean> {
    if (signal?.aborted === true) throw abortReason(signal);
    this.#writes.checkNoTransaction();
    if (this.#layers.unsavedCount > 0) this.#writes.checkOpen();
    return this.#trueOnceSaved(undefined, signal);
  }

  async reload({ signal }: WaitOptions = {}): Promise<void> {
    this.#checkMayWait(signal);
    await unlessAborted(this.#readAnew(this.#layers.seq, 'reload'), signal);
  }

  async close({ deadlineMs = 30_000, signal }: CloseOptions = {}): Promise<void> {
    if (signal?.aborted === true) throw abortReason(signal);
    this.#writes.checkNoTransaction();
    if (!(deadlineMs >= 0)) throw new OptionsError(`close({ deadlineMs }): expected a number of milliseconds from 0, not ${deadlineMs}.`);
    this.#writes.close();
    this.#closed ??= this.#close(Math.min(deadlineMs, 2 ** 31 - 1));
    await unlessAborted(this.#closed, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(deadlineMs: number): Promise<void> {
    const { session, settings, onClosed } = this.#config;
    const endsAt = settings.scheduler.now() + deadlineMs;
    const leftMs = (): number => Math.max(0, endsAt - settings.scheduler.now());
    const read = from(Promise.allSettled(this.#readings));
    await firstValueFrom(race(read, timer(deadlineMs, settings.scheduler)));
    const unsaved = await this.#saver.finish(leftMs());
    const closing = defer(() => session.close()).pipe(ignoreElements(), defaultIfEmpty(undefined));
    const late$ = timer(Math.max(leftMs(), RELEASE_MS), settings.scheduler).pipe(
      map(() => {
        throw new SaveError(`The provider of store ${JSON.stringify(this.name)} did not close in time.`, { outcome: 'unknown', keys: [] });
      }),
    );
    try {
      await firstValueFrom(race(closing, late$));
    } catch (error) {
      if (unsaved === undefined) throw error;
    } finally {
      this.#teller.complete();
      this.#saver.complete();
      onClosed();
    }
    if (unsaved !== undefined) throw unsaved;
  }

  /** Reads storage, and makes it the base; what is not saved up to `discardSeq` goes. */
  async #readAnew(discardSeq: number, origin: Origin): Promise<void> {
    const reading = this.#saver.betweenBatches(async () => {
      const { session, settings } = this.#config;
      const entries = new Map<string, LoadedEntry<unknown>>();
      const quarantined = new Map<string, Quarantined>();
      await loadAll(session, settings.format, {
        entry: ({ key, version, json }, value) => entries.set(key, { value, version, json }),
        quarantined: (bad) => quarantined.set(bad.key, bad),
      });
      const unsaved = this.#layers.unsavedKeys();
      const differences = this.#layers.rebase(entries, quarantined, discardSeq, settings.format.toText);
      this.#saver.discarded(discardSeq, unsaved);
      this.#writes.tellDifferences(differences, origin);
    });
    this.#readings.add(reading);
    try {
      await reading;
    } finally {
      this.#readings.delete(reading);
    }
  }

  #resync(origin: Origin): void {
    if (this.#isResyncQueued || this.#closed !== undefined) return;
    this.#isResyncQueued = true;
    queueMicrotask(() => {
      this.#isResyncQueued = false;
      if (this.#closed !== undefined) return;
      this.#readAnew(0, origin).catch((error: unknown) => {
        this.report('watch', providerFailure(error));
        // Storage is out of reach; when it is back, something is saved.
        this.saves$.pipe(take(1)).subscribe(() => this.#resync(origin));
      });
    });
  }

  async #trueOnceSaved(keys: readonly string[] | undefined, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.#saver.saved(keys, signal);
      return true;
    } catch (error) {
      if (this.#config.settings.throwOnFailure || !(error instanceof SaveError)) throw error;
      return false;
    }
  }

  #checkMayWait(signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) throw abortReason(signal);
    this.#writes.checkOpen();
    this.#writes.checkNoTransaction();
  }

  /**
   * Resolves when `withLimits` leaves room for a write of `key`; `undefined` where it does. A value that cannot be stored is
   * refused first; one that is not known yet counts nothing.
   */
  #room(key: string, signal: AbortSignal | undefined, input?: unknown): Promise<void> | undefined {
    if (!this.#limits.areBounded) return undefined;
    const { format } = this.#config.settings;
    const json = input === undefined ? '' : format.toText(format.validate(key, input));
    return this.#limits.haveRoom(key, json) ? undefined : this.#untilRoom(key, json, signal);
  }

  async #untilRoom(key: string, json: string, signal: AbortSignal | undefined): Promise<void> {
    while (!this.#limits.haveRoom(key, json)) {
      await this.#saver.progress(signal);
      this.#writes.checkOpen();
    }
  }
}
