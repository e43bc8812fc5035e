/** What a key last went through. */
export interface Logged {
  readonly seq: number;
  readonly key: string;
  readonly type: 'set' | 'delete' | 'expire';
}

interface Row extends Logged {
  /** Whether the key has not changed since, and it is not forgotten. */
  isLatest: boolean;
}

/** Rows that newer ones have replaced are dropped when they are the most, and more than a few. */
const FEW = 64;

/**
 * In which order keys were last changed, each key once: what a reader who knows all up to some `seq` has to hear is what stands
 * behind it. So it is no longer than the keys are many, however often they change, and it is bounded beyond that, but for what is held.
 */
export class ChangeLog {
  readonly #bound: number;
  readonly #latest = new Map<string, Row>();
  /** In the order of `seq`. */
  #rows: Row[] = [];
  /** Where the rows begin that are not forgotten. */
  #start = 0;
  #head = 0;
  #floor = 0;
  #clearedAt = 0;
  /** How many of the latest are of keys that are not there any more. */
  #gone = 0;
  /** Places behind which nothing is forgotten, the oldest first. */
  readonly #held = new Set<{ readonly seq: number }>();

  /** @param bound more keys are not remembered; those go that were changed longest ago. */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /** The `seq` of the last change. */
  get head(): number {
    return this.#head;
  }

  /** Who does not know all up to this `seq` cannot be told what he missed. */
  get floor(): number {
    return this.#floor;
  }

  /** The `seq` at which all was cleared last; 0: never. */
  get clearedAt(): number {
    return this.#clearedAt;
  }

  add(type: Logged['type'], key: string): void {
    const row: Row = { seq: ++this.#head, key, type, isLatest: true };
    const replaced = this.#latest.get(key);
    if (replaced !== undefined) this.#drop(replaced);
    this.#latest.set(key, row);
    if (type !== 'set') this.#gone++;
    this.#rows.push(row);
    this.forget(1);
    if (this.#rows.length > 2 * this.#latest.size + FEW) this.#compact();
  }

  /**
   * Has all keys remembered that change from now on, be it more than the bound, until the returned function is called. There are no
   * more of them than the store has; of those that are gone, which may be any number, as many again are remembered, and the bound.
   */
  hold(): () => void {
    const place = { seq: this.#head };
    this.#held.add(place);
    return () => void this.#held.delete(place);
  }

  /** Forgets the oldest of what is beyond the bound, at most so many. Returns whether there may be more. */
  forget(most: number): boolean {
    for (let count = 0; count < most; count++) if (!this.#forgetOldest()) return false;
    return true;
  }

  /** All keys were removed: that is all there is to know of what was before. */
  clear(): void {
    this.#clearedAt = ++this.#head;
    this.#floor = 0;
    this.#gone = 0;
    this.#latest.clear();
    this.#rows = [];
    this.#start = 0;
  }

  /** What changed behind `seq`, each key once, in order. To be read before the log changes again. */
  *after(seq: number): Generator<Logged, void> {
    for (let at = this.#placeAfter(seq); at < this.#rows.length; at++) {
      const row = this.#rows[at];
      if (row?.isLatest === true) yield row;
    }
  }

  #forgetOldest(): boolean {
    if (this.#latest.size <= this.#bound) return false;
    while (this.#rows[this.#start]?.isLatest === false) this.#start++;
    const row = this.#rows[this.#start];
    if (row === undefined || this.#isHeld(row)) return false;
    this.#start++;
    this.#drop(row);
    this.#latest.delete(row.key);
    this.#floor = row.seq;
    return true;
  }

  #isHeld({ seq }: Row): boolean {
    const [oldest] = this.#held;
    const areThere = this.#latest.size - this.#gone;
    return oldest !== undefined && seq > oldest.seq && this.#gone <= areThere + this.#bound;
  }

  #drop(row: Row): void {
    row.isLatest = false;
    if (row.type !== 'set') this.#gone--;
  }

  #compact(): void {
    this.#rows = this.#rows.slice(this.#start).filter(({ isLatest }) => isLatest);
    this.#start = 0;
  }

  /** By bisection: the first row behind `seq`. */
  #placeAfter(seq: number): number {
    let low = this.#start;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#rows[middle]?.seq ?? 0) > seq) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
