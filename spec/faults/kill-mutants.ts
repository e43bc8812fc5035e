import type { Mutant } from './mutants.ts';

/** What rows 1 to 3 must notice. */
export const killMutants: readonly Mutant[] = [
  {
    name: 'json-file: it is acknowledged before it is written',
    edits: [
      { file: 'providers/json-file/append.js', find: 'return this.#appendSync(file.fd, Buffer.concat(chunks), position);', replace: 'return void setTimeout(() => this.#appendSync(file.fd, Buffer.concat(chunks), position), 3), position + length;' },
    ],
    row: 1,
    fault: 'the process that writes is killed',
    column: 'json-file',
  },
  {
    name: 'sqlite: a batch is no transaction',
    edits: [
      { file: 'providers/sqlite/commit.js', find: "database.exec('BEGIN IMMEDIATE');", replace: '' },
      { file: 'providers/sqlite/commit.js', find: "database.exec('COMMIT');", replace: '' },
    ],
    row: 1,
    fault: 'the process that writes is killed',
    column: 'sqlite',
  },
  {
    name: 'core: a batch is acknowledged before the provider has answered',
    edits: [
      { file: 'streams/write-batches.js', find: 'return write(batch);', replace: 'return concat(of({ version: 0, leftOut: [] }), write(batch));' },
    ],
    row: 1,
    fault: 'the process that writes is killed',
    column: 'postgres',
  },
  {
    name: 'json-file: a fold removes the logs before it has taken their place',
    edits: [
      { file: 'providers/json-file/disk.js', find: 'await renameOverChecked(path,', replace: 'await this.removeObsolete(Array.from({ length: generation }, (_, index) => index)); await renameOverChecked(path,' },
    ],
    row: 2,
    fault: 'of first open, growth',
    column: 'json-file',
  },
  {
    name: 'json-file: records are not flushed (fdatasync)',
    edits: [
      { file: 'providers/json-file/append.js', find: 'fdatasyncSync(fd);', replace: '' },
      { file: 'providers/json-file/append.js', find: 'await file.datasync();', replace: '' },
    ],
    row: 3,
    fault: 'at a random moment',
    column: 'json-file',
  },
  {
    name: 'json-file: a new log is not flushed (fsync)',
    edits: [
      { file: 'providers/json-file/journal.js', find: 'await file.sync();', replace: '' },
    ],
    row: 3,
    fault: 'after the first acknowledgement',
    column: 'json-file',
  },
  {
    name: 'json-file: the directory is not flushed (fsync)',
    edits: [
      { file: 'providers/make-directory.js', find: 'await handle.sync();', replace: '' },
    ],
    row: 3,
    fault: 'after the first acknowledgement',
    column: 'json-file',
  },
  {
    name: 'json-file: a folded file is not flushed (fsync)',
    edits: [
      { file: 'providers/json-file/fold.js', find: 'await file.sync();', replace: '' },
    ],
    row: 3,
    fault: 'after the k-th system call',
    column: 'json-file',
  },
  {
    name: 'json-file: what a killed process left is shown before it is flushed',
    edits: [
      { file: 'providers/json-file/recover.js', find: 'await syncForeign(log.file);', replace: '' },
      { file: 'providers/json-file/recover.js', find: 'await syncDirectory(files.directory);', replace: 'void 0;' },
    ],
    row: 3,
    fault: 'after an opening has shown',
    column: 'json-file',
  },
  {
    name: 'sqlite: commits are not flushed (synchronous=NORMAL)',
    edits: [
      { file: 'providers/sqlite/connection.js', find: "? ['FULL', 2] :", replace: "? ['NORMAL', 1] :" },
    ],
    row: 3,
    fault: 'at a random moment',
    column: 'sqlite',
  },
  {
    name: 'sqlite: what a killed process left is shown before it is flushed',
    edits: [
      { file: 'providers/sqlite/connection.js', find: 'fsyncSync(log);', replace: '' },
    ],
    row: 3,
    fault: 'after an opening has shown',
    column: 'sqlite',
  },
  {
    name: 'postgres: a commit is not waited for to be flushed (synchronous_commit)',
    edits: [
      { file: 'providers/postgres/commit-function.js', find: 'IF NOT $3 THEN', replace: 'IF $3 THEN' },
    ],
    row: 3,
    fault: 'at a random moment',
    column: 'postgres',
  },
];
