import type { Observable } from 'rxjs';

import { checkCallback, checkCallOptions, refusedCallback, refusedOptions } from './call-options.ts';
import type { Change, Failure, Quarantined, Save, Status } from './change.ts';
import { Dictionary, type DictionaryConfig, type Kind } from './dictionary.ts';
import { visibleEntries, visibleKeys, visibleValues } from './entries-view.ts';
import type { LoadedEntry } from './layers.ts';
import { loadAll, loadedEntry } from './loading.ts';
import type { Cursor } from './providers/provider.ts';
import type { CloseOptions, SetOptions, Store, WaitOptions } from './store.ts';

/** A dictionary that is in memory as a whole, behind its typed face. */
export class OpenStore implements Store<Record<string, unknown>> {
  readonly name: string;
  readonly dictionary: Dictionary;
  readonly changes$: Observable<Change>;
  readonly saves$: Observable<Save>;
  readonly errors$: Observable<Failure>;
  readonly size$: Observable<number>;
  readonly entries$: Observable<readonly (readonly [string, unknown])[]>;
  readonly status$: Observable<Status>;

  constructor(config: DictionaryConfig) {
    const dictionary = new Dictionary(config, { isPartial: false, entries: () => [...this.entries()], read: () => this.#read(), isWanted: () => true });
    this.name = config.name;
    this.dictionary = dictionary;
    this.changes$ = dictionary.changes$;
    this.size$ = dictionary.teller.size$;
    this.entries$ = dictionary.teller.entries$;
    this.saves$ = dictionary.saves$;
    this.errors$ = dictionary.errors$;
    this.status$ = dictionary.status$;
  }

  /** Fills the store with what is stored, once, before anybody has it. Resolves to the place read. */
  load(): Promise<Cursor> {
    const { layers, session, settings } = this.dictionary;
    layers.startOver();
    return loadAll(session, settings.format, {
      entry: (entry, value) => layers.load(entry.key, loadedEntry(entry, value)),
      quarantined: (bad) => layers.quarantined.set(bad.key, bad),
    });
  }

  /** From now on what has ended expires, and what others commit after `place` is heard of. */
  start(place: Cursor): void {
    this.dictionary.start(place);
  }

  get size(): number {
    return this.dictionary.layers.size;
  }

  get status(): Status {
    return this.dictionary.status;
  }

  get unsaved(): readonly string[] {
    return this.dictionary.unsaved;
  }

  get quarantined(): ReadonlyMap<string, Quarantined> {
    return this.dictionary.layers.quarantined;
  }

  get(key: string): unknown {
    return this.dictionary.get(key);
  }

  get$(key: string): Observable<unknown> {
    return this.dictionary.teller.value$(key);
  }

  has(key: string): boolean {
    return this.dictionary.layers.find(key) !== undefined;
  }

  has$(key: string): Observable<boolean> {
    return this.dictionary.teller.has$(key);
  }

  expiresAt(key: string): number | undefined {
    return this.dictionary.expiresAt(key);
  }

  jsonOf(key: string): string | undefined {
    const entry = this.dictionary.layers.find(key);
    if (entry === undefined) return undefined;
    const json = entry.overlay?.type === 'set' ? entry.overlay.json : undefined;
    return json ?? this.dictionary.settings.format.toText(entry.value);
  }

  keys(): IterableIterator<string> {
    const { view, isVisible } = this.dictionary.layers;
    return visibleKeys(view, isVisible);
  }

  values(): IterableIterator<unknown> {
    const { view, isVisible } = this.dictionary.layers;
    return visibleValues(view, isVisible);
  }

  entries(): IterableIterator<readonly [string, unknown]> {
    const { view, isVisible } = this.dictionary.layers;
    return visibleEntries(view, isVisible);
  }

  [Symbol.iterator](): IterableIterator<readonly [string, unknown]> {
    return this.entries();
  }

  forEach(callback: (value: unknown, key: string) => void): void {
    checkCallback('forEach', callback);
    for (const [key, value] of this.entries()) callback(value, key);
  }

  set(key: string, value: unknown, options?: SetOptions): void {
    checkCallOptions('set', 'set', options);
    this.dictionary.writes.set(key, value, { atLimit: 'throw', ttlMs: options?.ttlMs });
  }

  setAndSave(key: string, value: unknown, options?: SetOptions & WaitOptions): Promise<boolean> {
    return refusedOptions('setAndSave', 'setAndWait', options) ?? this.dictionary.waiting.set(key, value, options);
  }

  add(key: string, value: unknown, options?: SetOptions): boolean {
    checkCallOptions('add', 'set', options);
    return this.dictionary.writes.add(key, value, { atLimit: 'throw', ttlMs: options?.ttlMs });
  }

  addAndSave(key: string, value: unknown, options?: SetOptions & WaitOptions): Promise<boolean> {
    return refusedOptions('addAndSave', 'setAndWait', options) ?? this.dictionary.waiting.add(key, value, options);
  }

  delete(key: string): boolean {
    return this.dictionary.writes.delete(key, 'throw');
  }

  deleteAndSave(key: string, options?: WaitOptions): Promise<boolean> {
    return refusedOptions('deleteAndSave', 'wait', options) ?? this.dictionary.waiting.delete(key, options);
  }

  clear(): void {
    this.dictionary.writes.clear();
  }

  clearAndSave(options?: WaitOptions): Promise<boolean> {
    return refusedOptions('clearAndSave', 'wait', options) ?? this.dictionary.waiting.clear(options);
  }

  update(key: string, fn: (value: unknown) => unknown): unknown {
    checkCallback('update', fn);
    return this.dictionary.writes.update(key, fn, 'throw');
  }

  updateAndSave(key: string, fn: (value: unknown) => unknown, options?: WaitOptions): Promise<unknown> {
    return refusedCallback('updateAndSave', fn) ?? refusedOptions('updateAndSave', 'wait', options) ?? this.dictionary.waiting.update(key, fn, options);
  }

  transaction<R>(fn: () => R): R {
    checkCallback('transaction', fn);
    return this.dictionary.writes.transact(fn, 'throw').result;
  }

  transactionAndSave<R>(fn: () => R, options?: WaitOptions): Promise<R> {
    return refusedCallback('transactionAndSave', fn) ?? refusedOptions('transactionAndSave', 'wait', options) ?? this.dictionary.waiting.transaction(fn, options);
  }

  touch(key: string): boolean {
    return this.dictionary.touch(key);
  }

  flush(options?: WaitOptions): Promise<boolean> {
    return refusedOptions('flush', 'wait', options) ?? this.dictionary.flush(options);
  }

  reload(options?: WaitOptions): Promise<void> {
    return refusedOptions('reload', 'wait', options) ?? this.dictionary.reload(options);
  }

  close(options?: CloseOptions): Promise<void> {
    return refusedOptions('close', 'close', options) ?? this.dictionary.close(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  toJSON(): Record<string, unknown> {
    return Object.fromEntries(this.entries());
  }

  /** What Node's console prints: pages of what is inside are of use to nobody. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Store ${JSON.stringify(this.name)} { size: ${this.size}, state: '${this.status.state}' }`;
  }

  async #read(): ReturnType<Kind['read']> {
    const { layers, session, settings } = this.dictionary;
    const entries = new Map<string, LoadedEntry<unknown>>();
    const quarantined = new Map<string, Quarantined>();
    const place = await loadAll(session, settings.format, {
      entry: (entry, value) => entries.set(entry.key, loadedEntry(entry, value)),
      quarantined: (bad) => quarantined.set(bad.key, bad),
    });
    return { place, rebase: (discardRevision) => layers.rebase(entries, quarantined, discardRevision, settings.format.toText) };
  }
}
