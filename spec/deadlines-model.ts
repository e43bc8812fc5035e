import { deadlineOf } from '../lib/deadline.ts';
import type { Difference, Layers, LoadedEntry, Savepoint } from '../lib/layers.ts';
import { isMortal, TransactionGroup, type Flight } from '../lib/overlay.ts';
import { applyBatch } from '../lib/providers/apply-batch.ts';
import type { Entry } from '../lib/providers/provider.ts';

/** A value is a number that is set only once, so that it tells which `set` an entry comes from. */
interface Seen {
  readonly value: number;
  readonly deadline: number;
}

type Call =
  | { readonly type: 'set'; readonly key: string; readonly value: number; readonly deadline: number; readonly revision: number }
  | { readonly type: 'delete' | 'expire'; readonly key: string; readonly value: number; readonly revision: number }
  | { readonly type: 'clear'; readonly key: undefined; readonly revision: number };

/** What a rollback restores. */
interface State {
  readonly calls: readonly Call[];
  readonly slides: ReadonlyMap<number, number>;
  readonly told: ReadonlyMap<string, number>;
  readonly ended: ReadonlySet<number>;
}

/**
 * Layers with deadlines, done naively: storage is a table, and what a read sees is that table with the unsettled calls
 * replayed on it, as far as it has not ended. What was told of is kept beside it, as somebody who hears of every change would.
 */
export class DeadlinesModel {
  now = 1_000_000;
  /** How far the clock of storage is behind. */
  lag = 0;
  readonly #layers: Layers<number>;
  readonly #storage = new Map<string, Entry>();
  #calls: readonly Call[] = [];
  /** The latest deadline that each value slid to. */
  #slides: ReadonlyMap<number, number> = new Map();
  /** What who hears of every change believes to be there. */
  #told: ReadonlyMap<string, number> = new Map();
  /** The values whose end was told. */
  #ended: ReadonlySet<number> = new Set();
  #flight: { readonly flight: Flight<number>; readonly calls: readonly Call[]; /** Storage has taken it whole, and some of it is base already. */ isSinking: boolean } | undefined;
  readonly #open: { readonly savepoint: Savepoint; readonly state: State }[] = [];
  #group: TransactionGroup | undefined;
  #version = 0;
  #value = 0;
  #transactions = 0;
  /** Values that were hidden before storage was told how far they slid: it is unknown which deadline shows again. */
  readonly #hidden = new Set<number>();

  constructor(layers: Layers<number>) {
    this.#layers = layers;
  }

  get isInTransaction(): boolean {
    return this.#open.length > 0;
  }

  get isFlying(): boolean {
    return this.#flight !== undefined;
  }

  get isSinking(): boolean {
    return this.#flight?.isSinking === true;
  }

  get revision(): number {
    return this.#layers.revision;
  }

  get #state(): State {
    return { calls: this.#calls, slides: this.#slides, told: this.#told, ended: this.#ended };
  }

  /** Time passes; a store would be told later. */
  pass(ms: number): void {
    this.now += ms;
  }

  set(key: string, ttlMs: number): void {
    this.#endFirst(key);
    const value = ++this.#value;
    const deadline = this.#layers.lifetimes.deadline(ttlMs);
    const before = this.#layers.view.get(key);
    if (before !== undefined) this.#hidden.add(before.value);
    this.#layers.seq++;
    this.#layers.setAt(key, this.#layers.view.get(key), value, String(value), this.#group, deadline);
    this.#called({ type: 'set', key, value, deadline, revision: this.revision });
    this.#told = new Map(this.#told).set(key, value);
  }

  delete(key: string): void {
    this.#endFirst(key);
    const entry = this.#layers.view.get(key);
    if (entry === undefined) return;
    this.#hidden.add(entry.value);
    this.#layers.seq++;
    this.#layers.delete(key, this.#group);
    this.#called({ type: 'delete', key, value: entry.value, revision: this.revision });
    this.#told = without(this.#told, key);
  }

