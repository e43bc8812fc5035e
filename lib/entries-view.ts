/** The keys of those of `entries` that are visible. */
export function* visibleKeys<E>(entries: ReadonlyMap<string, E>, isVisible: (entry: E) => boolean): Generator<string, undefined> {
  for (const [key, entry] of entries) if (isVisible(entry)) yield key;
}

/** The values likewise. */
export function* visibleValues<V, E extends { readonly value: V }>(entries: ReadonlyMap<string, E>, isVisible: (entry: E) => boolean): Generator<V, undefined> {
  for (const entry of entries.values()) if (isVisible(entry)) yield entry.value;
}

/** Keys and values likewise. */
export function* visibleEntries<V, E extends { readonly value: V }>(entries: ReadonlyMap<string, E>, isVisible: (entry: E) => boolean): Generator<[string, V], undefined> {
  for (const [key, entry] of entries) if (isVisible(entry)) yield [key, entry.value];
}

/** A map of values over a map of what carries them, without a copy. */
export class EntriesView<V> implements ReadonlyMap<string, V> {
  readonly #entries: ReadonlyMap<string, { readonly value: V }>;

  constructor(entries: ReadonlyMap<string, { readonly value: V }>) {
    this.#entries = entries;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  keys(): MapIterator<string> {
    return this.#entries.keys();
  }

  *values(): MapIterator<V> {
    for (const { value } of this.#entries.values()) yield value;
  }

  *entries(): MapIterator<[string, V]> {
    for (const [key, { value }] of this.#entries) yield [key, value];
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, { value }] of this.#entries) callback(value, key, this);
  }
}
