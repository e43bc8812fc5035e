import { Subject, type Observable } from 'rxjs';

import { deadlineAfter, deadlineOf, hasEnded, isSlid, slidTo } from './deadline.ts';
import { DeadlineWheel } from './deadline-wheel.ts';
import { isMortal, type Entry, type Mortal } from './overlay.ts';

/** How long entries live that are given no time of their own. */
export interface Ttl {
  readonly ms: number;
  /** `sliding`: reading an entry begins its time anew. */
  readonly mode: 'sliding' | 'absolute';
}

/** A slide reaches storage when the deadline has moved by this part of its time. */
const LAZINESS = 10;

/** How long entries live: gives them deadlines, moves them, and knows whose has passed. */
export class Lifetimes<V> {
  /** Emits when something is to be done earlier than `nextAt` told. */
  readonly sooner$: Observable<undefined>;
  readonly now: () => number;
  readonly #ttl: Ttl | undefined;
  readonly #sooner = new Subject<undefined>();
  #wheel = new DeadlineWheel<Mortal<V>>();
  /** The times of those that were given one of their own, where it can begin anew. */
  #own = new WeakMap<Mortal<V>, number>();
  #hasOwn = false;
  /** Whose deadline has moved since storage was told, and what it was told. */
  #slid = new Map<Mortal<V>, number>();
  #toldAt = Infinity;
  #isUsed = false;

  constructor(now: () => number = Date.now, ttl?: Ttl) {
    this.now = now;
    this.#ttl = ttl;
    this.sooner$ = this.#sooner.asObservable();
  }

  /** Whether there are, or were, deadlines. */
  get isUsed(): boolean {
    return this.#ttl !== undefined || this.#isUsed;
  }

  get isSliding(): boolean {
    return this.#ttl?.mode === 'sliding';
  }

  /** The deadline of what is written now; `Infinity`: none. */
  deadline(ttlMs = this.#ttl?.ms ?? Infinity): number {
    return ttlMs === Infinity ? Infinity : deadlineAfter(this.now(), ttlMs); // without one, no clock is read
  }

  /** The deadline of `entry` when it is written anew and yet lives on: where deadlines slide, it begins its time anew. */
  deadlineKept(entry: Entry<V>): number {
    if (!isMortal(entry)) return Infinity;
    return this.isSliding ? Math.max(deadlineOf(entry), this.deadline(this.ownTtl(entry))) : deadlineOf(entry);
  }

  /** The time of `entry` where it is not the store's. */
  ownTtl(entry: Mortal<V>): number | undefined {
    return this.#hasOwn ? this.#own.get(entry) : undefined;
  }

  giveOwnTtl(entry: Mortal<V>, ttlMs: number | undefined): void {
    if (ttlMs === undefined) {
      if (this.#hasOwn) this.#own.delete(entry);
    } else if (this.isSliding) {
      this.#own.set(entry, ttlMs);
      this.#hasOwn = true;
    }
  }

  /** Begins the time of a live entry anew. Returns its deadline if storage should be told. */
  slide(entry: Mortal<V>, now = this.now()): number | undefined {
    const ttlMs = this.ownTtl(entry) ?? this.#ttl?.ms ?? Infinity;
    const before = deadlineOf(entry);
    const deadline = deadlineAfter(now, ttlMs);
    if (!(deadline > before) || deadline === Infinity) return undefined;
    const step = ttlMs / LAZINESS;
    if (slidTo(deadline) === deadline) {
      if (deadline - before < step) return undefined;
      entry.expiresAt = deadline;
      return deadline;
    }
    if (!isSlid(entry)) this.#slid.set(entry, before);
    // Within the same tenth it need not be looked up what storage was told.
    const isFar = Math.floor(deadline / step) !== Math.floor(before / step) && deadline - (this.#slid.get(entry) ?? before) >= step;
    if (isFar) {
      this.#slid.delete(entry);
      entry.expiresAt = deadline;
      return deadline;
    }
    entry.expiresAt = slidTo(deadline);
    return undefined;
  }

  /** Storage is told the deadline of `entry` with what is written now. */
  told(entry: Mortal<V>): void {
    if (!isSlid(entry)) return;
    this.#slid.delete(entry);
    entry.expiresAt = Math.sign(entry.expiresAt) * deadlineOf(entry); // what was counted as ended stays so
  }

  /** Storage may not have been told the deadline of `entry`. */
  untold(entry: Mortal<V>): void {
    if (isSlid(entry) || hasEnded(entry, this.now())) return;
    const expiresAt = slidTo(entry.expiresAt);
    if (expiresAt === entry.expiresAt) return;
    entry.expiresAt = expiresAt;
    this.#slid.set(entry, 0);
  }

  /** Those whose deadline storage has not been told. */
  get slid(): readonly Mortal<V>[] {
    return [...this.#slid.keys()];
  }

  /** Takes in an entry with a deadline. */
  list(entry: Mortal<V>): void {
    this.#isUsed = true;
    this.#wheel.list(entry, this.now());
    this.#tellIfSooner(deadlineOf(entry));
  }

  leave(entry: Mortal<V>): void {
    if (isSlid(entry)) this.#slid.delete(entry);
    this.#wheel.leave(entry);
  }

  /** Returns what makes `entry`, moved or gone meanwhile, as it is now. */
  restorer(entry: Mortal<V>): () => void {
    const { expiresAt } = entry;
    const { shifts } = this.#wheel;
    const savedAt = isSlid(entry) ? this.#slid.get(entry) : undefined;
    const own = this.ownTtl(entry);
    return () => {
      if (savedAt === undefined) this.#slid.delete(entry);
      else this.#slid.set(entry, savedAt);
      this.#wheel.revive(entry, expiresAt, this.now(), shifts);
      this.giveOwnTtl(entry, own);
      this.#tellIfSooner(deadlineOf(entry));
    };
  }

  /** Forgets all; returns what takes them back in. */
  clear(): () => void {
    const wheel = this.#wheel;
    const own = this.#own;
    const slid = this.#slid;
    this.#wheel = new DeadlineWheel();
    this.#own = new WeakMap();
    this.#slid = new Map();
    return () => {
      this.#wheel = wheel;
      this.#own = own;
      this.#slid = slid;
      this.#tellIfSooner(-Infinity);
    };
  }

  /** How many have ended and are not taken yet. */
  get endedCount(): number {
    return this.#wheel.isEmpty ? 0 : this.#wheel.endedCount(this.now());
  }

  /** Whether it costs nothing to tell how many have ended, as all were looked at. */
  get isCounted(): boolean {
    return !this.#wheel.hasPassed;
  }

  /** Whether there is something to do now. */
  get isDue(): boolean {
    return (this.nextAt() ?? Infinity) <= this.now();
  }

  /** Does a part of looking for what has ended. */
  work(limit: number): void {
    this.#wheel.work(this.now(), limit);
  }

  /** One that was found to have ended. It is to leave then. */
  nextEnded(): Mortal<V> | undefined {
    return this.#wheel.nextEnded();
  }

  /** When there is something to do. */
  readonly nextAt = (): number | undefined => {
    const at = this.#wheel.nextAt(this.now());
    this.#toldAt = at ?? Infinity;
    return at;
  };

  #tellIfSooner(deadline: number): void {
    if (deadline >= this.#toldAt) return;
    this.#toldAt = deadline;
    this.#sooner.next(undefined);
  }
}
