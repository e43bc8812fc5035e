import { CorruptDataError } from '../lib/errors.ts';
import { type Difference, type Layers, type LoadedEntry, type Savepoint } from '../lib/layers.ts';
import type { Mutation } from '../lib/mutation.ts';
import { TransactionGroup, type Flight } from '../lib/overlay.ts';

/** A value is an object, so that the same text and the same object can be told apart. */
export interface Value {
  readonly n: number;
}

/** What storage holds under a key; a bad one cannot be read. */
interface Stored {
  readonly json: string;
  readonly version: number;
  readonly isBad: boolean;
}

type Storage = ReadonlyMap<string, Stored>;

/** One call that changed something. */
interface Call {
  readonly type: 'set' | 'delete' | 'clear';
  readonly key: string;
  readonly json: string;
  /** What the layers counted with it. */
  readonly revision: number;
  /** `reload` took it back. */
  readonly isDiscarded: boolean;
}

/** Which transactions belong together: those that changed a common key, and all before a clear. */
interface Groups {
  readonly together: readonly (readonly number[])[];
  /** The transactions in what is pending of a key; of the clear under the empty string. */
  readonly ofKey: ReadonlyMap<string, readonly number[]>;
}

interface Open {
  readonly savepoint: Savepoint;
  readonly calls: readonly Call[];
  readonly groups: Groups;
}

const NO_GROUPS: Groups = { together: [], ofKey: new Map() };

export interface Expected {
  readonly view: ReadonlyMap<string, string>;
  readonly quarantined: ReadonlyMap<string, string>;
  readonly pending: readonly { readonly type: string; readonly key: string | undefined; readonly json: string | undefined; readonly group: number | undefined }[];
  readonly pendingBytes: number;
  readonly flying: readonly Mutation[];
  readonly flyingBytes: number;
  /** The keys that storage holds otherwise than memory does. */
  readonly differing: readonly string[];
  /** The keys that are on their way, or that a clear hides and storage may hold, as it once did. */
  readonly unsettled: ReadonlySet<string>;
  readonly seq: number;
}

/**
 * The layers done naively: a map of what storage holds, and a list of the calls that it has not settled. What a read
 * sees is the one with the others replayed on it.
 */
export class LayersModel {
  readonly #layers: Layers<Value>;
  #storage: Storage = new Map();
  #calls: Call[] = [];
  #groups: Groups = NO_GROUPS;
  #flight: { readonly flight: Flight<Value>; readonly calls: readonly Call[] } | undefined;
  readonly #open: Open[] = [];
  #group: TransactionGroup | undefined;
  #transactions = 0;
  #seq = 0;
  #version = 0;
  /** The version of the flight under way, where some of it is base already. */
  #sunkAt: number | undefined;
  #number = 0;
  readonly #everStored = new Set<string>();

