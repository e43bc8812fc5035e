import { coreMutants } from './core-mutants.ts';
import type { Mutant } from './mutant.ts';
import type { ProviderName } from './place.ts';
import { postgresMutants } from './postgres-mutants.ts';
import { sqliteMutants } from './sqlite-mutants.ts';

/** Those that the history of a provider must notice. */
export const mutants: Readonly<Record<ProviderName, readonly Mutant[]>> = {
  sqlite: [...sqliteMutants, ...coreMutants],
  postgres: [...postgresMutants, ...coreMutants],
};
