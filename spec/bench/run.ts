import type { Machine } from './machine.ts';
import type { Extent } from './options.ts';
import type { Result } from './result.ts';

/** What a run of the rows found, as `--json` writes it. */
export interface Run {
  readonly machine: Machine;
  readonly extent: Extent;
  /** The beginnings of the names of the rows that were asked for; none: all. */
  readonly rows: readonly string[];
  readonly results: readonly Result[];
  /** The names of the rows that failed. */
  readonly failed: readonly string[];
  /** Rows that were measured later, and where. */
  readonly later: readonly { readonly rows: readonly string[]; readonly machine: Machine }[];
}

/** `run`, with what was measured anew in the place of what it had of the same rows. */
export function mendedBy(run: Run, { machine, rows, results, failed }: Run): Run {
  const anew = new Set([...results.map(({ row }) => row), ...failed]);
  const kept = run.results.filter(({ row }) => !anew.has(row));
  const first = run.results.findIndex(({ row }) => anew.has(row));
  const place = first === -1 ? kept.length : first;
  return {
    ...run,
    results: [...kept.slice(0, place), ...results, ...kept.slice(place)],
    failed: [...run.failed.filter((name) => !anew.has(name)), ...failed],
    later: [...run.later, { rows, machine }],
  };
}
