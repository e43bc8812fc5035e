import type { Mutant } from './mutants.ts';

/** What row 10 must notice. */
export const serverMutants: readonly Mutant[] = [
  {
    name: 'postgres: the settling row is not heeded',
    edits: [
      { file: 'providers/postgres/commit-function.js', find: 'IF rx.settled >= $2 THEN', replace: 'IF false THEN' },
      { file: 'providers/postgres/commit-in-steps.js', find: 'if (settled !== undefined && this.#number <= settled.number) {', replace: 'if (settled !== undefined && false) {' },
    ],
    row: 10,
    fault: 'the answer to a commit is lost',
    column: 'postgres',
  },
  {
    name: 'postgres: an attempt that comes late is not told from a new one',
    edits: [
      { file: 'providers/postgres/commit-function.js', find: 'IF rx.settled >= $2 THEN', replace: 'IF false THEN' },
      { file: 'providers/postgres/commit-in-steps.js', find: 'if (settled !== undefined && this.#number <= settled.number) {', replace: 'if (settled !== undefined && false) {' },
    ],
    row: 10,
    fault: 'an attempt commits after its retry did',
    column: 'postgres',
  },
  {
    name: 'core: what others set is not held back while an own write of the key is under way',
    edits: [
      { file: 'remote-commits.js', find: 'if (layers.isFlying(key)) {', replace: 'if (false) {' },
    ],
    row: 10,
    fault: 'the answer to a commit is lost',
    column: 'postgres',
  },
  {
    name: 'postgres: a deadlock is nothing to try again for',
    edits: [
      { file: 'providers/postgres/failures.js', find: "['40', { kind: 'retry' }]", replace: "['40', { kind: 'halt' }]" },
    ],
    row: 10,
    fault: 'deadlock',
    column: 'postgres',
  },
  {
    name: 'postgres: that commits were lost is told to nobody',
    edits: [
      { file: 'providers/postgres/own-past.js', find: 'this.#report(', replace: 'void (' },
    ],
    row: 10,
    fault: 'restored to an older state',
    column: 'postgres',
  },
];
