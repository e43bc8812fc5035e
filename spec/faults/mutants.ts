import type { Edit } from '../history/broken-copy.ts';
import { diskMutants } from './disk-mutants.ts';
import type { Column } from './form.ts';

/** The library with one thing broken on purpose, and the cell that must notice. */
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
  readonly row: number;
  /** The name of the fault, or enough of it. */
  readonly fault: string;
  readonly column: Column;
}

export const mutants: readonly Mutant[] = [
  {
    name: 'a commit is acknowledged that was taken back',
    edits: [{ file: 'providers/sqlite/commit.js', find: "database.exec('COMMIT');", replace: "database.exec(Math.random() < 0.02 ? 'ROLLBACK' : 'COMMIT');" }],
    row: 14,
    fault: 'nothing',
    column: 'sqlite',
  },
  ...diskMutants,
];
