import { closeSync, fsyncSync, openSync, statSync } from 'node:fs';

import { CorruptDataError, ProviderError } from '../../errors.ts';
import type { Sliced } from './commit.ts';
import type { Database, Driver } from './driver.ts';
import type { SqliteSettings } from './options.ts';
import { rowOf } from './rows.ts';

/** The oldest SQLite without the bug that can lose a commit when a WAL is reset beside a second connection (sqlite.org/wal.html). */
const oldestVersion = [3, 51, 3] as const;

/** How long a statement waits for another connection's lock within SQLite, which holds the thread; commits wait outside it. */
const lockWaitMs = 50;

/** Pages that a WAL gathers before it is copied into the file; at SQLite's 1,000 random updates took 1.4x the time (ran). */
const checkpointPages = 16_000;

/**
 * Opens the connection that commits.
 * @param look is given the connection before anything is changed: to enter WAL mode changes a file, which one that is refused must not be.
 */
export function openForWriting(driver: Driver, settings: SqliteSettings, look?: (database: Database) => void): Database {
  const database = new driver(settings.file, { timeout: lockWaitMs, fileMustExist: true });
  try {
    checkVersion(single(database, 'SELECT sqlite_version()'));
    checkLength(database, settings.file);
    look?.(database);
    enterWriteAheadLog(database, settings.file);
    setSynchronous(database, settings);
    if (settings.durability === 'full') flushLog(settings.file);
    // Statements of many rows would spill their journal to a file.
    database.pragma('temp_store = MEMORY');
    // A commit itself copies them only where `checkpointIfLong` did not come to it.
    database.pragma(`wal_autocheckpoint = ${2 * checkpointPages}`);
    // One huge commit should not leave a huge -wal behind for good.
    database.pragma(`journal_size_limit = ${checkpointPages * 4_096}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Opens a connection that cannot write. It is no `readonly` one: such a one cannot recover a WAL that a crash left. */
export function openForReading(driver: Driver, settings: SqliteSettings): Database {
  const database = new driver(settings.file, { timeout: lockWaitMs, fileMustExist: true });
  try {
    database.pragma('query_only = ON');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Whether a connection's statements wait for locks. */
export function waitForLocks(database: Database, isWaiting: boolean): void {
  database.pragma(`busy_timeout = ${isWaiting ? lockWaitMs : 0}`);
}

/** Copies the log into the file, as far as nobody reads it, if it has grown long. */
export function checkpointIfLong(database: Database): void {
  const [, pages] = rowOf(database.prepare('PRAGMA wal_checkpoint(NOOP)').raw().get()) ?? [];
  if (Number(pages) >= checkpointPages) database.pragma('wal_checkpoint(PASSIVE)');
}

/** @throws ProviderError if this version of SQLite can lose commits in WAL mode. */
export function checkVersion(version: unknown): void {
  const parts = String(version).split('.').map(Number);
  for (const [index, oldest] of oldestVersion.entries()) {
    const part = parts[index] ?? 0;
    if (part > oldest) return;
    if (part < oldest) {
      const least = oldestVersion.join('.');
      const message = `SQLite ${String(version)} can lose commits when a write-ahead log is reset (sqlite.org/wal.html); ${least} is the least: install better-sqlite3 12.11 or later.`;
      throw new ProviderError(message, { kind: 'halt' });
    }
  }
}

/**
 * What is missing of a last page that was cut off, SQLite takes for zeros, and the rows there for none.
 * @throws CorruptDataError if it was. Where there is a log, it may hold that page, and be copied at this moment.
 */
function checkLength(database: Database, file: string): void {
  single(database, 'SELECT count(*) FROM sqlite_schema'); // fails for what is no database, of which no length would be right
  const { size } = statSync(file);
  const excess = size % Number(single(database, 'PRAGMA page_size'));
  if (excess === 0 || (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) return;
  throw new CorruptDataError(`${file} is damaged: it ends within a page, ${excess} bytes behind its begin. It is left as it is: restore a backup, or save what can be read with \`sqlite3 ${file} .recover\`.`, {
    location: file,
  });
}

function enterWriteAheadLog(database: Database, file: string): void {
  // To its end: the change is committed behind the row that says "wal", and that it failed is told only to who reads on.
  const [mode] = database.prepare('PRAGMA journal_mode = WAL').pluck().all();
  if (mode !== 'wal') {
    const message = `${file} cannot be kept in WAL mode (it stays in "${String(mode)}"), which needs a local file system with shared memory.`;
    throw new ProviderError(message, { kind: 'halt' });
  }
}

function setSynchronous(database: Database, { durability, file }: SqliteSettings): void {
  const [name, level] = durability === 'full' ? ['FULL', 2] : ['NORMAL', 1];
  database.pragma(`synchronous = ${name}`);
  // The first read of a WAL applies its default, NORMAL, where nothing was set: read back only behind one.
  single(database, 'SELECT count(*) FROM sqlite_schema');
  const actual = single(database, 'PRAGMA synchronous');
  if (actual !== level) {
    throw new ProviderError(`${file}: synchronous = ${name} was set, but ${String(actual)} reads back, so commits would be less durable than promised.`, { kind: 'halt' });
  }
}

/**
 * Recovery brings back a commit that a killed process had written to the log and not flushed. Whoever sees it must see it again
 * after a power cut. To be called when the log was read; SQLite holds no lock on it, so that closing it here drops none.
 */
function flushLog(file: string): void {
  const name = `${file}-wal`;
  if ((statSync(name, { throwIfNoEntry: false })?.size ?? 0) === 0) return;
  try {
    const log = openSync(name, 'r+'); // Windows flushes what may be written
    try {
      fsyncSync(log);
    } finally {
      closeSync(log);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ProviderError(`${name} cannot be flushed (${reason}), so what it holds is not certain to last.`, { kind: 'retry', cause: error });
  }
}

/**
 * Makes sure, on a fresh connection, that the file is whole after an I/O error, and that what it shows is on the disk.
 * Recovery can bring back a commit whose fsync failed and whose pages the system has marked clean (so that another fsync
 * means nothing): a checkpoint writes them anew, into the file itself. It is waited for as long as for any lock, and outside of
 * SQLite, as the feed of this process may be who reads, and needs this thread to come to its end.
 * @throws CorruptDataError if the file is damaged.
 */
export function* checkAfterFailure(database: Database, { file, busyTimeoutMs }: SqliteSettings): Sliced<void> {
  const found = database.prepare('PRAGMA quick_check(1)').pluck().get();
  if (found !== 'ok') {
    const message = `${file} is damaged after an I/O error (${String(found)}). It is left as it is: restore a backup, or save what can be read with \`sqlite3 ${file} .recover\`.`;
    throw new CorruptDataError(message, { location: file });
  }
  for (const giveUpAt = performance.now() + busyTimeoutMs; !isLogCopied(database); ) {
    if (performance.now() >= giveUpAt) throw heldUp(file);
    yield 'locked';
  }
}

/** That {@link checkAfterFailure} cannot come to its end now. */
export function heldUp(file: string): ProviderError {
  return new ProviderError(`${file}: after an I/O error the write-ahead log must be copied into the file first, and a reader holds that up.`, { kind: 'retry' });
}

function isLogCopied(database: Database): boolean {
  const [busy, inLog, copied] = rowOf(database.prepare('PRAGMA wal_checkpoint(FULL)').raw().get()) ?? [];
  return busy === 0 && inLog === copied;
}

/** Which file the path leads to, to notice when it leads to another one or nowhere. */
export function fileIdentity(file: string): string | undefined {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`;
}

function single(database: Database, sql: string): unknown {
  return database.prepare(sql).pluck().get();
}
