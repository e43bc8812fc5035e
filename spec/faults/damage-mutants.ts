import type { Mutant } from './mutants.ts';

/** What rows 7 and 8 must notice. */
export const damageMutants: readonly Mutant[] = [
  {
    name: 'json-file: the lock is not checked before a record of a stopped owner is acknowledged',
    edits: [
      { file: 'providers/json-file/journal.js', find: 'this.#start.lock.check();\n            log.end = end;', replace: 'log.end = end;' },
    ],
    row: 8,
    fault: 'a stopped owner',
    column: 'json-file',
  },
  {
    name: "json-file: any claimant of a dead owner's lock gets it",
    edits: [
      { file: 'providers/json-file/lock.js', find: 'if ((await succession(files))?.heir.id === owner.id)', replace: 'if (true)' },
    ],
    row: 8,
    fault: 'three openers',
    column: 'json-file',
  },
  {
    name: 'postgres: first openers do not wait for each other',
    edits: [
      { file: 'providers/postgres/schema.js', find: 'SELECT pg_advisory_xact_lock(hashtext(', replace: 'SELECT length(text(' },
    ],
    row: 8,
    fault: 'three openers',
    column: 'postgres',
  },
  {
    name: 'json-file: the checksum of a record is not checked',
    edits: [
      { file: 'providers/json-file/read-log.js', find: 'hex8(checksum(body)) !== header.crc', replace: 'false' },
    ],
    row: 7,
    fault: 'flipped',
    column: 'json-file',
  },
  {
    name: 'json-file: a torn tail is dropped in silence',
    edits: [
      { file: 'providers/json-file/recover.js', find: 'report(tornTail(log, read.torn.offset, read.torn.bytes));', replace: 'undefined;' },
    ],
    row: 7,
    fault: 'cut off',
    column: 'json-file',
  },
  {
    name: 'json-file: a record that cannot be read ends the log, whatever stands behind it',
    edits: [
      { file: 'providers/json-file/read-log.js', find: 'checkLine(line.subarray(line.lastIndexOf(0) + 1), seed) !== undefined', replace: 'false' },
    ],
    row: 7,
    fault: 'valid record',
    column: 'json-file',
  },
  {
    name: 'sqlite: a damaged database is no damage',
    edits: [
      { file: 'providers/sqlite/failures.js', find: 'damages.has(code)', replace: 'false' },
    ],
    row: 7,
    fault: 'cut off',
    column: 'sqlite',
  },
  {
    name: 'postgres: a checksum that fails is no damage',
    edits: [
      { file: 'providers/postgres/failures.js', find: "state === 'XX001'", replace: "state === 'XX009'" },
    ],
    row: 7,
    fault: 'flipped',
    column: 'postgres',
  },
  {
    name: 'json-file: the second owner is let in',
    edits: [
      { file: 'providers/json-file/lock.js', find: 'if (tookOver && !options.takeOver)', replace: 'if (false)' },
    ],
    row: 8,
    fault: 'a second process',
    column: 'json-file',
  },
  {
    name: 'json-file: a pid that is used again passes for the owner',
    edits: [
      { file: 'providers/json-file/owner.js', find: 'found.startedAt === owner.startedAt && !found.ended', replace: '!found.ended' },
    ],
    row: 8,
    fault: 'pid that is used',
    column: 'json-file',
  },
  {
    name: 'json-file: a newer format is opened',
    edits: [
      { file: 'providers/json-file/json-header.js', find: "if (fields['format'] !== format)", replace: 'if (false)' },
    ],
    row: 8,
    fault: 'newer version',
    column: 'json-file',
  },
  {
    name: 'sqlite: a newer format is opened',
    edits: [
      { file: 'providers/sqlite/schema.js', find: "if (typeof format !== 'number' || format <= currentFormat)", replace: 'if (true)' },
    ],
    row: 8,
    fault: 'newer version',
    column: 'sqlite',
  },
];
