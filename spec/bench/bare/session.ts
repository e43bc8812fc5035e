import type { Pair } from '../work.ts';

/** Storage that is open: one commit at a time. */
export interface Session {
  /** Applies the pairs in memory and stores them; resolves when they are durable. */
  readonly write: (pairs: readonly Pair[]) => void | Promise<void>;
  readonly close: () => void | Promise<void>;
}
