import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import Database from 'better-sqlite3';
import { sqlite, type SqliteOptions } from 'rx-persistify/sqlite';
import { onTestFinished } from 'vitest';

import { openerOf as openerOfProvider, type OpenDictionary, type Opener } from '../../support/open-dictionary.ts';

export { numberedSets, set, type OpenDictionary } from '../../support/open-dictionary.ts';

/** A directory that is gone after the test, and a database file in it that is not there yet. */
export function temporaryFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'rx-persistify-sqlite-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'store.sqlite');
}

/** Opens dictionaries through one provider; what is still open at the end of the test is closed. */
export function openerOf(options: SqliteOptions): Opener {
  return openerOfProvider(sqlite(options));
}

export function open(options: SqliteOptions, name?: string): Promise<OpenDictionary> {
  return openerOf(options)(name);
}

/** A connection of another program. It must be opened behind the provider's, or make the file. */
export function inspect(file: string): Database.Database {
  const database = new Database(file, { timeout: 0 });
  onTestFinished(() => {
    database.close();
  });
  return database;
}

export function rows(file: string, sql: string, ...parameters: readonly unknown[]): readonly unknown[] {
  const database = new Database(file, { timeout: 50 });
  try {
    return database.prepare(sql).all(...parameters);
  } finally {
    database.close();
  }
}

/** Both ways of committing. */
export const modes = [
  { mode: 'in a worker', worker: true },
  { mode: 'on the main thread', worker: false },
] as const;
