import { setImmediate as macrotask } from 'node:timers/promises';

import { CorruptDataError, type PersistifyError } from '../../errors.ts';
import type { Entry, Page } from '../provider.ts';
import { openForReading } from './connection.ts';
import type { Database, Driver } from './driver.ts';
import { describeFailure } from './failures.ts';
import { qualified, quote } from './identifiers.ts';
import { LogStatements } from './log-statements.ts';
import type { SqliteSettings } from './options.ts';
import { entryOf, readable, rowOf } from './rows.ts';
import type { Dictionary } from './schema.ts';

const pageRows = 1_000;

/**
 * Every entry, in pages of 1,000 with a macrotask between them, on a connection of its own: one snapshot, whatever is
 * committed meanwhile. The connection is released at the end, or when the iteration is left.
 */
export async function* loadPages(
  driver: Driver,
  settings: SqliteSettings,
  dictionary: Dictionary,
  report: (error: PersistifyError) => void,
): AsyncGenerator<Page, void, undefined> {
  let database: Database | undefined;
  try {
    database = openForReading(driver, settings);
    database.exec('BEGIN');
    const log = new LogStatements(database, dictionary, settings);
    const version = log.head.get();
    const place = log.place(version) ?? { version };
    let pages = 0;
    for (const entries of pagesOf(database, settings, dictionary, report)) {
      if (pages++ > 0) await macrotask();
      yield { entries, ...place };
    }
  } catch (error) {
    throw describeFailure(error, `Loading ${JSON.stringify(dictionary.name)}`, settings.file);
  } finally {
    database?.close();
  }
}

/** At least one page. In the order of the table, which is mostly that of insertion; by key would read it at random. */
function* pagesOf(database: Database, settings: SqliteSettings, dictionary: Dictionary, report: (error: PersistifyError) => void): Generator<readonly Entry[]> {
  const { key, value, version, expiresAt } = settings.columns;
  const names = [quote(key), readable(quote(value)), quote(version), quote(expiresAt)].join(', ');
  let entries: Entry[] = [];
  let unreadable = 0;
  for (const answer of database.prepare(`SELECT ${names} FROM ${qualified(dictionary.table)}`).raw().iterate()) {
    const entry = entryOf(rowOf(answer) ?? []);
    if (entry === undefined) unreadable++;
    else if (entries.push(entry) === pageRows) {
      yield entries;
      entries = [];
    }
  }
  if (unreadable > 0) {
    const message = `${settings.file}: ${unreadable} rows of the table ${quote(dictionary.table)} have a key that is no text; they are left as they are.`;
    report(new CorruptDataError(message, { location: settings.file }));
  }
  yield entries;
}
