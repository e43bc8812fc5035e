const shards = 64;

/**
 * A map of strings in pieces. A Map that grows copies itself at once, and one of a million keys holds the event loop for 60 ms by it;
 * of these, one piece grows at a time, in a millisecond. Keys that are all alike where this looks come into one piece, and cost
 * what they would in a Map.
 */
export class ShardedMap<V> {
  readonly #shards: readonly Map<string, V>[] = Array.from({ length: shards }, () => new Map<string, V>());

  /** Nothing was ever set. A map that was never needed costs no search. */
  #isUnused = true;

  get isEmpty(): boolean {
    return this.#isUnused || this.size === 0;
  }

  get size(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.size, 0);
  }

  get(key: string): V | undefined {
    return this.#isUnused ? undefined : this.#shardOf(key)?.get(key);
  }

  has(key: string): boolean {
    return this.#shardOf(key)?.has(key) ?? false;
  }

  set(key: string, value: V): void {
    this.#isUnused = false;
    this.#shardOf(key)?.set(key, value);
  }

  delete(key: string): void {
    this.#shardOf(key)?.delete(key);
  }

  clear(): void {
    for (const shard of this.#shards) shard.clear();
  }

  /** In no order. */
  *entries(): Generator<[string, V], void> {
    for (const shard of this.#shards) yield* shard;
  }

  /** By the key's length and some of its characters: the ends of keys differ most, and a real hash would cost as much as the Map's own. */
  #shardOf(key: string): Map<string, V> | undefined {
    const { length } = key;
    const mixed = (length * 31 + key.charCodeAt(length - 1)) * 31 + key.charCodeAt(length - 2) * 7 + key.charCodeAt(length - 3) + key.charCodeAt(length >> 1);
    return this.#shards[mixed % shards] ?? this.#shards[0];
  }
}
