import type { Quarantined } from './change.ts';
import { deadlineOf, hasEnded, inRange } from './deadline.ts';
import { Lifetimes } from './lifetimes.ts';
import type { Mutation } from './mutation.ts';
import { asBase, entryOf, hides, inOnePiece, isMortal, lowest, sizeOf, storedKeys, type Base, type Clearing, type Entry, type Flight, type Mortal, type Overlay, type Proposal, type StoredValue, type TransactionGroup } from './overlay.ts';

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

export interface LoadedEntry<V> extends StoredValue<V> {
  readonly json: string;
}

/** What a batch that is settled leaves to do. */
export interface Settled<V> {
  /** What a read sees change because storage refused something. */
  readonly differences: Difference<V>[];
  /** What a read sees change because storage accepted it. */
  readonly accepted: Difference<V>[];
  /** What should have expired, but storage knows better: by its clock the time has not come, or another process prolonged it. */
  readonly unexpired: { readonly key: string; readonly base: StoredValue<V> }[];
  readonly version: number;
  /** The keys that storage has no more by this batch. */
  readonly removed: string[];
  readonly isCleared: boolean;
}

/** What is laid over an entry or its absence. */
type Cover<V> = Pick<Overlay<V>, 'type' | 'json' | 'value' | 'expiresAt' | 'group'>;

/**
 * The two layers of a dictionary. *Base* is what storage is known to hold; the *overlay* is what this process has
 * changed and storage has not settled yet. A read sees the overlay, else the base.
 *
 * The overlay is kept in the entries, as a second map would cost another look-up a `set`. `pending` lists what the next
 * batch will hold, in order; `hidden` has the overlays of deleted keys, which no entry carries.
 */
export class Layers<V> {
  /** What reads see, and what has ended and was not told yet, which they do not. */
  view = new Map<string, Entry<V>>();
  quarantined = new Map<string, Quarantined>();
  /** Counts what is told. */
  seq = 0;
  /** Counts every mutation, also those that no read sees; by it is waited. */
  revision = 0;
  readonly lifetimes: Lifetimes<V>;
  #hidden = new Map<string, Overlay<V>>();
  #pending: Overlay<V>[] = [];
  /** What of `pending` is to be saved no more: it is taken out of it once for many, as a feed may drop thousands at a time. */
  readonly #dropped = new Set<Overlay<V>>();
  #pendingBytes = 0;
  #clearing: Clearing | undefined;
  #flight: Flight<V> | undefined;
  /** By key. */
  #proposals = new Map<string, Proposal<V>>();
  /** What has ended and was told to, though storage would not end it yet, or will not hear of it from here. */
  readonly #unexpired = new Map<string, StoredValue<V>>();
  /** Undoes the transaction under way, last first. */
  #undo: (() => void)[] | undefined;

  readonly #isReadOnly: boolean;

  /** @param isReadOnly whether storage is never to be told anything. */
  constructor(lifetimes = new Lifetimes<V>(), isReadOnly = false) {
    this.lifetimes = lifetimes;
    this.#isReadOnly = isReadOnly;
  }

  /** How many mutations the next batch will hold. */
  get pendingCount(): number {
    return this.#pending.length - this.#dropped.size + (this.#clearing === undefined ? 0 : 1);
  }

