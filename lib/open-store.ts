import { defaultIfEmpty, firstValueFrom, from, ignoreElements, map, race, timer, type Observable } from 'rxjs';

import { abortReason, unlessAborted } from './aborted.ts';
import type { Change, Failure, Origin, Quarantined, Save, Status } from './change.ts';
import { CorruptDataError, InvalidValueError, LimitError, OptionsError, PersistifyError, SaveError, StoreClosedError } from './errors.ts';
import { EntriesView } from './entries-view.ts';
import { checkKey } from './key.ts';
import { Layers, TransactionGroup, type Difference, type LoadedEntry } from './layers.ts';
import { loadAll } from './loading.ts';
import type { ProviderSession } from './providers/provider.ts';
import { Saver } from './saver.ts';
import type { Settings } from './settings.ts';
import type { CloseOptions, Store, WaitOptions } from './store.ts';
import { Teller } from './teller.ts';

export interface OpenStoreConfig {
  readonly name: string;
  readonly session: ProviderSession;
  readonly writer: string;
  readonly settings: Settings;
  readonly onClosed: () => void;
}

/** What a write does that exceeds `withLimits`; one that has waited for room may exceed them by itself. */
type AtLimit = 'throw' | 'ignore';

interface Transaction {
  readonly number: number;
  readonly atLimit: AtLimit;
  readonly group: TransactionGroup;
  readonly changes: Change[];
  /** The keys that it wrote. */
  readonly keys: Set<string>;
}

