/** What the figures of a line are counted in. */
export type Unit = 'ns' | 'µs' | 'ms' | 's' | 'bytes' | 'kB' | 'MB' | 'writes/s' | 'times' | 'x';

/** What is promised of the ratio to the limit, or of what `budgetOf` says. */
export type Budget = { readonly atMost: number } | { readonly atLeast: number };

/** One figure that a row finds. */
export interface Line {
  /** What is measured. */
  readonly title: string;
  /** What it is measured against: the same work, written as well as it can be without the library. */
  readonly limit?: string;
  readonly unit: Unit;
  readonly budget?: Budget;
  /** What a budget is of: `excess`, what the figure is beyond the limit's. @default 'ratio' where there is a limit */
  readonly budgetOf?: 'ratio' | 'figure' | 'excess';
}

/** What a side found in one round: a figure for each line of its row. */
export type Figures = number | readonly number[];

export type Round = (round: number) => Figures | Promise<Figures>;

/** The two sides of a row. Rounds of both take turns. */
export interface Contest {
  readonly ours: Round;
  readonly limit?: Round;
}

/** Where a row is run. */
export interface Scene {
  /** An empty directory on a disk, removed afterwards. */
  readonly directory: string;
  /** Connection strings of a PostgreSQL of its own; the others lead to it through so many milliseconds. */
  readonly postgres: { readonly url: string; readonly after1ms: string; readonly after10ms: string };
  /** Whether this is a run of minutes: fewer keys may do. */
  readonly isQuick: boolean;
  /** Is done in the end, the last one first. */
  readonly defer: (cleanUp: () => unknown) => void;
}

/** Figures that are found together, in a process of their own. */
export interface Row {
  /** By which it is chosen. */
  readonly name: string;
  readonly group: string;
  readonly lines: readonly Line[];
  /** Rounds that count, in a quick run and in a full one; 0: it is no part of that. */
  readonly rounds: { readonly quick: number; readonly full: number };
  /** Rounds before those, while code is compiled and files grow. @default 1 */
  readonly warmUps?: number;
  readonly needsPostgres?: boolean;
  readonly prepare: (scene: Scene) => Contest | Promise<Contest>;
}
