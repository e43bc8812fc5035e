import { broken } from '../history/broken-commits.ts';
import type { Mutant } from './mutants.ts';

/** What row 10 must notice, and of row 8 what writes beside others. */
export const serverMutants: readonly Mutant[] = [
  {
    name: 'postgres: the head is not locked, and the log has room for two of a version',
    edits: broken.postgresHeadLock,
    row: 8,
    fault: 'a second process',
    column: 'postgres',
  },
  {
    name: 'postgres: what a write expects is not checked',
    edits: broken.postgresExpect,
    row: 8,
    fault: 'a second process',
    column: 'postgres',
  },
  {
    name: 'sqlite: what a write expects is not checked',
    edits: broken.sqliteExpect,
    row: 8,
    fault: 'a second process',
    column: 'sqlite',
  },
  {
    name: 'postgres: the settling row is not heeded',
    edits: broken.postgresSettlingRow,
    row: 10,
    fault: 'the answer to a commit is lost',
    column: 'postgres',
  },
  {
    name: 'postgres: an attempt that comes late is not told from a new one',
    edits: broken.postgresSettlingRow,
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
