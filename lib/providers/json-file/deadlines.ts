import { ShardedMap } from './sharded-map.ts';

/**
 * The deadline of each key that has one. They are kept as distances from the moment of opening: within three weeks of it such
 * a number fits into the map itself, where a time since 1970 takes 16 bytes more for each key.
 */
export class Deadlines {
  readonly #origin = Date.now();
  readonly #distances = new ShardedMap<number>();

  /** Stores without deadlines are spared the search. */
  #isUsed = false;

  /** Whether a key has a deadline, or had one. */
  get isUsed(): boolean {
    return this.#isUsed;
  }

  get(key: string): number | undefined {
    const distance = this.#distances.get(key);
    return distance === undefined ? undefined : distance + this.#origin;
  }

  set(key: string, expiresAt: number | undefined): void {
    if (expiresAt !== undefined) {
      this.#distances.set(key, expiresAt - this.#origin);
      this.#isUsed = true;
    } else if (this.#isUsed) {
      this.#distances.delete(key);
    }
  }

  /** Moves the deadline, never to an earlier time; a key without one is absent or stays for ever, and both it goes on to be. */
  postpone(key: string, expiresAt: number): void {
    const stored = this.get(key);
    if (stored !== undefined && stored < expiresAt) this.set(key, expiresAt);
  }

  clear(): void {
    this.#distances.clear();
  }
}
