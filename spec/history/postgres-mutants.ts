import { withAnswersLost, withoutFaults, withoutPoll, type Mutant } from './mutant.ts';

const commit = 'providers/postgres/commit-function.js';

export const postgresMutants: readonly Mutant[] = [
  {
    name: 'the settling row is not heeded, so that a retry is applied again',
    edits: [
      { file: commit, find: 'IF rx.settled >= $2 THEN', replace: 'IF false THEN' },
      { file: 'providers/postgres/commit-in-steps.js', find: 'if (settled !== undefined && this.#number <= settled.number) {', replace: 'if (settled !== undefined && false) {' },
    ],
    args: withAnswersLost,
    expected: ['twice'],
  },
  {
    // The primary key of the log would have the second one fail, and done in steps.
    name: 'the head is not locked, and the log has room for two of a version',
    edits: [
      { file: commit, find: 'UPDATE ${names.dictionaries} AS d SET head = d.head + 1\n    WHERE', replace: 'SELECT d.head + 1 INTO rx.head FROM ${names.dictionaries} AS d\n    WHERE' },
      { file: commit, find: ' RETURNING d.head INTO rx.head;', replace: ';' },
      { file: commit, find: 'const lowerHead = `UPDATE ${names.dictionaries} AS d SET head = d.head - 1 WHERE d.id = ${dictionary.id}`;', replace: "const lowerHead = 'PERFORM 1';" },
      { file: commit, find: "status := 'committed';", replace: "UPDATE ${names.dictionaries} AS d SET head = rx.head WHERE d.id = ${dictionary.id};\n  status := 'committed';" },
      { file: 'providers/postgres/schema.js', find: 'keys text[],\n  PRIMARY KEY (dictionary, version)', replace: 'keys text[]' },
    ],
    args: withoutFaults,
    expected: ['version', 'count', 'claim'],
  },
  {
    name: 'what a write expects is not checked',
    edits: [{ file: commit, find: 'IF $4 IS NOT NULL AND ', replace: 'IF false AND ' }],
    args: withoutFaults,
    expected: ['count', 'claim'],
  },
  {
    name: 'there is no catching up after LISTEN: the feed begins where storage is when it first looks',
    edits: [
      {
        file: 'providers/postgres/log-reader.js',
        find: 'const place = commits[0]',
        replace: 'if (this.hasBegun === undefined) {\n            this.hasBegun = true;\n            this.#place = new LogPlace({ version: head });\n            return false;\n        }\n        const place = commits[0]',
      },
    ],
    args: ['--cuts', '20', '--kills', '3', '--faults', 'feed-cut,terminated'],
    expected: ['diverged', 'gap'],
  },
  {
    name: 'the bell is not rung',
    edits: [{ file: 'providers/postgres/doorbell.js', find: 'this.#rung.add(payload);', replace: 'return;' }],
    args: [...withoutFaults, ...withoutPoll],
    expected: ['diverged'],
  },
  {
    name: 'the feed leaves out what was deleted',
    edits: [{ file: commit, find: " || coalesce($10, '{}');", replace: ';' }],
    args: withoutFaults,
    expected: ['diverged'],
  },
];
