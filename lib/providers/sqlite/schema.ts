import { CorruptDataError, ProviderError } from '../../errors.ts';
import type { Database } from './driver.ts';
import { qualified, quote } from './identifiers.ts';
import { currentFormat, migrate } from './migrations.ts';
import type { SqliteColumns } from './options.ts';
import { rowOf, textOf } from './rows.ts';
import { adoptTable, describeTable } from './table-fit.ts';

/** A dictionary as the file knows it. */
export interface Dictionary {
  readonly name: string;
  readonly table: string;
}

export interface DictionaryRequest {
  readonly name: string;
  /** The table to make if the file does not know the dictionary. */
  readonly table: string;
  readonly columns: Required<SqliteColumns>;
  readonly file: string;
}

/**
 * Plain tables, readable by any SQLite of the last years: STRICT ones cannot be opened at all before 3.37.
 * In the log `committed_at` stands before `keys`, so that pruning need not read the overflow pages of a long list.
 */
const bookkeeping = `
CREATE TABLE IF NOT EXISTS main.rx_persistify_dictionaries (
  name TEXT NOT NULL PRIMARY KEY,
  table_name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  format INTEGER NOT NULL,
  head INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS main.rx_persistify_writers (
  dictionary TEXT NOT NULL,
  writer TEXT NOT NULL,
  number INTEGER NOT NULL,
  version INTEGER NOT NULL,
  result TEXT NOT NULL,
  settled_at INTEGER NOT NULL,
  PRIMARY KEY (dictionary, writer)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS main.rx_persistify_log (
  dictionary TEXT NOT NULL,
  version INTEGER NOT NULL,
  writer TEXT NOT NULL,
  number INTEGER NOT NULL,
  committed_at INTEGER NOT NULL,
  keys TEXT,
  PRIMARY KEY (dictionary, version)
) WITHOUT ROWID;`;

/**
 * Finds the dictionary in the file, or makes it. A file that has it is only read.
 * @throws ProviderError if its format is newer, or its table's name is taken by a table that does not fit.
 * @throws CorruptDataError if its table is gone.
 */
export function openDictionary(database: Database, request: DictionaryRequest): Dictionary {
  const known = findDictionary(database, request);
  if (known?.format === currentFormat) return known;
  database.exec('BEGIN IMMEDIATE');
  try {
    const dictionary = openLocked(database, request);
    database.exec('COMMIT');
    return dictionary;
  } finally {
    if (database.inTransaction) database.exec('ROLLBACK');
  }
}

/**
 * Looks whether a dictionary could be opened, and changes nothing.
 * @throws what {@link openDictionary} would throw for what is there already.
 */
export function checkDictionary(database: Database, request: DictionaryRequest): void {
  if (findDictionary(database, request) === undefined) findPlace(database, request);
}

function openLocked(database: Database, request: DictionaryRequest): Dictionary {
  database.exec(bookkeeping);
  const known = findDictionary(database, request);
  if (known !== undefined) {
    migrate(database, known, known.format);
    return known;
  }
  // What is left of a dictionary of this name that was removed by hand is no part of this one's past.
  for (const left of ['log', 'writers']) database.prepare(`DELETE FROM main.rx_persistify_${left} WHERE dictionary = ?`).run(request.name);
  const { table, head } = makeTable(database, request);
  database
    .prepare('INSERT INTO main.rx_persistify_dictionaries (name, table_name, format, head) VALUES (?, ?, ?, ?)')
    .run(request.name, table, currentFormat, head);
  return { name: request.name, table };
}

function findDictionary(database: Database, request: DictionaryRequest): (Dictionary & { readonly format: number }) | undefined {
  const { name, columns, file } = request;
  if (!hasBookkeeping(database)) return undefined;
  checkFormat(database.prepare('SELECT max(format) FROM main.rx_persistify_dictionaries').pluck().get(), file);
  const row = rowOf(database.prepare('SELECT table_name, format FROM main.rx_persistify_dictionaries WHERE name = ?').raw().get(name));
  if (row === undefined) return undefined;
  const table = textOf(row[0]);
  const found = describeTable(database, table, columns);
  if (found.type === 'absent') {
    throw new CorruptDataError(
      `The table ${quote(table)} of the dictionary ${JSON.stringify(name)} is gone from ${file}. Restore it, or begin anew: DELETE FROM rx_persistify_dictionaries WHERE table_name = '${table.replaceAll("'", "''")}'.`,
      { location: file },
    );
  }
  if (found.type === 'unfit') throw unfit(request, table, found.problem);
  return { name, table, format: Number(row[1]) };
}

/** @throws ProviderError if the format is one of a later version of this library. */
export function checkFormat(format: unknown, file: string): void {
  if (typeof format !== 'number' || format <= currentFormat) return;
  const message = `${file} was written by a later version of rx-persistify (format ${format}; this one knows ${currentFormat}). Update the package; the file is left as it is.`;
  throw new ProviderError(message, { kind: 'halt' });
}

/** The dictionary's own table under a name that is free; or one that is there already, belongs to none, and fits. */
function makeTable(database: Database, request: DictionaryRequest): { readonly table: string; readonly head: number } {
  const { table, isThere } = findPlace(database, request);
  if (isThere) return { table, head: adoptTable(database, table, request.columns) };
  const { key, value, createdAt, updatedAt, version, expiresAt } = request.columns;
  database.exec(`CREATE TABLE ${qualified(table)} (
  ${quote(key)} TEXT NOT NULL PRIMARY KEY,
  ${quote(value)} TEXT NOT NULL,
  ${quote(createdAt)} INTEGER NOT NULL,
  ${quote(updatedAt)} INTEGER NOT NULL,
  ${quote(version)} INTEGER NOT NULL,
  ${quote(expiresAt)} INTEGER
)`);
  return { table, head: 0 };
}

/** @throws ProviderError if the name is taken by a table that does not fit. */
function findPlace(database: Database, request: DictionaryRequest): { readonly table: string; readonly isThere: boolean } {
  let table = request.table;
  if (hasBookkeeping(database)) {
    const owner = database.prepare('SELECT name FROM main.rx_persistify_dictionaries WHERE table_name = ?').pluck();
    // SQLite's names do not tell A from a, so the second of two such dictionaries gets another one.
    for (let count = 2; owner.get(table) !== undefined; count++) table = `${request.table}_${count}`;
  }
  const found = describeTable(database, table, request.columns);
  if (found.type === 'unfit') throw unfit(request, table, found.problem);
  return { table, isThere: found.type === 'fit' };
}

function hasBookkeeping(database: Database): boolean {
  const tables = "SELECT count(*) FROM main.sqlite_schema WHERE name = 'rx_persistify_dictionaries'";
  return database.prepare(tables).pluck().get() !== 0;
}

function unfit(request: DictionaryRequest, table: string, problem: string): ProviderError {
  const { key, value, createdAt, updatedAt, version, expiresAt } = request.columns;
  const expected = `${quote(key)} TEXT PRIMARY KEY, ${quote(value)} TEXT, ${[createdAt, updatedAt, version, expiresAt].map(name => `${quote(name)} INTEGER`).join(', ')}`;
  const message = `${request.file} has a table ${quote(table)} that cannot hold the dictionary ${JSON.stringify(request.name)}: ${problem}. Expected are the columns ${expected}. It is left as it is: name another table (option "table") or its columns (option "columns").`;
  return new ProviderError(message, { kind: 'halt' });
}
