import type { Quarantined } from './change.ts';
import type { Mutation } from './mutation.ts';
import { asBase, lowest, sizeOf, storedKeys, type Base, type Clearing, type Entry, type Flight, type Overlay, type TransactionGroup } from './overlay.ts';

/** How a key looked before and after. */
export interface Difference<V> {
  readonly key: string;
  readonly before: V | undefined;
  readonly after: V | undefined;
}

export interface Savepoint {
  readonly isOutermost: boolean;
  readonly length: number;
  readonly seq: number;
}

export interface LoadedEntry<V> {
  readonly value: V;
  readonly version: number;
  readonly json: string;
}

/**
 * The two layers of a dictionary. *Base* is what storage is known to hold; the *overlay* is what this process has
 * changed and storage has not settled yet. A read sees the overlay, else the base.
 *
 * The overlay is kept in the entries, as a second map would cost another look-up a `set`. `pending` lists what the next
 * batch will hold, in order; `hidden` has the overlays of deleted keys, which no entry carries.
 */
export class Layers<V> {
  /** What reads see. */
  view = new Map<string, Entry<V>>();
  quarantined = new Map<string, Quarantined>();
  seq = 0;
  #hidden = new Map<string, Overlay<V>>();
  #pending: Overlay<V>[] = [];
  #pendingBytes = 0;
  #clearing: Clearing | undefined;
  #flight: Flight<V> | undefined;
  /** Undoes the transaction under way, last first. */
  #undo: (() => void)[] | undefined;

  /** How many mutations the next batch will hold. */
  get pendingCount(): number {
    return this.#pending.length + (this.#clearing === undefined ? 0 : 1);
  }

