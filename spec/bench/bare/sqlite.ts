import Database from 'better-sqlite3';

import type { Pair, Value } from '../work.ts';
import type { Session } from './session.ts';

/** As the library's own table, without its bookkeeping. */
const table = `CREATE TABLE IF NOT EXISTS bare (
  key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, version INTEGER NOT NULL, expires_at INTEGER
)`;
const upsert = `INSERT INTO bare (key, value, created_at, updated_at, version, expires_at) VALUES (?, ?, ?, ?, ?, NULL)
  ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at, version = excluded.version, expires_at = excluded.expires_at`;

/**
 * The fastest loop there is on the main thread: a Map of all that the table holds, and single prepared upserts in one transaction a
 * batch, as durable as the library's.
 */
export function openBareSqlite(file: string): Session {
  const database = connect(file);
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const statement = database.prepare(upsert);
  const map = loaded(database, 'bare') as Map<string, Value>; // as it was written
  let version = 0;
  const write = (pairs: readonly Pair[]): void => {
    version++;
    const now = Date.now();
    begin.run();
    for (const [key, value] of pairs) {
      map.set(key, value);
      statement.run(key, JSON.stringify(value), now, now, version);
    }
    commit.run();
  };
  return { write, close: () => void database.close() };
}

/** A table of so many pairs, in a file that both sides can begin with. */
export function fillBareSqlite(file: string, pairs: Iterable<Pair>): void {
  const database = connect(file);
  fill(database, 'bare', pairs);
  database.close();
}

/** Puts pairs into the table that the library has made in a file, as if they had been saved long ago. */
export function fillOwnSqlite(file: string, name: string, pairs: Iterable<Pair>): void {
  const database = connect(file);
  fill(database, name, pairs);
  database.prepare('UPDATE rx_persistify_dictionaries SET head = max(head, 1) WHERE name = ?').run(name);
  database.close();
}

/** Reads all into a Map, as fast as one thread can. */
export function loadBareSqlite(file: string, name: string): Map<string, unknown> {
  const database = connect(file);
  const map = loaded(database, name);
  database.close();
  return map;
}

function loaded(database: Database.Database, name: string): Map<string, unknown> {
  const map = new Map<string, unknown>();
  const rows = database.prepare<[], [string, string]>(`SELECT key, value FROM "${name}"`).raw().iterate();
  for (const [key, json] of rows) map.set(key, JSON.parse(json));
  return map;
}

function fill(database: Database.Database, name: string, pairs: Iterable<Pair>): void {
  const statement = database.prepare(`INSERT INTO "${name}" (key, value, created_at, updated_at, version, expires_at) VALUES (?, ?, ?, ?, 1, NULL)`);
  const now = Date.now();
  database.transaction(() => {
    for (const [key, value] of pairs) statement.run(key, JSON.stringify(value), now, now);
  })();
  database.pragma('wal_checkpoint(TRUNCATE)');
}

function connect(file: string): Database.Database {
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.pragma('temp_store = MEMORY');
  database.pragma('wal_autocheckpoint = 16000');
  database.exec(table);
  return database;
}
