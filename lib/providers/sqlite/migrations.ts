import type { Database } from './driver.ts';

/** Brings one dictionary's tables from a format to the next. Runs in the transaction that records the new format. */
export type Migration = (database: Database, dictionary: { readonly name: string; readonly table: string }) => void;

/** The first one leads from format 1 to 2, and so on. */
const migrations: readonly Migration[] = [];

/** The format that this version of the library writes. */
export const currentFormat = migrations.length + 1;

/** Brings a dictionary of an older format up to date. */
export function migrate(database: Database, dictionary: { readonly name: string; readonly table: string }, format: number): void {
  for (const migration of migrations.slice(format - 1)) migration(database, dictionary);
  database.prepare('UPDATE main.rx_persistify_dictionaries SET format = ? WHERE name = ?').run(currentFormat, dictionary.name);
}
