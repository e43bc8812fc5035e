import type { Column, Tally } from './form.ts';

/**
 * How the trial of a fault on a provider ended. `held`: the promise was kept. `broken`: it was not. `absent`: it cannot occur
 * there. `skipped`: this machine lacks what it takes.
 */
export type State = 'held' | 'broken' | 'absent' | 'skipped';

export interface Result {
  readonly row: number;
  readonly title: string;
  readonly fault: string;
  readonly column: Column;
  readonly state: State;
  readonly tally: Tally;
  /** What was broken, why it is absent, or what is lacking. */
  readonly detail: string;
  readonly elapsedMs: number;
}

/** One run of the matrix. */
export interface Run {
  readonly seed: number;
  readonly isLong: boolean;
  readonly node: string;
  readonly elapsedMs: number;
  readonly results: readonly Result[];
  /** What went wrong outside of any cell. */
  readonly errors: readonly string[];
}
