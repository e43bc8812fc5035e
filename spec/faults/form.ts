/** The providers that faults are tried on. */
export const columns = ['memory', 'json-file', 'sqlite', 'postgres'] as const;
export type Column = (typeof columns)[number];

/** How the matrix is run. */
export interface Form {
  /** The short form takes minutes, the long one hours. */
  readonly isLong: boolean;
  /** What is random follows from it. */
  readonly seed: number;
  readonly columns: readonly Column[];
}

/** What a cell counted, each under the name of what it is; what was tried comes first. */
export type Tally = Readonly<Record<string, number>>;
