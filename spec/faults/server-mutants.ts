import type { Mutant } from './mutants.ts';

/** What row 10 must notice, and row 8 of a server. */
export const serverMutants: readonly Mutant[] = [
  {
    // The primary key of the log would have the second one fail, and done in steps.
    name: 'postgres: the head is not locked, and the log has room for two of a version',
    edits: [
      { file: 'providers/postgres/commit-function.js', find: 'UPDATE ${names.dictionaries} AS d SET head = d.head + 1\n    WHERE', replace: 'SELECT d.head + 1 INTO rx.head FROM ${names.dictionaries} AS d\n    WHERE' },
      { file: 'providers/postgres/commit-function.js', find: ' RETURNING d.head INTO rx.head;', replace: ';' },
      { file: 'providers/postgres/commit-function.js', find: 'const lowerHead = `UPDATE ${names.dictionaries} AS d SET head = d.head - 1 WHERE d.id = ${dictionary.id}`;', replace: "const lowerHead = 'PERFORM 1';" },
      { file: 'providers/postgres/commit-function.js', find: "status := 'committed';", replace: "UPDATE ${names.dictionaries} AS d SET head = rx.head WHERE d.id = ${dictionary.id};\n  status := 'committed';" },
      { file: 'providers/postgres/schema.js', find: 'keys text[],\n  PRIMARY KEY (dictionary, version)', replace: 'keys text[]' },
    ],
    row: 8,
    fault: 'a second process',
    column: 'postgres',
  },
  {
    name: 'postgres: what a write expects is not checked',
    edits: [{ file: 'providers/postgres/commit-function.js', find: 'IF $4 IS NOT NULL AND ', replace: 'IF false AND ' }],
    row: 8,
    fault: 'a second process',
    column: 'postgres',
  },
  {
    name: 'sqlite: what a write expects is not checked',
    edits: [{ file: 'providers/left-out.js', find: 'if (expected === undefined)', replace: 'if (true)' }],
    row: 8,
    fault: 'a second process',
    column: 'sqlite',
  },
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
