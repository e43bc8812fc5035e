import { broken } from './broken-commits.ts';
import { withAnswersLost, withoutFaults, withoutPoll, type Mutant } from './mutant.ts';

const commit = 'providers/sqlite/commit.js';

export const sqliteMutants: readonly Mutant[] = [
  {
    name: 'the settling row is not heeded, so that a retry is applied again',
    edits: [{ file: commit, find: 'if (settled !== undefined && batch.number <= settled.number) {', replace: 'if (settled !== undefined && false) {' }],
    args: withAnswersLost,
    expected: ['twice'],
  },
  {
    // BEGIN alone changes nothing that could be noticed: SQLite refuses to write on a snapshot that is not the newest.
    name: 'the lock is let go between the look at the head and the writing, and the log has room for two of a version',
    edits: [
      { file: commit, find: 'function* attempt({ data, bookkeeping }, batch, refused) {', replace: 'function* attempt({ database, data, bookkeeping }, batch, refused) {' },
      {
        file: commit,
        find: 'const applied = yield* apply(',
        replace: "database.exec('COMMIT');\n    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3);\n    database.exec('BEGIN IMMEDIATE');\n    const applied = yield* apply(",
      },
      { file: 'providers/sqlite/bookkeeping.js', find: "'INSERT INTO main.rx_persistify_log", replace: "'INSERT OR REPLACE INTO main.rx_persistify_log" },
    ],
    args: withoutFaults,
    expected: ['version', 'count', 'claim'],
  },
  {
    name: 'what a write expects is not checked',
    edits: broken.sqliteExpect,
    args: withoutFaults,
    expected: ['count', 'claim'],
  },
  {
    name: 'there is no catching up: the feed begins where storage is when it first looks',
    edits: [
      {
        file: 'providers/sqlite/log-reader.js',
        find: 'if (head === undefined ||',
        replace: 'if (this.hasBegun === undefined) {\n            this.hasBegun = true;\n            this.#place = new LogPlace({ version: head });\n        }\n        if (head === undefined ||',
      },
    ],
    args: ['--cuts', '0', '--kills', '8'],
    expected: ['diverged', 'gap'],
  },
  {
    name: 'it is not looked again after a sign of a commit that cannot be seen yet',
    edits: [{ file: 'providers/file-signs.js', find: 'const lookAgainMs = [1, 2, 4, 8, 16, 32, 64];', replace: 'const lookAgainMs = [];' }],
    args: [...withoutFaults, ...withoutPoll],
    expected: ['diverged'],
  },
  {
    name: 'the feed leaves out what was deleted',
    edits: [{ file: commit, find: 'data.delete(batch, slice);\n        changedKeys.push(keysAsText(batch, slice));', replace: 'data.delete(batch, slice);' }],
    args: withoutFaults,
    expected: ['diverged'],
  },
  {
    name: 'a commit is acknowledged that was taken back',
    edits: [{ file: commit, find: "database.exec('COMMIT');", replace: "database.exec(Math.random() < 0.02 ? 'ROLLBACK' : 'COMMIT');" }],
    args: withoutFaults,
    expected: ['lost'],
  },
];