  constructor(layers: Layers<Value>, good: readonly string[], bad: readonly string[]) {
    this.#layers = layers;
    this.#version++;
    this.#storage = this.#changedByOthers(good, [], bad);
    for (const [key, { value, version }] of this.#goodOnes()) layers.view.set(key, { value, version, overlay: undefined });
    for (const [key, quarantined] of this.#badOnes()) layers.quarantined.set(key, quarantined);
  }

  get isInTransaction(): boolean {
    return this.#open.length > 0;
  }

  get isFlying(): boolean {
    return this.#flight !== undefined;
  }

  /** Whether storage has answered, and the answer is taken in part. */
  get isSinking(): boolean {
    return this.#sunkAt !== undefined;
  }

  get revision(): number {
    return this.#layers.revision;
  }

  set(key: string): void {
    const value = { n: ++this.#number };
    this.#seq++;
    this.#layers.seq++;
    this.#layers.setAt(key, this.#layers.view.get(key), value, JSON.stringify(value), this.#group, Infinity);
    this.#called('set', key, JSON.stringify(value));
  }

  /** Sets the text that is there already, in an object of its own. */
  setSame(key: string): void {
    const present = this.#seen().get(key);
    if (present === undefined || present.isBad) return;
    this.#seq++;
    this.#layers.seq++;
    this.#layers.setAt(key, this.#layers.view.get(key), JSON.parse(present.json) as Value, present.json, this.#group, Infinity);
    this.#called('set', key, present.json);
  }

  /** Returns what the layers answered, and what they should have. */
  delete(key: string): readonly [boolean, boolean] {
    const isThere = this.#seen().has(key);
    this.#layers.seq++;
    const isDeleted = this.#layers.delete(key, this.#group);
    if (isThere) {
      this.#seq++;
      this.#called('delete', key, '');
    } else this.#layers.seq--;
    return [isDeleted, isThere];
  }

  clear(): readonly [ReadonlyMap<string, string> | undefined, ReadonlyMap<string, string> | undefined] {
    const seen = this.#seen();
    this.#layers.seq++;
    const before = this.#layers.clear(this.#group);
    if (seen.size > 0) {
      this.#seq++;
      this.#called('clear', '', '');
    } else this.#layers.seq--;
    return [before && texts(before), seen.size > 0 ? goodTexts(seen) : undefined];
  }

  begin(): void {
    this.#group ??= new TransactionGroup(++this.#transactions);
    this.#open.push({ savepoint: this.#layers.begin(), calls: [...this.#calls], groups: this.#groups });
  }

  commit(): void {
    const open = this.#open.pop();
    if (open === undefined) return;
    this.#layers.commit(open.savepoint);
    this.#endTransaction();
  }

  rollback(): void {
    const open = this.#open.pop();
    if (open === undefined) return;
    this.#layers.rollback(open.savepoint);
    this.#calls = [...open.calls];
    this.#groups = open.groups;
    this.#seq = open.savepoint.seq;
    this.#endTransaction();
  }

  /** Returns what storage holds once it has taken the flight, and what it should: what reads see at this moment. */
  takeFlight(): { readonly flight: Flight<Value> | undefined; readonly stored: ReadonlyMap<string, string>; readonly seen: ReadonlyMap<string, string> } {
    const seen = this.#seen();
    const flight = this.#layers.takeFlight();
    const stored = applied(this.#storage, flight?.mutations ?? [], new Set(), 0);
    for (const mutation of flight?.mutations ?? []) if (mutation.type !== 'clear') this.#everStored.add(mutation.key);
    if (flight !== undefined) {
      this.#flight = { flight, calls: this.#calls };
      this.#calls = [];
      this.#groups = NO_GROUPS;
    }
    return { flight, stored: allTexts(stored), seen: allTexts(seen) };
  }

  /** Storage answers that it has taken all, and `count` of it more become base. */
  sink(count: number): void {
    if (this.#flight === undefined) return;
    this.#sunkAt ??= ++this.#version;
    this.#layers.sink(this.#flight.flight, this.#sunkAt, count);
  }

  /** Storage answers, and refuses what `isRefused` says of, with the whole of its transaction. Returns the differences told and due. */
  settle(isRefused: (index: number) => boolean): readonly [ReadonlyMap<string, string>, ReadonlyMap<string, string>] {
    if (this.#flight === undefined) return [new Map(), new Map()];
    const { flight } = this.#flight;
    const refused = new Set(flight.mutations.flatMap((mutation, index) => (isRefused(index) ? [transactionOf(mutation) ?? `alone ${index}`] : [])));
    const leftOut = new Set(flight.mutations.flatMap((mutation, index) => (refused.has(transactionOf(mutation) ?? `alone ${index}`) ? [index] : [])));
    if (this.#sunkAt === undefined) this.#version++;
    this.#sunkAt = undefined;
    this.#storage = applied(this.#storage, flight.mutations, leftOut, this.#version);
    this.#flight = undefined;
    const before = valuesOf(this.#layers);
    const { differences } = this.#layers.settle(flight, this.#version, leftOut);
    // Storage kept what the clear should have removed: it must be read anew to know that.
    const isClearRefused = flight.cleared !== undefined && leftOut.has(0);
    const reread = isClearRefused ? this.#rebase(0) : [];
    return [told([...differences, ...reread]), differing(before, valuesOf(this.#layers))];
  }

  /** Others change storage, and it is read anew; what was called up to `discardRevision` goes. */
  rebase(set: readonly string[], deleted: readonly string[], bad: readonly string[], discardRevision: number): readonly [ReadonlyMap<string, string>, ReadonlyMap<string, string>] {
    this.#version++;
    this.#storage = this.#changedByOthers(set, deleted, bad);
    const kept = new Set(this.#calls.filter(({ revision }) => revision > discardRevision).map(({ key }) => key));
    this.#calls = this.#calls.map((call) => (call.revision > discardRevision ? call : { ...call, isDiscarded: true }));
    this.#groups = { ...this.#groups, ofKey: new Map([...this.#groups.ofKey].filter(([key]) => kept.has(key))) };
    const before = valuesOf(this.#layers);
    const differences = this.#rebase(discardRevision);
    return [told(differences), differing(before, valuesOf(this.#layers))];
  }

  get expected(): Expected {
    const seen = this.#seen();
    const pending = this.#pending();
    const flying = this.#flight?.flight.mutations ?? [];
    const keys = [...new Set([...seen.keys(), ...this.#storage.keys()])];
    return {
      view: goodTexts(seen),
      quarantined: badTexts(seen),
      pending,
      pendingBytes: pending.reduce((sum, { key, json }) => sum + (key?.length ?? 0) + (json?.length ?? 0), 0),
      flying,
      flyingBytes: flying.reduce((sum, mutation) => sum + (mutation.type === 'clear' ? 0 : mutation.key.length) + (mutation.type === 'set' ? mutation.json.length : 0), 0),
      differing: keys.filter((key) => seen.get(key)?.json !== this.#storage.get(key)?.json),
      unsettled: new Set([...pending, ...flying].flatMap((mutation) => ('key' in mutation && mutation.key !== undefined ? [mutation.key] : [...this.#everStored]))),
      seq: this.#seq,
    };
  }

  /** The version of each entry that nothing lies over. */
  get versions(): ReadonlyMap<string, number> {
    const versions = new Map<string, number>();
    const touched = new Set([...(this.#flight?.calls ?? []), ...this.#calls].filter(({ isDiscarded }) => !isDiscarded).map(({ key }) => key));
    for (const [key, { version, isBad }] of this.#seen()) if (!isBad && !touched.has(key)) versions.set(key, version);
    return versions;
  }

  #called(type: Call['type'], key: string, json: string): void {
    this.#calls.push({ type, key, json, revision: this.#layers.revision, isDiscarded: false });
    const { together, ofKey } = this.#groups;
    const before = type === 'clear' ? [...ofKey.values()].flat() : (ofKey.get(key) ?? []);
    const joined = this.#group === undefined ? before : [...before, this.#group.number];
    this.#groups = { together: [...together, joined], ofKey: type === 'clear' ? new Map([['', joined]]) : new Map(ofKey).set(key, joined) };
  }

  #endTransaction(): void {
    if (this.#open.length === 0) this.#group = undefined;
  }

  #rebase(discardRevision: number): Difference<Value>[] {
    return this.#layers.rebase(this.#goodOnes(), this.#badOnes(), discardRevision, (value) => JSON.stringify(value));
  }

  #seen(): Map<string, Stored> {
    const seen = new Map(this.#storage);
    for (const { type, key, json, isDiscarded } of [...(this.#flight?.calls ?? []), ...this.#calls]) {
      if (isDiscarded) continue;
      if (type === 'clear') seen.clear();
      else if (type === 'delete') seen.delete(key);
      else seen.set(key, { json, version: 0, isBad: false });
    }
    return seen;
  }

  /** A clear, and one mutation a key since then, in the order of keys. */
  #pending(): Expected['pending'] {
    const least = components(this.#groups.together);
    const groupOf = (key: string): number | undefined => least(this.#groups.ofKey.get(key)?.[0]);
    const last = this.#calls.findLastIndex(({ type }) => type === 'clear');
    const byKey = new Map<string, Call>();
    for (const call of this.#calls.slice(last + 1)) byKey.set(call.key, call);
    const clearing = this.#calls[last];
    const clear = clearing === undefined || clearing.isDiscarded ? [] : [{ type: 'clear', key: undefined, json: undefined, group: groupOf('') }];
    const kept = [...byKey.values()].filter(({ isDiscarded }) => !isDiscarded).sort(byKeyOrder);
    return [...clear, ...kept.map(({ type, key, json }) => ({ type, key, json: type === 'set' ? json : undefined, group: groupOf(key) }))];
  }

  #changedByOthers(set: readonly string[], deleted: readonly string[], bad: readonly string[]): Storage {
    const storage = new Map(this.#storage);
    for (const key of set) storage.set(key, { json: JSON.stringify({ n: ++this.#number }), version: this.#version, isBad: false });
    for (const key of deleted) storage.delete(key);
    for (const key of bad) storage.set(key, { json: `bad ${++this.#number}`, version: this.#version, isBad: true });
    for (const key of storage.keys()) this.#everStored.add(key);
    return storage;
  }

  #goodOnes(): Map<string, LoadedEntry<Value>> {
    return new Map([...this.#storage].flatMap(([key, { json, version, isBad }]) => (isBad ? [] : [[key, { value: JSON.parse(json) as Value, version, json }]])));
  }

  #badOnes(): Map<string, { key: string; json: string; error: CorruptDataError }> {
    return new Map([...this.#storage].flatMap(([key, { json, isBad }]) => (isBad ? [[key, { key, json, error: new CorruptDataError('bad') }]] : [])));
  }
}

/** A clear stands first. */
export function byKeyOrder(left: { readonly key?: string | undefined }, right: { readonly key?: string | undefined }): number {
  return (left.key ?? '') < (right.key ?? '') ? -1 : 1;
}

/** What storage holds after a commit. */
function applied(storage: Storage, mutations: readonly Mutation[], leftOut: ReadonlySet<number>, version: number): Storage {
  const after = new Map(storage);
  for (const [index, mutation] of mutations.entries()) {
    if (leftOut.has(index)) continue;
    if (mutation.type === 'clear') after.clear();
    else if (mutation.type === 'set') after.set(mutation.key, { json: mutation.json, version, isBad: false });
    else after.delete(mutation.key);
  }
  return after;
}

function transactionOf(mutation: Mutation): number | undefined {
  return 'transaction' in mutation ? mutation.transaction : undefined;
}

/** Gives the least number that a number is connected with. */
function components(neighbours: readonly (readonly number[])[]): (of: number | undefined) => number | undefined {
  const least = new Map(neighbours.flat().map((number) => [number, number]));
  for (let isDone = false; !isDone; ) {
    isDone = true;
    for (const together of neighbours) {
      const lowest = Math.min(...together.map((number) => least.get(number) ?? number));
      for (const number of together) {
        if (least.get(number) === lowest) continue;
        least.set(number, lowest);
        isDone = false;
      }
    }
  }
  return (of) => (of === undefined ? undefined : least.get(of));
}

function texts(view: ReadonlyMap<string, { readonly value: Value }>): Map<string, string> {
  return new Map([...view].map(([key, { value }]) => [key, JSON.stringify(value)]));
}

function valuesOf(layers: Layers<Value>): Map<string, Value> {
  return new Map([...layers.view].map(([key, { value }]) => [key, value]));
}

function goodTexts(storage: Storage): Map<string, string> {
  return new Map([...storage].flatMap(([key, { json, isBad }]) => (isBad ? [] : [[key, json]])));
}

function badTexts(storage: Storage): Map<string, string> {
  return new Map([...storage].flatMap(([key, { json, isBad }]) => (isBad ? [[key, json]] : [])));
}

function allTexts(storage: Storage): Map<string, string> {
  return new Map([...storage].map(([key, { json }]) => [key, json]));
}

/** Differences as text, by key; what is told of a key twice is one way in two steps. */
function told(differences: readonly Difference<Value>[]): Map<string, string> {
  const firsts = new Map([...differences].reverse().map(({ key, before }) => [key, before]));
  const lasts = new Map(differences.map(({ key, after }) => [key, after]));
  return new Map([...lasts].map(([key, after]) => [key, `${JSON.stringify(firsts.get(key))} -> ${JSON.stringify(after)}`]));
}

/** What became another object. */
function differing(before: ReadonlyMap<string, Value>, after: ReadonlyMap<string, Value>): Map<string, string> {
  const keys = [...new Set([...before.keys(), ...after.keys()])].filter((key) => before.get(key) !== after.get(key));
  return new Map(keys.map((key) => [key, `${JSON.stringify(before.get(key))} -> ${JSON.stringify(after.get(key))}`]));
}
