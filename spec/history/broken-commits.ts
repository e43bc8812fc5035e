import type { Edit } from './broken-copy.ts';

const postgresCommit = 'providers/postgres/commit-function.js';

/** How commits are broken to see whether it is noticed, by a history or by a cell of the matrix. */
export const broken = {
  /** A retry is applied again. */
  postgresSettlingRow: [
    { file: postgresCommit, find: 'IF rx.settled >= $2 THEN', replace: 'IF false THEN' },
    { file: 'providers/postgres/commit-in-steps.js', find: 'if (settled !== undefined && this.#number <= settled.number) {', replace: 'if (settled !== undefined && false) {' },
  ],
  /** Two commits get one version, for which the log has room: its primary key would have the second one fail, and done in steps. */
  postgresHeadLock: [
    { file: postgresCommit, find: 'UPDATE ${names.dictionaries} AS d SET head = d.head + 1\n    WHERE', replace: 'SELECT d.head + 1 INTO rx.head FROM ${names.dictionaries} AS d\n    WHERE' },
    { file: postgresCommit, find: ' RETURNING d.head INTO rx.head;', replace: ';' },
    { file: postgresCommit, find: 'const lowerHead = `UPDATE ${names.dictionaries} AS d SET head = d.head - 1 WHERE d.id = ${dictionary.id}`;', replace: "const lowerHead = 'PERFORM 1';" },
    { file: postgresCommit, find: "RETURN concat_ws(' ', 'committed'", replace: "UPDATE ${names.dictionaries} AS d SET head = rx.head WHERE d.id = ${dictionary.id};\n  RETURN concat_ws(' ', 'committed'" },
    { file: 'providers/postgres/schema.js', find: 'keys text[],\n  PRIMARY KEY (dictionary, version)', replace: 'keys text[]' },
  ],
  /** What a write expects is not checked. */
  postgresExpect: [{ file: postgresCommit, find: 'IF $4 IS NOT NULL THEN', replace: 'IF false THEN' }],
  sqliteExpect: [{ file: 'providers/left-out.js', find: 'if (expected === undefined)', replace: 'if (true)' }],
} as const satisfies Readonly<Record<string, readonly Edit[]>>;
