/** What changed from one place in the log to another. */
export interface Stretch {
  /** Changes as JSON texts, joined by commas; empty if there is none that is wanted. */
  readonly text: string;
  /** How far it goes. */
  readonly upTo: number;
}

/** While nothing changes, readers of many prefixes may come, from many places: both are theirs to choose. */
const MOST_STRETCHES = 100;
const MOST_CHARACTERS = 4_000_000;
/** A longer one is of a large value, of which no second copy is to stay in memory. */
const LONG = 128_000;

/** What was told last, as readers who are at the same place are told the same: by what was asked, until something changes. */
export class ToldStretches {
  readonly #kept = new Map<string, Stretch>();
  #characters = 0;
  #long: readonly [asked: string, stretch: Stretch] | undefined;

  find(asked: string): Stretch | undefined {
    return this.#long?.[0] === asked ? this.#long[1] : this.#kept.get(asked);
  }

  add(asked: string, stretch: Stretch): void {
    const characters = asked.length + stretch.text.length;
    if (characters > LONG) {
      this.#addLong(asked, stretch);
      return;
    }
    if (this.#kept.size >= MOST_STRETCHES || this.#characters + characters > MOST_CHARACTERS) this.clear();
    this.#kept.set(asked, stretch);
    this.#characters += characters;
  }

  clear(): void {
    this.#long = undefined;
    if (this.#kept.size === 0) return; // it is asked with each change, and clearing makes a new table
    this.#kept.clear();
    this.#characters = 0;
  }

  /** Those who wait for a change are told of it in one go, and it is made once for all of them. */
  #addLong(asked: string, stretch: Stretch): void {
    const long = [asked, stretch] as const;
    this.#long = long;
    queueMicrotask(() => {
      if (this.#long === long) this.#long = undefined;
    });
  }
}
