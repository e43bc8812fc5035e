import type { LeftOut } from '../mutation.ts';
import { kinds, numberAt, type PackedBatch } from './packed-batch.ts';

type Reason = LeftOut['reason'];

/** Said of an `expire` that removed nothing: to find out which of these it was would take another statement. */
const expireFailed = 'The key is absent, has another version, or its deadline has not passed.';

/** The mutations that a commit goes without: those that failed, and all others of their transactions. */
export class LeftOutMutations {
  readonly #batch: PackedBatch;
  readonly #failed = new Map<number, LeftOut>();
  readonly #failedTransactions = new Map<number, Reason>();

  constructor(batch: PackedBatch) {
    this.#batch = batch;
  }

  add(index: number, reason: Reason, message: string): void {
    this.#failed.set(index, { index, reason, message });
    const transaction = numberAt(this.#batch.transactions, index);
    if (transaction !== undefined && !this.#failedTransactions.has(transaction)) this.#failedTransactions.set(transaction, reason);
  }

  /** Adds expiries that removed nothing; they are of no transaction. */
  addUnmet(indexes: readonly number[]): void {
    for (const index of indexes) this.add(index, 'conflict', expireFailed);
  }

  has(index: number): boolean {
    if (this.#failed.size === 0) return false;
    return this.#failed.has(index) || this.#reasonOfTransaction(index) !== undefined;
  }

  get size(): number {
    return this.#failed.size;
  }

  /** The same, to go on from without a change here. */
  copy(): LeftOutMutations {
    const copy = new LeftOutMutations(this.#batch);
    for (const { index, reason, message } of this.#failed.values()) copy.add(index, reason, message);
    return copy;
  }

  list(): readonly LeftOut[] {
    if (this.#failed.size === 0) return [];
    const list: LeftOut[] = [];
    for (let index = 0; index < this.#batch.kinds.length; index++) {
      const own = this.#failed.get(index);
      const reason = this.#reasonOfTransaction(index);
      if (own !== undefined) list.push(own);
      else if (reason !== undefined) list.push({ index, reason, message: `Another mutation of its transaction is left out (${reason}).` });
    }
    return list;
  }

  #reasonOfTransaction(index: number): Reason | undefined {
    const transaction = numberAt(this.#batch.transactions, index);
    return transaction === undefined ? undefined : this.#failedTransactions.get(transaction);
  }
}

/**
 * What a commit goes without because an `expect` does not hold, beside what it goes without already: a list of its own, to be
 * added to. Conditions are about storage as the commit finds it: a `clear` of the same batch changes none.
 */
export function withConflicts(batch: PackedBatch, leftOut: LeftOutMutations, currentVersion: (key: string) => number): LeftOutMutations {
  const found = leftOut.copy();
  if (batch.versions === null) return found;
  for (const [index, kind] of batch.kinds.entries()) {
    const expected = kind === kinds.set || kind === kinds.delete ? numberAt(batch.versions, index) : undefined;
    if (expected === undefined) continue;
    const version = currentVersion(batch.keys[index] ?? '');
    if (version !== expected) found.add(index, 'conflict', describeConflict(version, expected));
  }
  return found;
}

function describeConflict(version: number, expected: number): string {
  if (expected === 0) return `The key is there already, with version ${version}.`;
  return version === 0 ? `The key is absent, and was expected with version ${expected}.` : `The key has version ${version}, and not ${expected}.`;
}
