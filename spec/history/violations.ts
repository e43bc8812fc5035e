/** What must not be, each with what it means. */
export const violationKinds = {
  lost: 'an acknowledged write is not in storage',
  twice: 'a write was applied twice',
  phantom: 'storage or an observer has what nobody wrote there',
  order: 'an observer heard of versions of a key out of order',
  gap: 'what an observer heard does not add up',
  hidden: 'a remote change was told over an own one that was not saved',
  diverged: 'memory and storage differ',
  count: 'an increment was lost or counted twice',
  claim: 'a key was added where it was present',
  torn: 'a transaction is not whole',
  version: 'versions in storage do not rise with its commits',
  declined: 'storage has what it is said not to have',
  early: 'a waiting write resolved before it was saved',
  failed: 'a process failed',
  stalled: 'something took too long',
} as const;

export type ViolationKind = keyof typeof violationKinds;

export interface Violation {
  readonly kind: ViolationKind;
  readonly detail: string;
}

/** Of each kind so many are kept; the others are counted. */
const kept = 5;

/** What was found wrong. */
export class Violations {
  readonly #counts = new Map<ViolationKind, number>();
  readonly #list: Violation[] = [];

  add(kind: ViolationKind, detail: string): void {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    if (count <= kept) this.#list.push({ kind, detail });
  }

  /** The first of each kind. */
  get list(): readonly Violation[] {
    return this.#list;
  }

  get counts(): ReadonlyMap<ViolationKind, number> {
    return this.#counts;
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }
}