const utf8 = new TextEncoder();

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
  readonly #hasLimits: boolean;
  #transaction: Transaction | undefined;
  #transactionNumber = 0;
  #isClosing = false;
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
    });
    this.#saver = new Saver({
      storeName: config.name,
      layers,
      session: config.session,
      writer: config.writer,
      settings: config.settings,
      onRefused: (differences) => this.#tellDifferences(differences, 'reload'),
      onClearRefused: () => this.#resync('reload'),
    });
    this.changes$ = this.#teller.changes$;
    this.size$ = this.#teller.size$;
    this.entries$ = this.#teller.entries$;
    this.saves$ = this.#saver.saves$;
    this.errors$ = this.#saver.errors$;
    this.status$ = this.#saver.status$;
    const { pendingKeys, pendingBytes } = config.settings.limits;
    this.#hasLimits = pendingKeys < Infinity || pendingBytes < Infinity;
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
    this.#set(key, value, 'throw');
  }

  async setAndSave(key: string, value: unknown, { signal }: WaitOptions = {}): Promise<boolean> {
    this.#checkMayWait(signal);
    const room = this.#room(key, signal, value);
    if (room !== undefined) await room; // where there is room the write is applied before this returns
    this.#set(key, value, 'ignore');
    return this.#trueOnceSaved([key], signal);
  }

  add(key: string, value: unknown): boolean {
    return this.#add(key, value, 'throw');
  }

  async addAndSave(key: string, value: unknown, { signal }: WaitOptions = {}): Promise<boolean> {
    this.#checkMayWait(signal);
    const room = this.#room(key, signal, value);
    if (room !== undefined) await room;
    const isAdded = this.#add(key, value, 'ignore');
    await this.#saver.saved([key], signal);
    return isAdded;
  }

  delete(key: string): boolean {
    return this.#delete(key, 'throw');
  }

  async deleteAndSave(key: string, { signal }: WaitOptions = {}): Promise<boolean> {
    this.#checkMayWait(signal);
    const room = this.#room(key, signal);
    if (room !== undefined) await room;
    const isDeleted = this.#delete(key, 'ignore');
    await this.#saver.saved([key], signal);
    return isDeleted;
  }

  clear(): void {
    this.#checkOpen();
    const layers = this.#layers;
    layers.seq++;
    const previous = layers.clear(this.#transaction?.group);
    if (previous === undefined) {
      layers.seq--;
      return;
    }
    for (const key of this.#transaction === undefined ? [] : previous.keys()) this.#transaction?.keys.add(key);
    if (previous.size === 0) layers.seq--;
    else if (this.#teller.isAnyHeard) this.#changed({ type: 'clear', previous: new EntriesView(previous), ...this.#stamp('local') });
    this.#announce();
  }

  async clearAndSave({ signal }: WaitOptions = {}): Promise<boolean> {
    this.#checkMayWait(signal);
    this.clear();
    return this.#trueOnceSaved(undefined, signal);
  }

  update(key: string, fn: (value: unknown) => unknown): unknown {
    return this.#update(key, fn, 'throw');
  }

  async updateAndSave(key: string, fn: (value: unknown) => unknown, { signal }: WaitOptions = {}): Promise<unknown> {
    this.#checkMayWait(signal);
    const room = this.#room(key, signal);
    if (room !== undefined) await room;
    const value = this.#update(key, fn, 'ignore');
    await this.#saver.saved([key], signal);
    return value;
  }

  transaction<R>(fn: () => R): R {
    return this.#transact(fn, 'throw').result;
  }

  async transactionAndSave<R>(fn: () => R, { signal }: WaitOptions = {}): Promise<R> {
    this.#checkMayWait(signal);
    const room = this.#room('', signal);
    if (room !== undefined) await room;
    const { result, keys } = this.#transact(fn, 'ignore');
    await this.#saver.saved(keys, signal);
    return result;
  }

  async flush({ signal }: WaitOptions = {}): Promise<boolean> {
    if (signal?.aborted === true) throw abortReason(signal);
    this.#checkNoTransaction();
    if (this.#isClosing && this.#layers.unsavedCount > 0) throw closedError(this.name);
    return this.#trueOnceSaved(undefined, signal);
  }

  async reload({ signal }: WaitOptions = {}): Promise<void> {
    this.#checkMayWait(signal);
    await unlessAborted(this.#readAnew(this.#layers.seq, 'reload'), signal);
  }

  async close({ deadlineMs = 30_000, signal }: CloseOptions = {}): Promise<void> {
    if (signal?.aborted === true) throw abortReason(signal);
    this.#checkNoTransaction();
    if (!(deadlineMs >= 0)) throw new OptionsError(`close({ deadlineMs }): expected a number of milliseconds from 0, not ${deadlineMs}.`);
    this.#isClosing = true;
    this.#closed ??= this.#close(Math.min(deadlineMs, 2 ** 31 - 1));
    await unlessAborted(this.#closed, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(deadlineMs: number): Promise<void> {
    const { session, settings, onClosed } = this.#config;
    const deadline$ = timer(deadlineMs, settings.scheduler);
    const read = from(Promise.allSettled(this.#readings));
    await firstValueFrom(race(read, deadline$));
    const unsaved = await this.#saver.finish(deadlineMs);
    const closing = from(session.close()).pipe(ignoreElements(), defaultIfEmpty(undefined));
    const late$ = timer(Math.max(deadlineMs, 1_000), settings.scheduler).pipe(
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

  #add(key: string, value: unknown, atLimit: AtLimit): boolean {
    this.#checkReadable(key);
    if (this.has(key)) return false;
    this.#set(key, value, atLimit);
    return true;
  }

  #update(key: string, fn: (value: unknown) => unknown, atLimit: AtLimit): unknown {
    this.#checkOpen();
    this.#checkReadable(key);
    const value = fn(this.get(key));
    if (value !== undefined) this.#set(key, value, atLimit);
    return this.get(key);
  }

  #set(key: string, input: unknown, atLimit: AtLimit): void {
    this.#checkOpen();
    const layers = this.#layers;
    const present = layers.view.get(key);
    if (present === undefined) checkKey(key); // what is there was checked when it came
    const { format } = this.#config.settings;
    const value = format.validate(key, input);
    const json = format.toText(value);
    this.#checkStorable(key, json);
    if (this.#hasLimits && atLimit === 'throw') this.#checkRoom(key, json);
    const previous = present?.value;
    layers.seq++;
    layers.set(key, value, json, this.#transaction?.group);
    this.#transaction?.keys.add(key);
    if (this.#teller.isHeard(key)) {
      // Written out, as two spreads would cost as much as telling it.
      if (this.#transaction === undefined) this.#teller.tell({ type: 'set', key, value, previous, seq: layers.seq, origin: 'local' }, layers.view.size);
      else this.#changed({ type: 'set', key, value, previous, ...this.#stamp('local') });
    }
    this.#announce();
  }

  #delete(key: string, atLimit: AtLimit): boolean {
    this.#checkOpen();
    const layers = this.#layers;
    const present = layers.view.get(key);
    if (present === undefined) checkKey(key);
    if (this.#hasLimits && atLimit === 'throw') this.#checkRoom(key, '');
    layers.seq++;
    const isDeleted = layers.delete(key, this.#transaction?.group);
    if (present === undefined) layers.seq--; // reads see no change
    else if (this.#teller.isHeard(key)) this.#changed({ type: 'delete', key, previous: present.value, ...this.#stamp('local') });
    if (!isDeleted) return false;
    this.#transaction?.keys.add(key);
    this.#announce();
    return true;
  }

  #transact<R>(fn: () => R, atLimit: AtLimit): { readonly result: R; readonly keys: readonly string[] } {
    this.#checkOpen();
    const outer = this.#transaction;
    const transaction = outer ?? this.#newTransaction(atLimit);
    const told = transaction.changes.length;
    this.#transaction = transaction;
    const savepoint = this.#layers.begin();
    let result: R;
    try {
      result = fn();
      if (isPromise(result)) throw new OptionsError('transaction(fn): fn returned a promise, but nothing is awaited in a transaction; its writes were undone. Await first, then write in a synchronous fn.');
    } catch (error) {
      this.#layers.rollback(savepoint);
      transaction.changes.length = told;
      throw error;
    } finally {
      this.#transaction = outer;
    }
    this.#layers.commit(savepoint);
    if (outer === undefined) this.#tellTransaction(transaction);
    return { result, keys: [...transaction.keys] };
  }

  #newTransaction(atLimit: AtLimit): Transaction {
    const number = ++this.#transactionNumber;
    return { number, atLimit, group: new TransactionGroup(number), changes: [], keys: new Set() };
  }

  #tellTransaction({ changes }: Transaction): void {
    for (const [index, change] of changes.entries()) this.#teller.tell(change, index === changes.length - 1 ? this.size : undefined);
    this.#announce();
  }

  #stamp(origin: Origin): { seq: number; origin: Origin; transaction?: number } {
    const { seq } = this.#layers;
    return this.#transaction === undefined ? { seq, origin } : { seq, origin, transaction: this.#transaction.number };
  }

  #changed(change: Change): void {
    if (this.#transaction === undefined) this.#teller.tell(change, this.size);
    else this.#transaction.changes.push(change);
  }

  #announce(): void {
    if (this.#transaction === undefined) this.#saver.announce();
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
      this.#tellDifferences(differences, origin);
    });
    this.#readings.add(reading);
    try {
      await reading;
    } finally {
      this.#readings.delete(reading);
    }
  }

  #resync(origin: Origin): void {
    if (this.#isResyncQueued || this.#isClosing) return;
    this.#isResyncQueued = true;
    queueMicrotask(() => {
      this.#isResyncQueued = false;
      this.#readAnew(0, origin).catch((error: unknown) => {
        if (error instanceof PersistifyError) this.report('watch', error);
        else throw error;
      });
    });
  }

  #tellDifferences(differences: readonly Difference<unknown>[], origin: Origin): void {
    for (const { key, before, after } of differences) {
      this.#layers.seq++;
      if (!this.#teller.isHeard(key)) continue;
      if (after !== undefined) this.#changed({ type: 'set', key, value: after, previous: before, ...this.#stamp(origin) });
      else this.#changed({ type: 'delete', key, previous: before, ...this.#stamp(origin) });
    }
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

  #checkOpen(): void {
    if (this.#isClosing) throw closedError(this.name);
  }

  #checkNoTransaction(): void {
    if (this.#transaction !== undefined) throw new OptionsError('Nothing can be waited for inside a transaction: use the plain write, and transactionAndSave around it.');
  }

  #checkMayWait(signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) throw abortReason(signal);
    this.#checkOpen();
    this.#checkNoTransaction();
  }

  #checkReadable(key: string): void {
    const bad = this.#layers.quarantined.get(key);
    if (bad === undefined) return;
    throw new CorruptDataError(`What is stored under ${JSON.stringify(key)} cannot be read (${bad.error.message}), so there is nothing to decide on: set or delete it.`, { key, cause: bad.error });
  }

  #checkStorable(key: string, json: string): void {
    const { maxValueBytes, accepts } = this.#config.session.capabilities;
    if (maxValueBytes !== undefined && json.length * 3 > maxValueBytes) {
      const bytes = utf8.encode(json).length;
      if (bytes > maxValueBytes) throw new InvalidValueError(`The value for ${JSON.stringify(key)} takes ${bytes} bytes as JSON; this storage holds at most ${maxValueBytes}. Split it over several keys.`, '');
    }
    const objection = accepts?.(json);
    if (objection !== undefined) throw new InvalidValueError(`This storage cannot hold the value for ${JSON.stringify(key)}: ${objection}`, '');
  }

  #checkRoom(key: string, json: string): void {
    if (this.#transaction?.atLimit === 'ignore' || this.#hasRoom(key, json)) return;
    const { pendingKeys, pendingBytes } = this.#config.settings.limits;
    throw new LimitError(`Too much is unsaved: withLimits allows ${pendingKeys} keys and ${pendingBytes} bytes. Wait with setAndSave or flush, or write less.`);
  }

  #hasRoom(key: string, json: string): boolean {
    const layers = this.#layers;
    const { pendingKeys, pendingBytes } = this.#config.settings.limits;
    if (layers.unsavedCount === 0) return true; // a value above the limit by itself would wait for ever
    const growth = layers.isPending(key) ? 0 : 1;
    return layers.unsavedCount + growth <= pendingKeys && layers.unsavedBytes + key.length + json.length <= pendingBytes;
  }

  /**
   * Resolves when `withLimits` leaves room for a write of `key`; `undefined` where it does. A value that cannot be stored is
   * refused first; one that is not known yet counts nothing.
   */
  #room(key: string, signal: AbortSignal | undefined, input?: unknown): Promise<void> | undefined {
    if (!this.#hasLimits) return undefined;
    const { format } = this.#config.settings;
    const json = input === undefined ? '' : format.toText(format.validate(key, input));
    return this.#hasRoom(key, json) ? undefined : this.#untilRoom(key, json, signal);
  }

  async #untilRoom(key: string, json: string, signal: AbortSignal | undefined): Promise<void> {
    while (!this.#hasRoom(key, json)) {
      await this.#saver.progress(signal);
      this.#checkOpen();
    }
  }
}

function closedError(name: string): StoreClosedError {
  return new StoreClosedError(`The store ${JSON.stringify(name)} is closed. Open it again with open(${JSON.stringify(name)}).`);
}

function isPromise(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
