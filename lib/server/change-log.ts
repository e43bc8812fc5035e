/** What a key last went through. */
export interface Logged {
  readonly seq: number;
  readonly key: string;
  readonly type: 'set' | 'delete' | 'expire';
}

/** Rows that newer ones have replaced are dropped when they are the most, and more than a few. */
const FEW = 64;

/**
 * In which order keys were last changed, each key once: what a reader who knows all up to some `seq` has to hear is what stands
 * behind it. So it is no longer than the keys are many, however often they change, and it is bounded beyond that.
 */
export class ChangeLog {
  readonly #bound: number;
  readonly #latest = new Map<string, Logged>();
  /** In the order of `seq`; those that are not the latest of their key are replaced. */
  #rows: Logged[] = [];
  /** Where the rows begin that are not forgotten. */
  #start = 0;
  #head = 0;
  #floor = 0;
  #clearedAt = 0;

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
    const row: Logged = { seq: ++this.#head, key, type };
    this.#latest.set(key, row);
    this.#rows.push(row);
    if (this.#latest.size > this.#bound) this.#forgetOldest();
    if (this.#rows.length > 2 * this.#latest.size + FEW) this.#compact();
  }

  /** All keys were removed: that is all there is to know of what was before. */
  clear(): void {
    this.#clearedAt = ++this.#head;
    this.#floor = 0;
    this.#latest.clear();
    this.#rows = [];
    this.#start = 0;
  }

  /** What changed behind `seq`, each key once, in order. To be read before the log changes again. */
  *after(seq: number): Generator<Logged, void> {
    for (let at = this.#placeAfter(seq); at < this.#rows.length; at++) {
      const row = this.#rows[at];
      if (row !== undefined && this.#isLatest(row)) yield row;
    }
  }

  #isLatest(row: Logged): boolean {
    return this.#latest.get(row.key) === row;
  }

  #forgetOldest(): void {
    for (;;) {
      const row = this.#rows[this.#start++];
      if (row === undefined || !this.#isLatest(row)) continue;
      this.#latest.delete(row.key);
      this.#floor = row.seq;
      return;
    }
  }

  #compact(): void {
    this.#rows = this.#rows.filter((row) => this.#isLatest(row));
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
