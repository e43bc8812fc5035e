import type { Edit } from '../history/broken-copy.ts';
import { coreMutants } from './core-mutants.ts';
import { damageMutants } from './damage-mutants.ts';
import { diskMutants } from './disk-mutants.ts';
import type { Column } from './form.ts';
import { killMutants } from './kill-mutants.ts';
import { serverMutants } from './server-mutants.ts';

/** The library with one thing broken on purpose, and the cell that must notice. */
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
  readonly row: number;
  /** The name of the fault, or enough of it. */
  readonly fault: string;
  readonly column: Column;
}

export const mutants: readonly Mutant[] = [...killMutants, ...diskMutants, ...damageMutants, ...serverMutants, ...coreMutants];
