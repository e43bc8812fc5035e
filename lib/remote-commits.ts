import type { Quarantined } from './change.ts';
import type { Difference, Layers, LoadedEntry, Settled } from './layers.ts';
import type { Touched } from './providers/provider.ts';

/** A commit as the feed tells it, its values decoded. */
export interface RemoteCommit<V> {
  readonly version: number;
  readonly cleared: boolean;
  readonly entries: ReadonlyMap<string, LoadedEntry<V>>;
  readonly quarantined: ReadonlyMap<string, Quarantined>;
  /** What is gone, for whatever reason. */
  readonly deleted: readonly string[];
  readonly touched: readonly Touched[];
}

/** What storage has under a key: an entry, one that cannot be read, or nothing. */
interface Found<V> { readonly version: number; readonly entry?: LoadedEntry<V> | undefined; readonly quarantined?: Quarantined | undefined }

export interface RemoteCommitsConfig<V> {
  readonly layers: Layers<V>;
  readonly textOf: (value: V) => string;
  /** Whether memory is to have the key, where it has not. */
  readonly isWanted: (key: string) => boolean;
}

/**
 * Puts what others commit into the base, in the order of commits, whenever it comes: before a saved write of this process is
 * acknowledged, after it, or as its echo. What a key is known to be at a version, only a higher one changes.
 */
export class RemoteCommits<V> {
  readonly #config: RemoteCommitsConfig<V>;
  /** What has come for keys whose own write is under way: which of the two is later is known when that is acknowledged. */
  readonly #held = new Map<string, Found<V>>();
  /** The versions at which this process removed keys, until the feed has passed them: older sets of them may come yet. */
  readonly #removed = new Map<string, number>();
  /** The same in the order of versions. */
  readonly #removals: { readonly version: number; readonly keys: readonly string[] }[] = [];
  /** The version at which this process last removed all. */
  #clearedAt = 0;
  /** Up to which version the feed has told everything. */
  #passed: number;

  constructor(config: RemoteCommitsConfig<V>, version: number) {
    this.#config = config;
    this.#passed = version;
  }

  /** Returns what reads see change. */
  apply({ version, cleared, entries, quarantined, deleted, touched }: RemoteCommit<V>): Difference<V>[] {
    const differences: Difference<V>[] = [];
    if (version <= this.#passed) return differences; // it came while storage was read, and what was read has it
    if (cleared) for (const key of [...this.#config.layers.baseKeys(), ...this.#held.keys()]) if (!entries.has(key)) this.#take(key, { version }, differences);
    for (const key of deleted) this.#take(key, { version }, differences);
    for (const [key, entry] of entries) this.#take(key, { version: entry.version, entry }, differences);
    for (const [key, bad] of quarantined) this.#take(key, { version, quarantined: bad }, differences);
    for (const { key, expiresAt } of touched) this.#config.layers.prolong(key, expiresAt, differences);
    this.#pass(version);
    return differences;
  }

  /** Storage was read anew as of `version`, which is a lower one than before where it was restored. */
  readAnew(version: number): void {
    this.#removed.clear();
    this.#removals.length = 0;
    this.#clearedAt = 0;
    this.#passed = version;
  }

  /** The feed has told everything up to `version`. */
  #pass(version: number): void {
    this.#passed = Math.max(this.#passed, version);
    const due = this.#removals.findIndex((removal) => removal.version > version);
    for (const removal of this.#removals.splice(0, due === -1 ? this.#removals.length : due)) {
      for (const key of removal.keys) if (this.#removed.get(key) === removal.version) this.#removed.delete(key);
    }
  }

  /** A batch of this process was acknowledged. Returns what reads see change by what was held. */
  settled({ version, removed, isCleared }: Settled<V>): Difference<V>[] {
    if (isCleared) this.#clearedAt = version;
    if (removed.length > 0) this.#removals.push({ version, keys: removed });
    for (const key of removed) this.#removed.set(key, version);
    const differences: Difference<V>[] = [];
    const held = [...this.#held];
    this.#held.clear();
    // The echo of this batch says nothing new, and is known by the versions of its keys. That of the batch would not do: one that
    // stored nothing, such as a touch, is answered with the version of the commit before it, which is another's.
    for (const [key, found] of held) this.#take(key, found, differences);
    // Only now, as what was held is older than this batch even where the feed has told of that already.
    this.#pass(this.#passed);
    return differences;
  }

  #take(key: string, found: Found<V>, differences: Difference<V>[]): void {
    const { layers, textOf, isWanted } = this.#config;
    if (layers.isFlying(key)) {
      this.#held.set(key, found);
      return;
    }
    const known = Math.max(layers.baseVersion(key), this.#removed.get(key) ?? 0, this.#clearedAt);
    if (found.version <= known || !(layers.view.has(key) || layers.isUnsaved(key) || layers.quarantined.has(key) || isWanted(key))) return;
    layers.rebaseOne(key, found.entry ?? found.quarantined, textOf, differences);
  }
}
