import type { ProviderName } from './place.ts';
import type { ViolationKind } from './violations.ts';

export interface Edit {
  /** Of the built package. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** The library with one thing broken on purpose. */
export interface Mutant {
  readonly name: string;
  readonly provider: ProviderName;
  readonly edits: readonly Edit[];
  /** What shows it, beside what every mutant's history has. */
  readonly args: readonly string[];
  /** At least one of these must be found. */
  readonly expected: readonly ViolationKind[];
}

/** A history in which each mutant is to be noticed, and what is not broken is not. */
export const commonArgs = ['--writes', '6000', '--processes', '3', '--seed', '7', '--seconds', '90', '--settle-seconds', '5'] as const;

const noFaults = ['--cuts', '0', '--kills', '0'] as const;
const answersLost = ['--cuts', '60', '--kills', '0', '--faults', 'answer-lost'] as const;

export const mutants: readonly Mutant[] = [
  {
    name: 'the settling row is not heeded, so that a retry is applied again',
    provider: 'sqlite',
    edits: [{ file: 'providers/sqlite/commit.js', find: 'if (settled !== undefined && batch.number <= settled.number) {', replace: 'if (settled !== undefined && false) {' }],
    args: answersLost,
    expected: ['twice'],
  },
  {
    // BEGIN alone changes nothing that could be noticed: SQLite refuses to write on a snapshot that is not the newest.
    name: 'the lock is let go between the look at the head and the writing, and the log has room for two of a version',
    provider: 'sqlite',
    edits: [
      { file: 'providers/sqlite/commit.js', find: 'function* attempt({ data, bookkeeping }, batch, refused) {', replace: 'function* attempt({ database, data, bookkeeping }, batch, refused) {' },
      { file: 'providers/sqlite/commit.js', find: 'const applied = yield* apply(', replace: "database.exec('COMMIT');\n    yield;\n    database.exec('BEGIN IMMEDIATE');\n    const applied = yield* apply(" },
      { file: 'providers/sqlite/bookkeeping.js', find: "'INSERT INTO main.rx_persistify_log", replace: "'INSERT OR REPLACE INTO main.rx_persistify_log" },
    ],
    args: noFaults,
    expected: ['version', 'count', 'claim'],
  },
  {
    name: 'what a write expects is not checked',
    provider: 'sqlite',
    edits: [{ file: 'providers/sqlite/left-out.js', find: 'if (expected === undefined)', replace: 'if (true)' }],
    args: noFaults,
    expected: ['count', 'claim'],
  },
  {
    name: 'the feed begins where storage is when it first looks, and not where it was loaded',
    provider: 'sqlite',
    edits: [
      {
        file: 'providers/sqlite/log-reader.js',
        find: '!this.#finds(this.#cursor, head, statements)',
        replace: '!this.#finds((this.#cursor = this.#isLogged === undefined ? { version: head } : this.#cursor), head, statements)',
      },
    ],
    args: ['--cuts', '0', '--kills', '8'],
    expected: ['diverged', 'gap'],
  },
  {
    name: 'it is not looked again after a sign of a commit that cannot be seen yet',
    provider: 'sqlite',
    edits: [{ file: 'providers/sqlite/file-signs.js', find: 'const lookAgainMs = [1, 2, 4, 8, 16, 32, 64];', replace: 'const lookAgainMs = [];' }],
    args: [...noFaults, '--poll-ms', '60000'],
    expected: ['diverged'],
  },
  {
    name: 'the feed leaves out what was deleted',
    provider: 'sqlite',
    edits: [{ file: 'providers/sqlite/commit.js', find: 'data.delete(batch, slice);\n        changedKeys.push(keysAsText(batch, slice));', replace: 'data.delete(batch, slice);' }],
    args: noFaults,
    expected: ['diverged'],
  },
  {
    name: 'what others set is not held back while an own write of the key is under way',
    provider: 'sqlite',
    edits: [{ file: 'remote-commits.js', find: 'if (layers.isFlying(key)) {', replace: 'if (false) {' }],
    args: answersLost,
    expected: ['order', 'diverged'],
  },
  {
    name: 'the version at which a key was removed here is forgotten',
    provider: 'sqlite',
    edits: [{ file: 'remote-commits.js', find: 'this.#removed.get(key) ?? 0', replace: '0' }],
    args: answersLost,
    expected: ['order', 'diverged'],
  },
  {
    name: 'an older version of a key takes the place of a newer one',
    provider: 'sqlite',
    edits: [{ file: 'remote-commits.js', find: 'found.version <= known || ', replace: '' }],
    args: noFaults,
    expected: ['order', 'diverged'],
  },
  {
    name: 'a commit is acknowledged that was taken back',
    provider: 'sqlite',
    edits: [{ file: 'providers/sqlite/commit.js', find: "database.exec('COMMIT');", replace: "database.exec(Math.random() < 0.02 ? 'ROLLBACK' : 'COMMIT');" }],
    args: noFaults,
    expected: ['lost'],
  },
  {
    name: 'a waiting write does not wait',
    provider: 'sqlite',
    edits: [{ file: 'saver.js', find: 'this.#demand();\n        await waiting;', replace: 'this.#demand();\n        waiting.catch(() => undefined);' }],
    args: noFaults,
    expected: ['early'],
  },
];
