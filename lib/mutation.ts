/** What one commit does to a dictionary; the form in which changes travel from the core to a provider. */
export type Mutation = SetMutation | DeleteMutation | ClearMutation | TouchMutation | ExpireMutation;

/** Stores `json` under `key`, whatever was there. */
export interface SetMutation {
  readonly type: 'set';
  readonly key: string;
  /** The encoded value: JSON text, made once by the core. It never holds a line break outside an escape. */
  readonly json: string;
  /** Wall-clock time in milliseconds since 1970 at which the entry ends; none: it stays. */
  readonly expiresAt?: number;
  /** The version that the key must have in storage (0: the key must be absent), else the mutation is left out. */
  readonly expect?: number;
  /** Mutations that carry the same number are stored together or not at all. */
  readonly transaction?: number;
}

/** Removes `key`. */
export interface DeleteMutation {
  readonly type: 'delete';
  readonly key: string;
  /** As in {@link SetMutation}. */
  readonly expect?: number;
  readonly transaction?: number;
}

/** Removes every key. Stands first in its batch, and is one operation, not a delete a key. */
export interface ClearMutation {
  readonly type: 'clear';
  readonly transaction?: number;
}

/**
 * Moves a key's deadline to the later of the stored one and this one; no new version. An absent key stays absent, and one without
 * a deadline stays for ever: then there is nothing to do, and nothing is left out.
 */
export interface TouchMutation {
  readonly type: 'touch';
  readonly key: string;
  readonly expiresAt: number;
}

/**
 * Removes `key` if its deadline has passed by storage's clock and its version is still `version`. If it removes nothing, it is
 * left out as a `conflict`: that makes no version by itself, and harms no other mutation of the batch. So it is behind a `clear`
 * of the same commit, too.
 */
export interface ExpireMutation {
  readonly type: 'expire';
  readonly key: string;
  readonly version: number;
}

/** The mutations of one commit: one a key, a `clear` first. Never changed and never divided once it is made. */
export interface Batch {
  /** Grows by one a batch of this writer; a retry carries the same number. */
  readonly number: number;
  /** The random id of the session that writes. */
  readonly writer: string;
  readonly mutations: readonly Mutation[];
}

/** What became of a {@link Batch}. */
export interface BatchResult {
  /** The version of this commit, or the dictionary's current one if nothing was left to commit. */
  readonly version: number;
  /**
   * The mutations that are not in the commit; all others are, durably. It names each `expire` that removed nothing; a `touch` or
   * a `delete` that finds nothing to do is in the commit all the same. A batch that comes again is answered with the same.
   */
  readonly leftOut: readonly LeftOut[];
}

/** One mutation that a commit went without. */
export interface LeftOut {
  /** Its place in `batch.mutations`. */
  readonly index: number;
  /**
   * `refused`: it can never be stored. `conflict`: its `expect` did not hold, or it is an `expire` and the key is absent, has
   * another version, no deadline, or one that has not passed. The other parts of a transaction have the reason of one that failed.
   */
  readonly reason: 'refused' | 'conflict';
  /** Says why, for a person to read. */
  readonly message: string;
}
