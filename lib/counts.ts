/** How many there are of each key. */
export class Counts {
  readonly #counts = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  has(key: string): boolean {
    return this.#counts.has(key);
  }

  keys(): Iterable<string> {
    return this.#counts.keys();
  }

  add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Takes one away; returns whether it was the last. */
  remove(key: string): boolean {
    const left = (this.#counts.get(key) ?? 0) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
    return left === 0;
  }
}