  /** The `index`-th mutation of the next batch. */
  pendingAt(index: number): Overlay<V> | Clearing | undefined {
    if (this.#clearing === undefined) return this.#pending[index];
    return index === 0 ? this.#clearing : this.#pending[index - 1];
  }

  /** How many mutations are not settled, those of the batch under way among them. */
  get unsavedCount(): number {
    return this.pendingCount + (this.#flight?.mutations.length ?? 0);
  }

  get unsavedBytes(): number {
    return this.#pendingBytes + (this.#flight?.bytes ?? 0);
  }

  /** The keys that storage may hold otherwise than memory does. */
  unsavedKeys(): string[] {
    const keys = new Set<string>();
    for (const clearing of [this.#flight?.cleared, this.#clearing]) for (const key of clearing?.keys() ?? []) keys.add(key);
    for (const overlay of this.#flight?.overlays ?? []) keys.add(overlay.key);
    for (const overlay of this.#pending) keys.add(overlay.key);
    return [...keys];
  }

  /** Whether a mutation of `key` would make `unsavedCount` grow. */
  isPending(key: string): boolean {
    const overlay = this.#overlayOf(key);
    return overlay !== undefined && !overlay.flying;
  }

  set(key: string, value: V, json: string, group: TransactionGroup | undefined): Entry<V> {
    const entry = this.view.get(key);
    if (entry !== undefined) {
      if (this.#undo !== undefined) this.#undoEntry(key, entry, this.#undo);
      const base = entry.overlay === undefined ? { value: entry.value, version: entry.version } : undefined;
      entry.overlay = this.#layOver(key, entry.overlay, base, value, json, group);
      entry.value = value;
      return entry;
    }
    return this.#insert(key, value, json, group);
  }

  /** Returns whether there was anything to delete, be it unreadable. */
  delete(key: string, group: TransactionGroup | undefined): boolean {
    const entry = this.view.get(key);
    if (entry === undefined) return this.quarantined.has(key) && this.#deleteQuarantined(key, group);
    if (this.#undo !== undefined) this.#undoEntry(key, entry, this.#undo);
    this.view.delete(key);
    this.#hidden.set(key, this.#layOver(key, entry.overlay, { value: entry.value, version: entry.version }, undefined, undefined, group));
    return true;
  }

  /** Returns what reads saw before, or `undefined` if storage has nothing to clear either. */
  clear(group: TransactionGroup | undefined): Map<string, Entry<V>> | undefined {
    if (this.view.size === 0 && this.quarantined.size === 0) return undefined;
    const before = { view: this.view, hidden: this.#hidden, pending: this.#pending, bytes: this.#pendingBytes, clearing: this.#clearing, quarantined: this.quarantined };
    this.#undo?.push(() => {
      this.view = before.view;
      this.#hidden = before.hidden;
      this.#pending = before.pending;
      this.#pendingBytes = before.bytes;
      this.#clearing = before.clearing;
      this.quarantined = before.quarantined;
    });
    // What was pending is stored no more; a transaction that it was part of now is part of this.
    const groups = [before.clearing?.group, ...before.pending.map((overlay) => overlay.group)];
    const joined = groups.reduce((left, right) => this.#join(left, right), group);
    this.view = new Map();
    this.#hidden = new Map();
    this.#pending = [];
    this.#pendingBytes = 0;
    this.quarantined = new Map();
    // What came after an earlier clear that is still pending never was in storage.
    this.#clearing = { seq: this.seq, group: joined, keys: before.clearing?.keys ?? (() => storedKeys(before)) };
    return before.view;
  }

  /** From here on, `rollback` undoes. Returns what to hand to `commit` or `rollback`. Nests. */
  begin(): Savepoint {
    const savepoint = { isOutermost: this.#undo === undefined, length: this.#undo?.length ?? 0, seq: this.seq };
    this.#undo ??= [];
    return savepoint;
  }

  commit(savepoint: Savepoint): void {
    if (savepoint.isOutermost) this.#undo = undefined;
  }

  /** A key that was deleted meanwhile stands last in the order of iteration afterwards. */
  rollback(savepoint: Savepoint): void {
    const undo = this.#undo ?? [];
    for (const step of undo.splice(savepoint.length).reverse()) step();
    this.seq = savepoint.seq;
    this.commit(savepoint);
  }

  /** All that is pending, as one batch; `undefined` if nothing is. One flight at a time: `settle` the one before first. */
  takeFlight(): Flight<V> | undefined {
    if (this.pendingCount === 0) return undefined;
    const numberOf = (group: TransactionGroup | undefined) => (group === undefined ? undefined : { transaction: group.root.number });
    const mutations: Mutation[] = [];
    if (this.#clearing !== undefined) mutations.push({ type: 'clear', ...numberOf(this.#clearing.group) });
    for (const overlay of this.#pending) {
      overlay.flying = true;
      const { key, json, group } = overlay;
      if (group === undefined) mutations.push(json === undefined ? { type: 'delete', key } : { type: 'set', key, json });
      else mutations.push(json === undefined ? { type: 'delete', key, ...numberOf(group) } : { type: 'set', key, json, ...numberOf(group) });
    }
    this.#flight = { seq: this.seq, mutations, overlays: this.#pending, cleared: this.#clearing, bytes: this.#pendingBytes };
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#clearing = undefined;
    return this.#flight;
  }

  /**
   * Storage has answered: what it took is base now, and what it left out shows its base again. `leftOut` has places in
   * `flight.mutations`. Returns what a read sees change.
   */
  settle(flight: Flight<V>, version: number, leftOut: ReadonlySet<number>): Difference<V>[] {
    const differences: Difference<V>[] = [];
    const first = flight.cleared === undefined ? 0 : 1;
    for (const [index, overlay] of flight.overlays.entries()) {
      if (leftOut.has(index + first)) this.#uncover(overlay, differences);
      else this.#sink(overlay, version);
    }
    this.#flight = undefined;
    return differences;
  }

  /**
   * Storage was read anew: `entries` are the base now. Overlays up to `discardSeq` go (0: all stay), the others stay above
   * it; nothing is to be discarded while a batch is under way. `textOf` gives the text of a value in memory; an entry whose text is the same keeps its value, that very object.
   * Returns what a read sees change.
   */
  rebase(entries: ReadonlyMap<string, LoadedEntry<V>>, quarantined: ReadonlyMap<string, Quarantined>, discardSeq: number, textOf: (value: V) => string): Difference<V>[] {
    this.#discard(discardSeq);
    const isHidden = this.#clearing !== undefined || this.#flight?.cleared !== undefined;
    const differences: Difference<V>[] = [];
    for (const [key, overlay] of this.#overlays()) lowest(overlay).base = isHidden ? undefined : (entries.get(key) ?? asBase(quarantined.get(key)));
    for (const [key, entry] of this.view) {
      if (entry.overlay !== undefined || (!isHidden && entries.has(key))) continue;
      this.view.delete(key);
      differences.push({ key, before: entry.value, after: undefined });
    }
    this.quarantined = new Map();
    const flying = this.#flight?.overlays ?? [];
    for (const clearing of [this.#flight?.cleared, this.#clearing]) {
      if (clearing !== undefined) clearing.keys = () => [...entries.keys(), ...quarantined.keys(), ...flying.map(({ key }) => key)];
    }
    if (isHidden) return differences;
    for (const [key, bad] of quarantined) if (this.#overlayOf(key) === undefined) this.quarantined.set(key, bad);
    for (const [key, loaded] of entries) this.#rebaseEntry(key, loaded, textOf, differences);
    return differences;
  }

  #rebaseEntry(key: string, { value, version, json }: LoadedEntry<V>, textOf: (value: V) => string, differences: Difference<V>[]): void {
    const entry = this.view.get(key);
    if (entry === undefined) {
      if (this.#hidden.has(key)) return;
      this.view.set(key, { value, version, overlay: undefined });
      differences.push({ key, before: undefined, after: value });
      return;
    }
    if (entry.overlay !== undefined) return;
    entry.version = version;
    if (textOf(entry.value) === json) return;
    differences.push({ key, before: entry.value, after: value });
    entry.value = value;
  }

  /** Takes back the pending overlays up to `seq`, leaving entries without one where there is no telling what is below. */
  #discard(seq: number): void {
    if (this.#clearing !== undefined && this.#clearing.seq <= seq) this.#clearing = undefined;
    const kept = this.#pending.filter((overlay) => overlay.seq > seq);
    for (const overlay of this.#pending) {
      if (overlay.seq > seq) continue;
      this.#hidden.delete(overlay.key);
      const entry = this.view.get(overlay.key);
      if (entry !== undefined) entry.overlay = undefined;
    }
    this.#pending = kept;
    this.#pendingBytes = kept.reduce((sum, overlay) => sum + sizeOf(overlay), 0);
  }

  #insert(key: string, value: V, json: string, group: TransactionGroup | undefined): Entry<V> {
    const below = this.#hidden.get(key);
    const quarantined = this.quarantined.get(key);
    if (this.#undo !== undefined) this.#undoInsert(key, below, quarantined, this.#undo);
    this.#hidden.delete(key);
    this.quarantined.delete(key);
    const overlay = this.#layOver(key, below, asBase(quarantined), value, json, group);
    const entry: Entry<V> = { value, version: 0, overlay };
    this.view.set(key, entry);
    return entry;
  }

  #deleteQuarantined(key: string, group: TransactionGroup | undefined): boolean {
    const quarantined = this.quarantined.get(key);
    if (this.#undo !== undefined) this.#undoInsert(key, undefined, quarantined, this.#undo);
    this.quarantined.delete(key);
    this.#hidden.set(key, this.#layOver(key, undefined, asBase(quarantined), undefined, undefined, group));
    return true;
  }

  /** The pending overlay of `key`: the one that is there, or a new one above `base` or above the one under way. */
  #layOver(key: string, present: Overlay<V> | undefined, base: Base<V>, value: V | undefined, json: string | undefined, group: TransactionGroup | undefined): Overlay<V> {
    if (present !== undefined && !present.flying) {
      this.#pendingBytes -= sizeOf(present);
      present.seq = this.seq;
      present.json = json;
      present.value = value;
      present.group = this.#join(present.group, group);
      this.#pendingBytes += sizeOf(present);
      return present;
    }
    const overlay: Overlay<V> = { key, seq: this.seq, json, value, group, flying: false, base: present === undefined ? base : undefined, under: present, over: undefined };
    if (present !== undefined) present.over = overlay;
    this.#pending.push(overlay);
    this.#pendingBytes += sizeOf(overlay);
    return overlay;
  }

  /** A saved overlay becomes base: of the overlay above it, or of the entry. */
  #sink(overlay: Overlay<V>, version: number): void {
    const { key, over, json } = overlay;
    if (over !== undefined) {
      over.under = undefined;
      over.base = json === undefined ? undefined : { value: overlay.value as V, version }; // with a text there is a value
      return;
    }
    const entry = this.view.get(key);
    if (entry?.overlay === overlay) {
      entry.overlay = undefined;
      entry.version = version;
    } else if (this.#hidden.get(key) === overlay) this.#hidden.delete(key);
  }

  /** A refused overlay goes, and its base shows again. */
  #uncover(overlay: Overlay<V>, differences: Difference<V>[]): void {
    const { key, over, base } = overlay;
    if (over !== undefined) {
      over.under = undefined;
      over.base = base;
      return;
    }
    const entry = this.view.get(key);
    if (entry?.overlay !== overlay && this.#hidden.get(key) !== overlay) return;
    const before = entry?.value;
    this.#hidden.delete(key);
    if (base !== undefined && 'value' in base) {
      if (entry === undefined) this.view.set(key, { value: base.value, version: base.version, overlay: undefined });
      else Object.assign(entry, { value: base.value, version: base.version, overlay: undefined });
      if (!Object.is(before, base.value)) differences.push({ key, before, after: base.value });
      return;
    }
    if (base !== undefined) this.quarantined.set(key, base.quarantined);
    if (entry === undefined) return;
    this.view.delete(key);
    differences.push({ key, before, after: undefined });
  }

  #overlayOf(key: string): Overlay<V> | undefined {
    return this.view.get(key)?.overlay ?? this.#hidden.get(key);
  }

  *#overlays(): Generator<[string, Overlay<V>]> {
    for (const overlay of [...(this.#flight?.overlays ?? []), ...this.#pending]) {
      const top = this.#overlayOf(overlay.key);
      if (top === overlay) yield [overlay.key, overlay];
    }
  }

  #join(left: TransactionGroup | undefined, right: TransactionGroup | undefined): TransactionGroup | undefined {
    if (left === undefined || right === undefined) return left ?? right;
    const part = left.join(right);
    if (part !== undefined) this.#undo?.push(part);
    return left;
  }

  #undoEntry(key: string, entry: Entry<V>, undo: (() => void)[]): void {
    const { value, overlay } = entry;
    const restorePending = this.#pendingRestorer(overlay);
    undo.push(() => {
      restorePending();
      this.#hidden.delete(key);
      entry.value = value;
      entry.overlay = overlay;
      this.view.set(key, entry);
    });
  }

  #undoInsert(key: string, below: Overlay<V> | undefined, quarantined: Quarantined | undefined, undo: (() => void)[]): void {
    const restorePending = this.#pendingRestorer(below);
    undo.push(() => {
      restorePending();
      this.view.delete(key);
      if (below === undefined) this.#hidden.delete(key);
      else this.#hidden.set(key, below);
      if (quarantined !== undefined) this.quarantined.set(key, quarantined);
    });
  }

  /** Undoes what `#layOver` will do to the overlay that is there. */
  #pendingRestorer(present: Overlay<V> | undefined): () => void {
    const bytes = this.#pendingBytes;
    const { length } = this.#pending;
    const state = present === undefined ? undefined : { ...present };
    return () => {
      this.#pendingBytes = bytes;
      this.#pending.length = length;
      if (present !== undefined && state !== undefined) Object.assign(present, state);
    };
  }
}
