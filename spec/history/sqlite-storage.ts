import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import Database from 'better-sqlite3';
import { persistify } from 'rx-persistify';

import type { Random } from '../crash/random.ts';
import type { AuditRow } from './audit.ts';
import type { StoredRow } from './checker.ts';
import { suspension } from './member-process.ts';
import { providerAt, storeName, type Place } from './place.ts';
import type { Fault, Storage } from './storage.ts';

/** Told by triggers within each commit, so that it is stored with it or not at all. Behind a commit's rows stands its row in the log. */
const trail = `
CREATE TABLE history_audit (position INTEGER PRIMARY KEY, type TEXT NOT NULL, key TEXT, value TEXT, version INTEGER, number INTEGER);
CREATE TRIGGER history_inserted AFTER INSERT ON history BEGIN
  INSERT INTO history_audit (type, key, value, version) VALUES ('set', NEW.key, NEW.value, NEW.version);
END;
CREATE TRIGGER history_updated AFTER UPDATE OF value, version ON history BEGIN
  INSERT INTO history_audit (type, key, value, version) VALUES ('set', NEW.key, NEW.value, NEW.version);
END;
CREATE TRIGGER history_deleted AFTER DELETE ON history BEGIN
  INSERT INTO history_audit (type, key) VALUES ('delete', OLD.key);
END;
CREATE TRIGGER history_committed AFTER INSERT ON rx_persistify_log BEGIN
  INSERT INTO history_audit (type, key, version, number) VALUES ('commit', NEW.writer, NEW.version, NEW.number);
END;`;

/** A history in an SQLite file. There is no connection to cut: answers are lost in the process, and locks are held by others. */
export class SqliteStorage implements Storage {
  readonly faults: readonly Fault[];
  readonly #place: Extract<Place, { provider: 'sqlite' }>;
  readonly #random: Random;

  constructor(directory: string, random: Random, pollMs: number | undefined) {
    this.#place = { provider: 'sqlite', file: join(directory, 'history.sqlite'), ...(pollMs === undefined ? {} : { pollMs }) };
    this.#random = random;
    this.faults = [
      { name: 'answer-lost', weight: 5, isOfWriters: true, inject: (member) => member.order({ type: 'lose answer' }) },
      { name: 'locked', weight: 3, inject: () => this.#holdLock(random.magnitude(20, 1_500)) },
      { name: 'checkpoint', weight: 1, inject: () => this.#checkpoint() },
      suspension(random),
    ];
  }

  async prepare(): Promise<number> {
    const store = await persistify(providerAt(this.#place)).open(storeName);
    await store.close();
    return this.#with((database) => {
      database.exec(trail);
      return Number(database.prepare('SELECT head FROM rx_persistify_dictionaries WHERE name = ?').pluck().get(storeName));
    });
  }

  place(): Place {
    return this.#place;
  }

  *audit(): Iterable<AuditRow> {
    const database = new Database(this.#place.file);
    try {
      const rows = database.prepare('SELECT type, key, value, version, number FROM history_audit ORDER BY position').raw().iterate();
      for (const row of rows) yield auditRow(Array.isArray(row) ? row : []);
    } finally {
      database.close();
    }
  }

  stored(): Promise<readonly StoredRow[]> {
    const rows = this.#with((database) => database.prepare('SELECT key, value FROM history').raw().all());
    return Promise.resolve(rows.map((row) => (Array.isArray(row) ? { key: String(row[0]), json: String(row[1]) } : { key: '', json: 'null' })));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Another program that writes the file, and takes its time. */
  async #holdLock(forMs: number): Promise<void> {
    const database = new Database(this.#place.file, { timeout: 0 });
    try {
      while (!began(database)) await delay(this.#random.whole(1, 5));
      await delay(forMs);
      database.exec('ROLLBACK');
    } finally {
      database.close();
    }
  }

  /** The write-ahead log begins anew, as far as nobody reads it. */
  #checkpoint(): Promise<void> {
    this.#with((database) => database.pragma('wal_checkpoint(TRUNCATE)'));
    return Promise.resolve();
  }

  #with<T>(use: (database: Database.Database) => T): T {
    const database = new Database(this.#place.file, { timeout: 100 });
    try {
      return use(database);
    } finally {
      database.close();
    }
  }
}

function began(database: Database.Database): boolean {
  try {
    database.exec('BEGIN IMMEDIATE');
    return true;
  } catch (error) {
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) return false;
    throw error;
  }
}

function auditRow([type, key, value, version, number]: readonly unknown[]): AuditRow {
  if (type === 'set') return { type, key: String(key), json: String(value), version: Number(version) };
  if (type === 'delete') return { type, key: String(key) };
  return { type: 'commit', writer: String(key), version: Number(version), number: Number(number) };
}