  /** The `index`-th mutation of the next batch. */
  pendingAt(index: number): Overlay<V> | Clearing | undefined {
    const pending = this.#takeOutDropped();
    if (this.#clearing === undefined) return pending[index];
    return index === 0 ? this.#clearing : pending[index - 1];
  }

  /** How many mutations are not settled, those of the batch under way among them. */
  get unsavedCount(): number {
    return this.pendingCount + this.#proposals.size + (this.#flight?.mutations.length ?? 0);
  }

  get unsavedBytes(): number {
    return this.#pendingBytes + (this.#flight?.bytes ?? 0);
  }

  /** The keys that storage may hold otherwise than memory does. */
  unsavedKeys(): string[] {
    const keys = new Set<string>();
    for (const clearing of [this.#flight?.cleared, this.#clearing]) for (const key of clearing?.keys() ?? []) keys.add(key);
    for (const { key } of [...(this.#flight?.overlays ?? []), ...this.#takeOutDropped()]) keys.add(key);
    for (const proposals of [this.#flight?.proposals, this.#proposals]) for (const key of proposals?.keys() ?? []) keys.add(key);
    return [...keys];
  }

  /** Whether a mutation of `key` would make `unsavedCount` grow. */
  isPending(key: string): boolean {
    const overlay = this.#overlayOf(key);
    return overlay !== undefined && !overlay.flying;
  }

  /** Whether anything of `key` is unsaved, be it that it is deleted. */
  isUnsaved(key: string): boolean {
    return this.#overlayOf(key) !== undefined;
  }

  /** Whether storage, whatever it has under a key that reads do not see, will not have it. */
  isKnownAbsent(key: string): boolean {
    return this.isCleared || this.#hidden.has(key) || this.view.has(key);
  }

  /** Whether everything that storage has goes. */
  get isCleared(): boolean {
    return this.#clearing !== undefined || this.#flight?.cleared !== undefined;
  }

  /** What a read sees. */
  find(key: string): Entry<V> | undefined {
    const entry = this.view.get(key);
    return entry === undefined || this.isVisible(entry) ? entry : undefined;
  }

  readonly isVisible = (entry: Entry<V>): boolean => entry.expiresAt === undefined || !hasEnded(entry, this.lifetimes.now());

  /** How many entries a read sees. */
  get size(): number {
    return this.view.size - this.lifetimes.endedCount;
  }

  /**
   * Sets `key`, under which the view has `entry`: whoever calls has looked it up already, which costs as much as all else here. To
   * be called when what has ended under it has expired. `expiresAt` of `Infinity`: it stays.
   */
  setAt(key: string, entry: Entry<V> | undefined, value: V, json: string, group: TransactionGroup | undefined, expiresAt: number): Entry<V> {
    const cover: Cover<V> = { type: 'set', json, value, group, expiresAt: expiresAt === Infinity ? undefined : expiresAt };
    if (entry === undefined) return this.#insert(key, value, cover, expiresAt);
    if (this.#undo !== undefined) this.#undoEntry(key, entry, this.#undo);
    const overlay = this.#layOver(key, entry.overlay, entry.overlay === undefined ? storedValue(entry) : undefined, cover);
    return this.#renew(key, entry, value, entry.version, overlay, expiresAt);
  }

  /** Returns whether there was anything to delete, be it unreadable, or, `ifUnknown`, be it in storage alone. */
  delete(key: string, group: TransactionGroup | undefined, ifUnknown = false): boolean {
    const entry = this.view.get(key);
    const cover = removal<V>('delete', group);
    if (entry !== undefined) this.#remove(key, entry, cover);
    else if (this.quarantined.has(key) || (ifUnknown && this.#hidden.get(key)?.type !== 'delete')) this.#deleteUnseen(key, cover);
    else return ifUnknown;
    return true;
  }

  /** Removes an entry that has ended: from storage too, unless it was prolonged there. */
  expire(entry: Mortal<V>): void {
    const { key, overlay } = entry;
    if (this.#isReadOnly) {
      this.#unexpired.set(key, storedValue(entry));
      this.#forget(key, entry);
      return;
    }
    // Nothing can have happened in storage to what has not reached it.
    const type = overlay === undefined || overlay.flying || overlay.type === 'touch' ? 'expire' : 'delete';
    this.#remove(key, entry, removal(type));
  }

  /** Begins the time of `entry` anew. Returns whether storage is to be told by that. */
  slide(entry: Mortal<V>, now = this.lifetimes.now()): boolean {
    const { expiresAt } = entry;
    const restore = this.#undo === undefined ? undefined : this.lifetimes.restorer(entry);
    const isToBeTold = this.lifetimes.slide(entry, now) !== undefined;
    if (restore !== undefined && entry.expiresAt !== expiresAt) this.#undo?.push(restore);
    if (isToBeTold) this.touch(entry);
    return isToBeTold;
  }

  /** Has storage told of the deadline of `entry`, which has moved. */
  touch(entry: Mortal<V>): void {
    const { key, value, overlay } = entry;
    const expiresAt = deadlineOf(entry);
    this.lifetimes.told(entry);
    if (overlay !== undefined && !overlay.flying) {
      const before = overlay.expiresAt;
      this.#undo?.push(() => void (overlay.expiresAt = before));
      overlay.expiresAt = expiresAt;
      return;
    }
    if (this.#undo !== undefined) this.#undoEntry(key, entry, this.#undo);
    entry.overlay = this.#layOver(key, overlay, storedValue(entry), { type: 'touch', json: undefined, value, group: undefined, expiresAt });
  }

  /**
   * Returns what reads saw before, or `undefined` if storage has nothing to clear either; with `ifUnknown` it may have what
   * memory does not know of. To be called when what has ended has expired.
   */
  clear(group: TransactionGroup | undefined, ifUnknown = false): Map<string, Entry<V>> | undefined {
    if (this.view.size === 0 && this.quarantined.size === 0 && !ifUnknown) return undefined;
    this.revision++;
    const before = { view: this.view, hidden: this.#hidden, pending: this.#takeOutDropped(), bytes: this.#pendingBytes, clearing: this.#clearing, quarantined: this.quarantined };
    const restoreLifetimes = this.lifetimes.clear();
    this.#undo?.push(() => {
      this.view = before.view;
      this.#hidden = before.hidden;
      this.#pending = before.pending;
      this.#pendingBytes = before.bytes;
      this.#clearing = before.clearing;
      this.quarantined = before.quarantined;
      restoreLifetimes();
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
    this.#clearing = { revision: this.revision, group: joined, keys: before.clearing?.keys ?? (() => storedKeys(before)) };
    return before.view;
  }

  /** From here on, `rollback` undoes. Returns what to hand to `commit` or `rollback`. Nests. */
  begin(): Savepoint {
    if (this.#undo === undefined) this.#takeOutDropped(); // as undoing remembers how many were pending
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

  /** Hands to storage, with the next batch, what it is to decide; one a key at a time. */
  propose(proposal: Omit<Proposal<V>, 'revision'>): Proposal<V> {
    const proposed = { ...proposal, revision: ++this.revision };
    this.#proposals.set(proposal.key, proposed);
    return proposed;
  }

  /** Takes back what was proposed up to `revision` and not sent yet. */
  withdrawProposals(revision = Infinity): readonly Proposal<V>[] {
    const proposals = [...this.#proposals.values()].filter((proposal) => proposal.revision <= revision);
    for (const { key } of proposals) this.#proposals.delete(key);
    return proposals;
  }

  /** What was sent, and is not decided. */
  get sentProposals(): readonly Proposal<V>[] {
    return [...(this.#flight?.proposals.values() ?? [])];
  }

  /** Whether anything is to be sent. */
  get hasPending(): boolean {
    return this.pendingCount > 0 || this.#proposals.size > 0;
  }

  /** All that is pending, as one batch; `undefined` if nothing is. One flight at a time: `settle` the one before first. */
  takeFlight(): Flight<V> | undefined {
    const proposals = this.#admitProposals();
    if (this.pendingCount === 0 && proposals.size === 0) return undefined;
    const mutations: Mutation[] = [];
    if (this.#clearing !== undefined) mutations.push({ type: 'clear', ...numberOf(this.#clearing.group) });
    for (const overlay of this.#takeOutDropped()) {
      overlay.flying = true;
      mutations.push(mutationOf(overlay));
    }
    let bytes = this.#pendingBytes;
    for (const proposal of proposals.values()) {
      const { key, json, expect, expiresAt } = proposal;
      mutations.push(expiresAt === undefined ? { type: 'set', key, json, expect } : { type: 'set', key, json, expect, expiresAt });
      bytes += sizeOf(proposal);
    }
    this.#flight = { seq: this.seq, revision: this.revision, mutations, overlays: this.#pending, cleared: this.#clearing, proposals, bytes, sunk: 0, version: 0, rest: [] };
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#clearing = undefined;
    return this.#flight;
  }

  /**
   * Storage has taken all of `flight`: what the next `count` of its overlays set is base now, ahead of `settle`, which does the rest, and
   * by which alone it is told. So all of it counts as under way until then.
   */
  sink(flight: Flight<V>, version: number, count: number): void {
    const { overlays, rest, sunk } = flight;
    flight.version = version;
    flight.sunk = Math.min(sunk + count, overlays.length);
    for (const overlay of overlays.slice(sunk, flight.sunk)) {
      if (overlay.type === 'set') this.#sink(overlay, version);
      else rest.push(overlay);
    }
  }

  /**
   * Storage has answered: what it took is base now, and what it left out shows its base again. `leftOut` has places in
   * `flight.mutations`.
   */
  settle(flight: Flight<V>, version: number, leftOut: ReadonlySet<number>): Settled<V> {
    const settled: Settled<V> = { differences: [], accepted: [], unexpired: [], version, removed: [], isCleared: flight.cleared !== undefined && !leftOut.has(0) };
    const first = flight.cleared === undefined ? 0 : 1;
    const overlays = flight.sunk === 0 ? flight.overlays : [...flight.rest, ...flight.overlays.slice(flight.sunk)];
    for (const [index, overlay] of overlays.entries()) {
      if (leftOut.size > 0 && leftOut.has(index + first)) this.#uncover(overlay, settled);
      else {
        this.#sink(overlay, version);
        if (overlay.type === 'delete' || overlay.type === 'expire') settled.removed.push(overlay.key);
      }
    }
    this.#flight = undefined;
    let place = first + flight.overlays.length;
    for (const proposal of flight.proposals.values()) if (!leftOut.has(place++)) this.#accept(proposal, version, settled.accepted);
    return settled;
  }

  /**
   * Storage was read anew: `entries` are the base now. Overlays up to `discardRevision` go (0: all stay), the others stay
   * above it; nothing is to be discarded while a batch is under way. `textOf` gives the text of a value in memory; an entry
   * whose text is the same keeps its value, that very object. Returns what a read sees change.
   */
  rebase(entries: ReadonlyMap<string, LoadedEntry<V>>, quarantined: ReadonlyMap<string, Quarantined>, discardRevision: number, textOf: (value: V) => string): Difference<V>[] {
    this.#discard(discardRevision);
    const isHidden = this.isCleared;
    const differences: Difference<V>[] = [];
    for (const key of this.#unexpired.keys()) if (!entries.has(key)) this.#unexpired.delete(key);
    for (const [key, overlay] of this.#overlays()) lowest(overlay).base = isHidden ? undefined : (entries.get(key) ?? asBase(quarantined.get(key)));
    for (const [key, entry] of this.view) {
      if (hides(entry.overlay) || (!isHidden && entries.has(key)) || !this.isVisible(entry)) continue; // what has ended is told to
      this.#forget(key, entry);
      differences.push({ key, before: entry.value, after: undefined });
    }
    this.quarantined = new Map();
    const flying = this.#flight?.overlays ?? [];
    for (const clearing of [this.#flight?.cleared, this.#clearing]) {
      if (clearing !== undefined) clearing.keys = () => [...entries.keys(), ...quarantined.keys(), ...flying.map(({ key }) => key)];
    }
    if (isHidden) return differences;
    for (const [key, bad] of quarantined) if (this.#overlayOf(key) === undefined) this.quarantined.set(key, bad);
    for (const [key, loaded] of entries) this.rebaseEntry(key, loaded, textOf, differences);
    return differences;
  }

  /** The same for some keys alone: what of them is not among `entries`, storage does not have. Nothing is discarded. */
  rebaseKeys(keys: readonly string[], entries: ReadonlyMap<string, LoadedEntry<V>>, textOf: (value: V) => string): Difference<V>[] {
    const differences: Difference<V>[] = [];
    for (const key of keys) {
      const loaded = entries.get(key);
      const entry = this.view.get(key);
      if (loaded !== undefined) this.rebaseEntry(key, loaded, textOf, differences);
      else if (entry !== undefined && !hides(entry.overlay) && this.isVisible(entry)) {
        this.#forget(key, entry);
        differences.push({ key, before: entry.value, after: undefined });
      }
    }
    return differences;
  }

  /** What storage is found to hold under one key; adds to `differences` what a read sees change. */
  rebaseEntry(key: string, loaded: LoadedEntry<V>, textOf: (value: V) => string, differences: Difference<V>[]): void {
    const entry = this.view.get(key);
    if (entry === undefined) {
      if (this.isCleared || !this.#isStillThere(key, loaded)) return;
      if (this.#endedBase(loaded) !== undefined) {
        this.expireAgain(key, loaded); // nobody has heard of it
        return;
      }
      this.load(key, loaded);
      differences.push({ key, before: undefined, after: loaded.value });
      return;
    }
    if (hides(entry.overlay)) return;
    const isSame = isEqual(entry.value, loaded, textOf);
    const before = entry.value;
    const { version, expiresAt = Infinity } = loaded;
    // What was prolonged in memory and not in storage yet is not cut short, where it is the same entry still.
    const deadline = isMortal(entry) && entry.version === version ? Math.max(deadlineOf(entry), inRange(expiresAt)) : inRange(expiresAt);
    if (!isSame && deadline <= this.lifetimes.now()) {
      this.#forget(key, entry);
      differences.push({ key, before, after: undefined });
      this.expireAgain(key, loaded);
      return;
    }
    if (entry.version !== version && entry.overlay !== undefined && !entry.overlay.flying) {
      this.#dropPending(entry.overlay); // a touch, which was meant for what was there
      entry.overlay = entry.overlay.under;
    }
    const isPut = isMortal(entry) && deadlineOf(entry) === deadline;
    const value = isSame ? before : loaded.value;
    const isInPlace = isPut || (!isMortal(entry) && expiresAt === Infinity);
    if (isInPlace) Object.assign(entry, { value, version });
    else this.#renew(key, entry, value, version, entry.overlay, expiresAt === Infinity ? Infinity : deadline);
    // What was there may have ended; that was not told yet, and is not, where there is something again.
    if (!isSame) differences.push({ key, before, after: value });
  }

  /** What storage is found to hold under one key, be it nothing; none of it is on its way there. */
  rebaseOne(key: string, found: LoadedEntry<V> | Quarantined | undefined, textOf: (value: V) => string, differences: Difference<V>[]): void {
    if (this.#clearing !== undefined) return; // which will remove it
    const overlay = this.#overlayOf(key);
    const loaded = found !== undefined && 'value' in found ? found : undefined;
    const bad = found !== undefined && !('value' in found) ? found : undefined;
    if (overlay !== undefined) lowest(overlay).base = loaded ?? asBase(bad);
    else this.quarantined.delete(key);
    if (loaded !== undefined) this.rebaseEntry(key, loaded, textOf, differences);
    else if (!hides(overlay)) {
      const entry = this.view.get(key);
      this.#unexpired.delete(key);
      if (entry !== undefined && !this.isVisible(entry)) return; // what has ended is told to
      if (bad !== undefined) this.quarantined.set(key, bad);
      if (entry === undefined) return;
      this.#forget(key, entry);
      differences.push({ key, before: entry.value, after: undefined });
    }
  }

  /** Storage is found to have moved the deadline of `key`, never to an earlier time; adds to `differences` what a read sees change. */
  prolong(key: string, expiresAt: number, differences: Difference<V>[]): void {
    const deadline = inRange(expiresAt);
    const overlay = this.#overlayOf(key);
    const entry = this.view.get(key);
    if (overlay !== undefined) {
      const { base } = lowest(overlay);
      if (base !== undefined && 'value' in base && base.expiresAt !== undefined) lowest(overlay).base = { ...base, expiresAt: Math.max(base.expiresAt, deadline) };
    } else if (entry !== undefined) {
      if (isMortal(entry) && deadline > deadlineOf(entry)) this.#renew(key, entry, entry.value, entry.version, undefined, deadline);
    } else {
      const ended = this.#unexpired.get(key);
      if (ended === undefined || deadline <= this.lifetimes.now()) return;
      this.#unexpired.delete(key);
      this.load(key, { ...ended, expiresAt: deadline });
      differences.push({ key, before: undefined, after: ended.value });
    }
  }

  /** The version of what storage is known to hold under `key`; 0 if that is nothing. */
  baseVersion(key: string): number {
    const overlay = this.#overlayOf(key);
    if (overlay === undefined || !hides(overlay)) return this.view.get(key)?.version ?? 0;
    const { base } = lowest(overlay);
    return base !== undefined && 'value' in base ? base.version : 0;
  }

  /** Whether a write of `key` is under way. */
  isFlying(key: string): boolean {
    if (this.#flight === undefined) return false;
    if (this.#flight.proposals.has(key)) return true;
    const overlay = this.#overlayOf(key);
    if (this.#flight.cleared !== undefined || (overlay !== undefined && lowest(overlay).flying)) return true;
    return this.#flight.sunk > 0 && this.baseVersion(key) === this.#flight.version;
  }

  /** The keys under which storage is known, or may be found, to hold something. */
  baseKeys(): string[] {
    return [...new Set([...this.view.keys(), ...this.#hidden.keys(), ...this.quarantined.keys(), ...this.#unexpired.keys(), ...(this.#flight?.proposals.keys() ?? [])])];
  }

  /** Nothing is known of storage: what was loaded of it was a part. To be called before anything is written. */
  startOver(): void {
    this.lifetimes.clear();
    this.view.clear();
    this.quarantined.clear();
  }

  /** An entry as storage has it, under a key that nothing is known of. */
  load(key: string, { value, version, expiresAt }: StoredValue<V>): Entry<V> {
    const entry = entryOf(key, value, version, undefined, expiresAt === undefined ? Infinity : inRange(expiresAt));
    if (this.#unexpired.size > 0) this.#unexpired.delete(key);
    this.view.set(key, entry);
    if (isMortal(entry)) this.lifetimes.list(entry);
    return entry;
  }

  /** Whether storage, as far as is known, still has `base` under `key`, which it would not end. */
  isUnexpired(key: string, base: StoredValue<V>): boolean {
    return this.#unexpired.get(key) === base;
  }

  /** Asks storage again to end what it would not. */
  expireAgain(key: string, base: StoredValue<V>): void {
    if (this.#isReadOnly) {
      this.#unexpired.set(key, base);
      return;
    }
    this.#unexpired.delete(key);
    if (this.view.has(key) || this.#overlayOf(key) !== undefined || this.quarantined.has(key)) return;
    this.#hidden.set(key, this.#layOver(key, undefined, base, removal('expire')));
  }

  /** Storage has no more what it would not end. */
  isEndedAtLast(key: string): void {
    this.#unexpired.delete(key);
  }

  /** Memory alone lets go of an entry that storage has as it is. */
  drop(key: string): void {
    const entry = this.view.get(key);
    if (entry !== undefined && entry.overlay === undefined) this.#forget(key, entry);
  }

  /** Whether what storage has under a key that reads do not see is to be seen: not if this process has removed it. */
  #isStillThere(key: string, { version, expiresAt }: LoadedEntry<V>): boolean {
    const overlay = this.#hidden.get(key);
    const isProlonged = expiresAt === undefined || expiresAt > this.lifetimes.now();
    if (overlay === undefined && !isProlonged && this.#unexpired.get(key)?.version === version) return false;
    this.#unexpired.delete(key);
    if (overlay === undefined) return true;
    if (overlay.type !== 'expire' || overlay.flying || overlay.under !== undefined || !isProlonged) return false;
    this.#hidden.delete(key);
    this.#dropPending(overlay);
    return true;
  }

  /** Takes back the pending overlays up to `revision`, leaving entries without one where there is no telling what is below. */
  #discard(revision: number): void {
    if (this.#clearing !== undefined && this.#clearing.revision <= revision) this.#clearing = undefined;
    const pending = this.#takeOutDropped();
    const kept = pending.filter((overlay) => overlay.revision > revision);
    for (const overlay of pending) {
      if (overlay.revision > revision) continue;
      this.#hidden.delete(overlay.key);
      const entry = this.view.get(overlay.key);
      if (entry === undefined) continue;
      entry.overlay = undefined;
      if (overlay.type === 'set') entry.version = 0; // value and deadline are not what storage has
      else if (isMortal(entry)) this.lifetimes.untold(entry);
    }
    this.#pending = kept;
    this.#pendingBytes = kept.reduce((sum, overlay) => sum + sizeOf(overlay), 0);
  }

  #insert(key: string, value: V, cover: Cover<V>, expiresAt: number): Entry<V> {
    const below = lookUp(this.#hidden, key);
    const quarantined = lookUp(this.quarantined, key);
    if (this.#undo !== undefined) this.#undoInsert(key, below, quarantined, this.#undo);
    if (below !== undefined) this.#hidden.delete(key);
    if (quarantined !== undefined) this.quarantined.delete(key);
    if (this.#unexpired.size > 0) this.#unexpired.delete(key);
    const overlay = this.#layOver(key, below, asBase(quarantined), cover);
    const entry = entryOf(key, value, 0, overlay, expiresAt);
    this.view.set(key, entry);
    if (isMortal(entry)) this.lifetimes.list(entry);
    return entry;
  }

  #remove(key: string, entry: Entry<V>, cover: Cover<V>): void {
    if (this.#undo !== undefined) this.#undoEntry(key, entry, this.#undo);
    const base = storedValue(entry);
    this.view.delete(key);
    if (isMortal(entry)) this.lifetimes.leave(entry);
    this.#hidden.set(key, this.#layOver(key, entry.overlay, base, cover));
  }

  #deleteUnseen(key: string, cover: Cover<V>): void {
    const below = lookUp(this.#hidden, key);
    const quarantined = lookUp(this.quarantined, key);
    if (this.#undo !== undefined) this.#undoInsert(key, below, quarantined, this.#undo);
    if (quarantined !== undefined) this.quarantined.delete(key);
    this.#hidden.set(key, this.#layOver(key, below, asBase(quarantined), cover));
  }

  /** `entry` with another value and deadline; another object where the deadline comes, goes or moves forward. */
  #renew(key: string, entry: Entry<V>, value: V, version: number, overlay: Overlay<V> | undefined, expiresAt: number): Entry<V> {
    if (isMortal(entry) ? expiresAt !== Infinity && expiresAt >= deadlineOf(entry) && entry.expiresAt > 0 : expiresAt === Infinity) {
      entry.value = value;
      entry.version = version;
      entry.overlay = overlay;
      if (!isMortal(entry)) return entry;
      this.lifetimes.told(entry);
      entry.expiresAt = expiresAt;
      return entry;
    }
    if (isMortal(entry)) this.lifetimes.leave(entry);
    const renewed = entryOf(key, value, version, overlay, expiresAt);
    this.view.set(key, renewed);
    if (isMortal(renewed)) this.lifetimes.list(renewed);
    return renewed;
  }

  /** The pending overlay of `key`: the one that is there, or a new one above `base` or above the one under way. */
  #layOver(key: string, present: Overlay<V> | undefined, base: Base<V>, { type, json, value, group, expiresAt }: Cover<V>): Overlay<V> {
    const revision = ++this.revision;
    if (present !== undefined && !present.flying) {
      this.#pendingBytes -= sizeOf(present);
      present.type = type;
      present.revision = revision;
      present.json = json;
      present.value = value;
      present.expiresAt = expiresAt;
      present.group = this.#join(present.group, group);
      this.#pendingBytes += sizeOf(present);
      return present;
    }
    // Not where it replaces one: that one may soon be replaced in its turn, and putting it together takes a tenth of a set.
    const text = json === undefined ? undefined : inOnePiece(json);
    const overlay: Overlay<V> = { key, type, revision, json: text, value, expiresAt, group, flying: false, base: present === undefined ? base : undefined, under: present, over: undefined };
    if (present !== undefined) present.over = overlay;
    this.#pending.push(overlay);
    this.#pendingBytes += sizeOf(overlay);
    return overlay;
  }

  /** A saved overlay becomes base: of the overlay above it, or of the entry. */
  #sink(overlay: Overlay<V>, version: number): void {
    const { key, over, type, expiresAt } = overlay;
    if (over !== undefined) {
      over.under = undefined;
      if (type === 'touch') over.base = overlay.base;
      else over.base = type === 'set' ? stored(overlay.value as V, version, expiresAt) : undefined; // what is set has a value
      const entry = over.type === 'touch' && type === 'set' ? this.view.get(key) : undefined;
      if (entry?.overlay === over) entry.version = version;
      return;
    }
    if (type === 'delete' || type === 'expire') {
      if (this.#hidden.get(key) === overlay) this.#hidden.delete(key);
      return;
    }
    const entry = this.view.get(key);
    if (entry?.overlay !== overlay) return;
    entry.overlay = undefined;
    if (type !== 'touch') entry.version = version;
  }

  /** Those whose key was not written here meanwhile: what they were decided on would not be what they come after. */
  #admitProposals(): ReadonlyMap<string, Proposal<V>> {
    const proposals = this.#proposals;
    this.#proposals = new Map();
    for (const [key, { resolve }] of proposals) {
      if (this.#overlayOf(key) === undefined && this.#clearing === undefined) continue;
      proposals.delete(key);
      resolve('superseded');
    }
    return proposals;
  }

  /** What storage accepted is base now. */
  #accept({ key, value, expiresAt, ownTtl }: Proposal<V>, version: number, accepted: Difference<V>[]): void {
    if (this.#clearing !== undefined) return; // which will remove it
    const overlay = this.#overlayOf(key);
    if (overlay !== undefined) lowest(overlay).base = stored(value, version, expiresAt);
    if (hides(overlay)) return; // written here since it was sent
    this.quarantined.delete(key);
    const entry = this.view.get(key);
    const before = entry !== undefined && this.isVisible(entry) ? entry.value : undefined;
    const shown = entry === undefined ? this.load(key, stored(value, version, expiresAt)) : this.#renewUnderTouch(key, entry, value, version, expiresAt ?? Infinity);
    if (isMortal(shown)) this.lifetimes.giveOwnTtl(shown, ownTtl);
    accepted.push({ key, before, after: value });
  }

  /** `entry` as storage has it now; what it was touched with since goes on, unless it stays now. */
  #renewUnderTouch(key: string, entry: Entry<V>, value: V, version: number, expiresAt: number): Entry<V> {
    const { overlay } = entry;
    if (overlay === undefined) return this.#renew(key, entry, value, version, undefined, expiresAt);
    if (expiresAt < Infinity) return this.#renew(key, entry, value, version, overlay, isMortal(entry) ? Math.max(deadlineOf(entry), expiresAt) : expiresAt);
    this.#dropPending(overlay);
    return this.#renew(key, entry, value, version, undefined, Infinity);
  }

  /** An overlay that was left out goes, and its base shows again. */
  #uncover(overlay: Overlay<V>, { differences, unexpired }: Settled<V>): void {
    const { key, over, base, type } = overlay;
    const entry = this.view.get(key);
    if (over !== undefined) {
      over.under = undefined;
      over.base = base;
      const isOfNoUse = type === 'set' && (over.type === 'touch' || (over.type === 'expire' && this.#endedBase(base) === undefined));
      if (!isOfNoUse || this.#overlayOf(key) !== over) return; // which a clear may have dropped
      this.#dropPending(over);
      if (entry === undefined) this.#hidden.set(key, overlay);
      else entry.overlay = overlay;
    }
    if (entry?.overlay !== overlay && this.#hidden.get(key) !== overlay) return;
    this.#hidden.delete(key);
    if (type === 'touch') {
      if (entry !== undefined) entry.overlay = undefined;
      return;
    }
    if (type === 'expire') {
      if (base !== undefined && 'value' in base) this.#leaveUnexpired(key, base, unexpired);
      return;
    }
    const before = entry?.value;
    const ended = this.#endedBase(base);
    if (ended !== undefined) {
      // It ended while it was hidden: nobody has to hear of it again.
      this.#leaveUnexpired(key, ended, unexpired);
      if (entry === undefined) return;
      this.#forget(key, entry);
      differences.push({ key, before, after: undefined });
      return;
    }
    if (base !== undefined && 'value' in base) {
      const shown = entry === undefined ? this.load(key, base) : this.#renew(key, entry, base.value, base.version, undefined, base.expiresAt ?? Infinity);
      if (isMortal(shown) && this.lifetimes.isSliding) this.lifetimes.untold(shown); // it may have slid before it was hidden
      if (!Object.is(before, shown.value)) differences.push({ key, before, after: shown.value });
      return;
    }
    if (base !== undefined) this.quarantined.set(key, base.quarantined);
    if (entry === undefined) return;
    this.#forget(key, entry);
    differences.push({ key, before, after: undefined });
  }

  /** `base`, if it is a value that has ended. */
  #endedBase(base: Base<V>): StoredValue<V> | undefined {
    return base !== undefined && 'value' in base && hasEnded(base, this.lifetimes.now()) ? base : undefined;
  }

  #leaveUnexpired(key: string, base: StoredValue<V>, unexpired: Settled<V>['unexpired']): void {
    this.#unexpired.set(key, base);
    unexpired.push({ key, base });
  }

  #forget(key: string, entry: Entry<V>): void {
    this.view.delete(key);
    if (isMortal(entry)) this.lifetimes.leave(entry);
    if (entry.overlay !== undefined && !entry.overlay.flying) this.#dropPending(entry.overlay);
  }

  #dropPending(overlay: Overlay<V>): void {
    if (overlay.under !== undefined) overlay.under.over = undefined; // which would else, once saved, take it for what is above
    this.#dropped.add(overlay);
    this.#pendingBytes -= sizeOf(overlay);
  }

  /** What is pending. In a transaction nothing is ever dropped, so that its undoing finds it as it was. */
  #takeOutDropped(): Overlay<V>[] {
    if (this.#dropped.size > 0) {
      this.#pending = this.#pending.filter((overlay) => !this.#dropped.has(overlay));
      this.#dropped.clear();
    }
    return this.#pending;
  }

  #overlayOf(key: string): Overlay<V> | undefined {
    return lookUp(this.#hidden, key) ?? this.view.get(key)?.overlay; // what is hidden is in no entry
  }

  *#overlays(): Generator<[string, Overlay<V>]> {
    for (const overlay of [...(this.#flight?.overlays ?? []), ...this.#takeOutDropped()]) {
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
    const { value, version, overlay } = entry;
    const restorePending = this.#pendingRestorer(overlay);
    const revive = isMortal(entry) ? this.lifetimes.restorer(entry) : undefined;
    undo.push(() => {
      restorePending();
      this.#hidden.delete(key);
      const present = this.view.get(key);
      if (present !== undefined && present !== entry && isMortal(present)) this.lifetimes.leave(present);
      entry.value = value;
      entry.version = version;
      entry.overlay = overlay;
      this.view.set(key, entry);
      revive?.();
    });
  }

  #undoInsert(key: string, below: Overlay<V> | undefined, quarantined: Quarantined | undefined, undo: (() => void)[]): void {
    const restorePending = this.#pendingRestorer(below);
    const unexpired = lookUp(this.#unexpired, key);
    undo.push(() => {
      restorePending();
      const present = this.view.get(key);
      if (present !== undefined && isMortal(present)) this.lifetimes.leave(present);
      this.view.delete(key);
      if (below === undefined) this.#hidden.delete(key);
      else this.#hidden.set(key, below);
      if (quarantined !== undefined) this.quarantined.set(key, quarantined);
      if (unexpired !== undefined) this.#unexpired.set(key, unexpired);
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

function removal<V>(type: 'delete' | 'expire', group?: TransactionGroup): Cover<V> {
  return { type, json: undefined, value: undefined, group, expiresAt: undefined };
}

/** For maps that are mostly empty: to look into an empty one takes as long as into a full one. */
function lookUp<T>(map: ReadonlyMap<string, T>, key: string): T | undefined {
  return map.size > 0 ? map.get(key) : undefined;
}

/** What storage holds of an entry that nothing but a `touch` lies over. */
function storedValue<V>({ value, version, expiresAt }: Entry<V>): StoredValue<V> {
  return stored(value, version, expiresAt === undefined ? undefined : deadlineOf({ expiresAt }));
}

function stored<V>(value: V, version: number, expiresAt: number | undefined): StoredValue<V> {
  return expiresAt === undefined ? { value, version } : { value, version, expiresAt };
}

function mutationOf<V>(overlay: Overlay<V>): Mutation {
  const { key, type, json, group, base, expiresAt } = overlay;
  if (type === 'touch') return { type, key, expiresAt: expiresAt ?? Infinity };
  // Never a plain delete: what is not known to be there may be another process's.
  if (type === 'expire') return { type, key, version: base !== undefined && 'value' in base ? base.version : 0 };
  if (json === undefined) return { type: 'delete', key, ...numberOf(group) };
  if (group === undefined) return expiresAt === undefined ? { type: 'set', key, json } : { type: 'set', key, json, expiresAt };
  return { type: 'set', key, json, ...(expiresAt === undefined ? undefined : { expiresAt }), ...numberOf(group) };
}

function numberOf(group: TransactionGroup | undefined): { readonly transaction: number } | undefined {
  return group === undefined ? undefined : { transaction: group.root.number };
}

/**
 * Whether what is in memory is what was loaded, whose text may be laid out in another way. What was changed in place, though it
 * should not be, may have no text at all.
 */
function isEqual<V>(value: V, loaded: LoadedEntry<V>, textOf: (value: V) => string): boolean {
  try {
    const text = textOf(value);
    return text === loaded.json || text === textOf(loaded.value);
  } catch {
    return false;
  }
}
