import type { Batch, ExpireMutation, LeftOut, Mutation } from '../../mutation.ts';
import type { Deadlines } from './deadlines.ts';
import { ShardedMap } from './sharded-map.ts';

/** What is to be written of a batch. */
export interface Decision {
  readonly stored: readonly Mutation[];
  readonly leftOut: readonly LeftOut[];
}

/**
 * What has to be known of each key to decide conditional mutations: its version and its deadline.
 *
 * The files store no version for a key. They have one owner, so a version need only hold while the store is open: what was in
 * storage when it was opened has the version that the dictionary had then (`loadedVersion`), what was written since has that of
 * its commit. So memory is spent on keys that were written since, and on keys with a deadline, and on nothing that was merely loaded.
 *
 * Whether a merely loaded key exists is not known here. It is found out from the files, once, when the first `expect` asks; from
 * then on, and from the start for a store that was empty or was cleared, the versions are complete: a key without one is absent.
 */
export class Ledger {
  readonly #versions = new ShardedMap<number>();
  readonly #deadlines: Deadlines;
  readonly #loadedVersion: number;
  #complete: boolean;
  /** Keys that were deleted since they were loaded; needed until the versions are complete, or the files no longer hold them. */
  #deleted = new Set<string>();
  #deletedBeforeFold = new Set<string>();

  constructor(loadedVersion: number, empty: boolean, deadlines: Deadlines) {
    this.#loadedVersion = loadedVersion;
    this.#complete = empty;
    this.#deadlines = deadlines;
  }

  /** The version of a key that is known to be in storage. */
  versionOf(key: string): number {
    return this.#versions.get(key) ?? this.#loadedVersion;
  }

  /** Whether the batch can only be decided once {@link complete} was called. */
  asksForMore(batch: Batch): boolean {
    return !this.#complete && batch.mutations.some(mutation => expects(mutation) && this.#knownVersion(mutation.key) === undefined);
  }

  /** Takes in keys that are in the files; to be called with all of them. */
  addLoaded(keys: Iterable<string>): void {
    for (const key of keys) {
      if (!this.#versions.has(key) && !this.#isDeleted(key)) this.#versions.set(key, this.#loadedVersion);
    }
  }

  /** From now on a key without a version is absent. */
  complete(): void {
    this.#complete = true;
    this.#deleted.clear();
    this.#deletedBeforeFold.clear();
  }

  /**
   * Decides what of the batch is stored, by what storage holds before it. A transaction is stored whole or not at all.
   * An `expire` must remove something, so that behind a `clear` it is left out.
   */
  decide({ mutations }: Batch, now: number): Decision {
    const objections = this.#objectionsTo(mutations);
    if (objections.size === 0 && !mutations.some(isExpire)) return { stored: mutations, leftOut: nothing };
    const broken = new Map<number, LeftOut['reason']>();
    for (const [index, { reason }] of objections) {
      const mutation = mutations[index];
      const transaction = mutation && transactionOf(mutation);
      if (transaction !== undefined && !broken.has(transaction)) broken.set(transaction, reason);
    }
    const stored: Mutation[] = [];
    const leftOut: LeftOut[] = [];
    let cleared = false;
    for (const [index, mutation] of mutations.entries()) {
      const transaction = transactionOf(mutation);
      const reason = transaction === undefined ? undefined : broken.get(transaction);
      const objection = objections.get(index) ?? (reason && { reason, message: 'Another part of its transaction was left out.' });
      const stays = mutation.type === 'expire' ? this.#whyItStays(mutation, now, cleared) : undefined;
      if (objection !== undefined) leftOut.push({ index, ...objection });
      else if (stays !== undefined) leftOut.push({ index, reason: 'conflict', message: stays });
      else stored.push(mutation);
      cleared ||= mutation.type === 'clear' && objection === undefined;
    }
    return { stored, leftOut };
  }

  /** By the place of the mutation. */
  #objectionsTo(mutations: readonly Mutation[]): ReadonlyMap<number, Objection> {
    const objections = new Map<number, Objection>();
    for (let index = 0; index < mutations.length; index += 1) {
      const mutation = mutations[index];
      const objection = mutation && this.#objection(mutation);
      if (objection !== undefined) objections.set(index, objection);
    }
    return objections;
  }

  #objection(mutation: Mutation): Objection | undefined {
    // A regular expression for both takes 16 times as long for 600 characters.
    if (mutation.type === 'set' && (mutation.json.includes('\n') || mutation.json.includes('\r'))) {
      return { reason: 'refused', message: 'The encoded value holds a line break, which JSON text on one line does not.' };
    }
    if (!expects(mutation)) return undefined;
    const version = this.#knownVersion(mutation.key) ?? 0;
    if (version === mutation.expect) return undefined;
    const is = version === 0 ? 'the key is absent' : `it has version ${version}`;
    return { reason: 'conflict', message: `The key was expected ${mutation.expect === 0 ? 'to be absent' : `to have version ${mutation.expect}`}, but ${is}.` };
  }

  /** Why an `expire` does not come true; undefined: it does. Whether there is a key without a deadline need not be looked up. */
  #whyItStays({ key, version }: ExpireMutation, now: number, cleared: boolean): string | undefined {
    if (cleared) return 'The key is absent.';
    const deadline = this.#deadlines.get(key);
    if (deadline === undefined) return 'The key is absent, or has no deadline.';
    if (this.versionOf(key) !== version) return 'The key has another version.';
    return deadline <= now ? undefined : 'Its deadline has not passed.';
  }

  /** Undefined where only the files know. */
  #knownVersion(key: string): number | undefined {
    const version = this.#versions.get(key);
    if (version !== undefined) return version;
    if (this.#complete || this.#isDeleted(key)) return 0;
    return this.#deadlines.get(key) === undefined ? undefined : this.#loadedVersion;
  }

  #isDeleted(key: string): boolean {
    return this.#deleted.has(key) || this.#deletedBeforeFold.has(key);
  }

  /** Takes note of what is now in storage. */
  apply(mutation: Mutation, version: number): void {
    switch (mutation.type) {
      case 'set':
        this.#versions.set(mutation.key, version);
        if (this.#deleted.size > 0) this.#deleted.delete(mutation.key);
        this.#deadlines.set(mutation.key, mutation.expiresAt);
        break;
      case 'delete':
      case 'expire':
        this.#versions.delete(mutation.key);
        if (!this.#complete) this.#deleted.add(mutation.key);
        this.#deadlines.set(mutation.key, undefined);
        break;
      case 'touch':
        this.#deadlines.postpone(mutation.key, mutation.expiresAt);
        break;
      case 'clear':
        this.#versions.clear();
        this.#deadlines.clear();
        this.complete();
    }
  }

  /** A fold begins: what was deleted until now will not be in the `.json` file that it writes. */
  foldBegins(): void {
    for (const key of this.#deleted) this.#deletedBeforeFold.add(key);
    this.#deleted = new Set();
  }

  foldEnds(): void {
    this.#deletedBeforeFold = new Set();
  }
}

type Objection = Omit<LeftOut, 'index'>;

const nothing: readonly LeftOut[] = [];

type Expecting = Extract<Mutation, { expect?: number }> & { readonly expect: number };

function expects(mutation: Mutation): mutation is Expecting {
  return (mutation.type === 'set' || mutation.type === 'delete') && mutation.expect !== undefined;
}

function isExpire(mutation: Mutation): mutation is ExpireMutation {
  return mutation.type === 'expire';
}

function transactionOf(mutation: Mutation): number | undefined {
  return mutation.type === 'touch' || mutation.type === 'expire' ? undefined : mutation.transaction;
}

