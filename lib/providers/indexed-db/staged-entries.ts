import type { EntryTable } from '../apply-batch.ts';
import type { Entry } from '../provider.ts';

/** A dictionary as a commit finds it, as far as it needs to know, and what the commit does to it. */
export class StagedEntries implements EntryTable {
  readonly #found: ReadonlyMap<string, Entry>;
  readonly #changes = new Map<string, Entry | undefined>();
  #size: number;
  #isCleared = false;

  /**
   * @param found the entries of the keys whose mutations depend on what is there.
   * @param size how many entries there are; to be known only where it will be cleared, and then not above 1.
   */
  constructor(found: ReadonlyMap<string, Entry>, size: number) {
    this.#found = found;
    this.#size = size;
  }

  /** Whether all that was there is to go, before the changes. */
  get isCleared(): boolean {
    return this.#isCleared;
  }

  /** By key what it is to hold; `undefined`: nothing. */
  get changes(): ReadonlyMap<string, Entry | undefined> {
    return this.#changes;
  }

  get size(): number {
    return this.#size;
  }

  get(key: string): Entry | undefined {
    if (this.#changes.has(key)) return this.#changes.get(key);
    return this.#isCleared ? undefined : this.#found.get(key);
  }

  set(key: string, entry: Entry): void {
    this.#changes.set(key, entry);
  }

  delete(key: string): boolean {
    const isThere = this.get(key) !== undefined;
    if (isThere) this.#changes.set(key, undefined);
    return isThere;
  }

  clear(): void {
    this.#isCleared = true;
    this.#changes.clear();
    this.#size = 0;
  }
}
