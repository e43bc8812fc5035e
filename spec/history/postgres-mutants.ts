import { broken } from './broken-commits.ts';
import { withAnswersLost, withoutFaults, withoutPoll, type Mutant } from './mutant.ts';

const commit = 'providers/postgres/commit-function.js';

export const postgresMutants: readonly Mutant[] = [
  {
    name: 'the settling row is not heeded, so that a retry is applied again',
    edits: broken.postgresSettlingRow,
    args: withAnswersLost,
    expected: ['twice'],
  },
  {
    name: 'the head is not locked, and the log has room for two of a version',
    edits: broken.postgresHeadLock,
    args: withoutFaults,
    expected: ['version', 'count', 'claim'],
  },
  {
    name: 'what a write expects is not checked',
    edits: broken.postgresExpect,
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