  clear(): void {
    for (const key of [...this.#layers.view.keys()]) this.#endFirst(key);
    for (const { value } of this.#layers.view.values()) this.#hidden.add(value);
    if (this.#layers.clear(this.#group) === undefined) return;
    this.#layers.seq++;
    this.#called({ type: 'clear', key: undefined, revision: this.revision });
    this.#told = new Map();
  }

  /** As `get` does. */
  slide(key: string): void {
    const entry = this.#layers.find(key);
    if (entry === undefined || !isMortal(entry)) return;
    this.#layers.slide(entry);
    const deadline = Math.max(deadlineOf(entry), this.#layers.lifetimes.deadline());
    this.#slides = new Map(this.#slides).set(entry.value, Math.max(deadline, this.#slides.get(entry.value) ?? 0));
  }

  saveSlides(): void {
    for (const entry of this.#layers.lifetimes.slid) this.#layers.touch(entry);
  }

  /** As the timer does. Returns values whose end was told before. */
  expire(limit: number): number[] {
    const { lifetimes } = this.#layers;
    const again: number[] = [];
    lifetimes.work(limit);
    for (let entry = lifetimes.nextEnded(); entry !== undefined; entry = lifetimes.nextEnded()) {
      if (this.#ended.has(entry.value)) again.push(entry.value);
      this.#end(entry.key);
    }
    return again;
  }

  begin(): void {
    this.#group ??= new TransactionGroup(++this.#transactions);
    this.#open.push({ savepoint: this.#layers.begin(), state: this.#state });
  }

  end(isRolledBack: boolean): void {
    const open = this.#open.pop();
    if (open === undefined) return;
    if (isRolledBack) {
      this.#layers.rollback(open.savepoint);
      ({ calls: this.#calls, slides: this.#slides, told: this.#told, ended: this.#ended } = open.state);
    } else this.#layers.commit(open.savepoint);
    if (this.#open.length === 0) this.#group = undefined;
  }

  take(): void {
    const flight = this.#layers.takeFlight();
    if (flight === undefined) return;
    this.#flight = { flight, calls: this.#calls, isSinking: false };
    this.#calls = [];
  }

  /** Storage takes the whole batch, and `count` of it more become base; nothing, where storage would not take all. */
  sink(count: number): void {
    const underWay = this.#flight;
    if (underWay === undefined) return;
    const { flight, isSinking } = underWay;
    const apply = (storage: Map<string, Entry>): boolean => applyBatch(storage, flight.mutations, this.#version + 1, this.now - this.lag).leftOut.length === 0;
    if (!isSinking) {
      if (!apply(new Map(this.#storage))) return;
      apply(this.#storage);
      this.#version++;
      underWay.isSinking = true;
    }
    this.#layers.sink(flight, this.#version, count);
  }

  /** Storage takes the batch but for what it refuses and the `expire`s that do not come true, and those are looked up. */
  settle(isRefused: (index: number) => boolean): void {
    if (this.#flight === undefined) return;
    const { flight, isSinking } = this.#flight;
    const transactionAt = (index: number): number | undefined => {
      const mutation = flight.mutations[index];
      return mutation !== undefined && 'transaction' in mutation ? mutation.transaction : undefined;
    };
    const refused = new Set(flight.mutations.flatMap(({ type }, index) => (!isSinking && isRefused(index) && type !== 'clear' && type !== 'expire' && type !== 'touch' && transactionAt(index) === undefined ? [index] : [])));
    const kept = flight.mutations.flatMap((_, index) => (refused.has(index) ? [] : [index]));
    const taken = flight.mutations.filter((_, index) => !refused.has(index));
    const leftOut = isSinking ? [] : applyBatch(this.#storage, taken, ++this.#version, this.now - this.lag).leftOut;
    const left = new Set([...refused, ...leftOut.map(({ index }) => kept[index] ?? -1)]);
    // What was refused needs no end.
    const texts = new Set([...refused].map((index) => (flight.mutations[index]?.type === 'set' ? flight.mutations[index].json : undefined)));
    this.#calls = this.#calls.filter((call) => call.type !== 'expire' || !texts.has(String(call.value)));
    this.#flight = undefined;
    const { differences, unexpired } = this.#layers.settle(flight, this.#version, left);
    this.#tell(differences);
    for (const { key, base } of unexpired) {
      const entry = this.#storage.get(key);
      if (entry === undefined || (entry.version === base.version && (entry.expiresAt ?? Infinity) <= this.now)) continue;
      const found: Difference<number>[] = [];
      this.#layers.rebaseEntry(key, loaded(entry), String, found);
      this.#tell(found);
    }
  }

  /** Others set, delete and prolong in storage, which is read anew then. */
  rebase(set: readonly string[], deleted: readonly string[], touched: readonly string[], ttlMs: number, discardRevision: number): void {
    const expiresAt = ttlMs === Infinity ? undefined : this.now + ttlMs;
    this.#version++;
    for (const key of deleted) this.#storage.delete(key);
    for (const key of set) {
      // A touch under way may prolong what others set meanwhile, which is known only when that is read again.
      if (this.#flight?.flight.overlays.some((overlay) => overlay.type === 'touch' && overlay.key === key)) continue;
      const json = String(++this.#value);
      this.#storage.set(key, expiresAt === undefined ? { key, json, version: this.#version } : { key, json, version: this.#version, expiresAt });
    }
    if (expiresAt !== undefined) applyBatch(this.#storage, touched.map((key) => ({ type: 'touch', key, expiresAt })), this.#version, this.now);
    if (discardRevision > 0) {
      // What slid and was hidden then has the deadline that storage has.
      const shown = new Set([...this.#layers.view.values()].map(({ value }) => value));
      this.#slides = new Map([...this.#slides].filter(([value]) => shown.has(value)));
    }
    this.#calls = this.#calls.filter(({ revision }) => revision > discardRevision);
    // A pending `expire` of what was prolonged or replaced is given up.
    const isBack = ({ type, key }: Call): boolean => type === 'expire' && (this.#storage.get(key)?.expiresAt ?? Infinity) > this.now;
    const isConditional = ({ key }: Call): boolean => this.#storage.has(key ?? '') && ![...(this.#flight?.calls ?? []), ...this.#calls].some((other) => other.key === key && other.type !== 'expire');
    if (!this.#isCleared) this.#calls = this.#calls.filter((call) => !isBack(call) || !isConditional(call) || this.#flight?.calls.some(({ key }) => key === call.key));
    this.#tell(this.#layers.rebase(new Map([...this.#storage.values()].map((entry) => [entry.key, loaded(entry)])), new Map(), discardRevision, String));
  }

  get #isCleared(): boolean {
    return [...(this.#flight?.calls ?? []), ...this.#calls].some(({ type }) => type === 'clear');
  }

  /** What a read should see. */
  get seen(): Map<string, Seen> {
    const seen = new Map<string, Seen>();
    for (const { key, json, expiresAt } of this.#storage.values()) seen.set(key, { value: Number(json), deadline: expiresAt ?? Infinity });
    for (const call of this.#flight?.calls ?? []) replay(seen, call, true);
    for (const { type, key } of this.#flight?.flight.overlays ?? []) if (type === 'expire') seen.delete(key);
    for (const call of this.#calls) replay(seen, call, false);
    const slid = [...seen].map(([key, { value, deadline }]): [string, Seen] => [key, { value, deadline: Math.max(deadline, this.#slides.get(value) ?? 0) }]);
    return new Map(slid.filter(([, { deadline }]) => deadline > this.now));
  }

  /** What who hears of every change believes. */
  get told(): ReadonlyMap<string, number> {
    return this.#told;
  }

  /** Whether it is unknown which deadline shows. */
  isUncertain(value: number): boolean {
    return this.#hidden.has(value) && this.#slides.has(value);
  }

  get stored(): ReadonlyMap<string, Entry> {
    return this.#storage;
  }

  #endFirst(key: string): void {
    const entry = this.#layers.view.get(key);
    if (entry !== undefined && !this.#layers.isVisible(entry)) this.#end(key);
  }

  #end(key: string): void {
    const entry = this.#layers.view.get(key);
    if (entry === undefined || !isMortal(entry)) throw new Error('What ends is not there.');
    this.#layers.seq++;
    this.#layers.expire(entry);
    this.#called({ type: 'expire', key, value: entry.value, revision: this.revision });
    this.#told = without(this.#told, key);
    this.#ended = new Set(this.#ended).add(entry.value);
  }

  #called(call: Call): void {
    this.#calls = [...this.#calls, call];
  }

  #tell(differences: readonly Difference<number>[]): void {
    for (const { key, before, after } of differences) {
      if (this.#told.get(key) !== before) throw new Error(`${key} is told to have been ${before}, and was ${this.#told.get(key)}.`);
      this.#told = after === undefined ? without(this.#told, key) : new Map(this.#told).set(key, after);
      if (after !== undefined) this.#ended = new Set([...this.#ended].filter((value) => value !== after));
    }
  }
}

/** An end under way hides whatever is there until it is settled. */
function replay(seen: Map<string, Seen>, call: Call, isFlying: boolean): void {
  if (call.type === 'clear') seen.clear();
  else if (call.type === 'set') seen.set(call.key, call);
  else if (call.type === 'delete' || isFlying || seen.get(call.key)?.value === call.value) seen.delete(call.key);
}

function loaded({ json, version, expiresAt }: Entry): LoadedEntry<number> {
  return expiresAt === undefined ? { value: Number(json), version, json } : { value: Number(json), version, json, expiresAt };
}

function without<V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> {
  return new Map([...map].filter(([other]) => other !== key));
}
