import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import Database from 'better-sqlite3';
import { persistify } from 'rx-persistify';
import { sqlite, type SqliteOptions } from 'rx-persistify/sqlite';
import { expect } from 'vitest';

import { providerAt } from '../../crash/place.ts';
import { storeName } from '../../crash/storage.ts';
import type { Cell } from './matrix.ts';
import { Subject } from './subject.ts';

/** What opening a file came to: the error's code, or what the store holds. */
async function outcomeOf(options: SqliteOptions): Promise<Readonly<Record<string, unknown>>> {
  try {
    const store = await persistify(sqlite(options)).withRetry({ maxAttempts: 1 }).open<Record<string, unknown>>(storeName);
    const entries = Object.fromEntries(store);
    await store.close();
    return entries;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return { code: String(error.code), message: error.message };
    throw error;
  }
}

/** That it is refused in so many words, and left as it is to the last byte. */
async function expectRefused(options: SqliteOptions, code: string, words: string): Promise<void> {
  const before = statSync(options.file).isFile() ? readFileSync(options.file) : undefined;
  const outcome = await outcomeOf(options);
  expect(outcome['code'], JSON.stringify(outcome).slice(0, 300)).toBe(code);
  expect(outcome['message']).toContain(words);
  if (before !== undefined) expect(readFileSync(options.file).equals(before), 'whether every byte is kept').toBe(true);
}

/** Tables that are not as this version makes them: fit ones are taken over, and others refused and left as they are. */
export async function ofAnotherVersion(cell: Cell) {
  const tally = { databases: 0, adopted: 0, refused: 0 };
  for (const worker of [true, false]) {
    const make = (...statements: readonly string[]): SqliteOptions => {
      const file = join(cell.directory, `version-${tally.databases++}.sqlite`);
      const database = new Database(file);
      for (const statement of statements) database.exec(statement);
      database.close();
      return { file, worker };
    };
    const rows = `INSERT INTO survivor (key, value) VALUES ('a', '1'), ('b', '{"c":2}')`;

    // The table alone, without the bookkeeping, and with times as other programs write them.
    const bare = make('CREATE TABLE survivor (key TEXT PRIMARY KEY, value TEXT, created_at INTEGER, updated_at INTEGER, version INTEGER, expires_at INTEGER)', rows);
    for (const round of [1, 2]) expect(await outcomeOf(bare), `at the opening ${round}`).toEqual({ a: 1, b: { c: 2 } });
    tally.adopted++;

    // As Persistify for .NET makes it.
    await expectRefused(make('CREATE TABLE survivor (key TEXT PRIMARY KEY, value TEXT NOT NULL, created TEXT, updated TEXT)', rows), 'LOAD_FAILED', 'cannot hold the dictionary');
    tally.refused++;

    const later = await ours(join(cell.directory, `version-${tally.databases++}.sqlite`), worker, cell);
    const database = new Database(later.file);
    database.exec('UPDATE rx_persistify_dictionaries SET format = 99');
    database.close();
    await expectRefused(later, 'LOAD_FAILED', 'was written by a later version of rx-persistify (format 99');
    tally.refused++;
    tally.refused += await migratedWhileOpen(cell, join(cell.directory, `version-${tally.databases++}.sqlite`), worker);
  }
  return tally;
}

/** A file of this version with something in it. */
async function ours(file: string, worker: boolean, cell: Cell): Promise<SqliteOptions> {
  const subject = await Subject.open({ provider: providerAt({ provider: 'sqlite', file, worker }), random: cell.random, mood: 'growth' });
  await subject.live(100);
  await subject.close();
  return { file, worker };
}

/** A later version's program that takes the file over does so under the feet of this one, which writes no more. */
async function migratedWhileOpen(cell: Cell, file: string, worker: boolean): Promise<number> {
  const provider = () => providerAt({ provider: 'sqlite', file, worker });
  const subject = await Subject.open({ provider: provider(), random: cell.random });
  await subject.live(60);
  expect(await subject.flush()).toBe(true);
  const database = new Database(file, { timeout: 5_000 });
  database.exec('UPDATE rx_persistify_dictionaries SET format = 99');
  await subject.live(60);
  expect(await subject.flush()).toBe(false);
  expect(subject.hasTold('was written by a later version of rx-persistify')).toBe(true);
  await expect(subject.close()).rejects.toMatchObject({ code: 'SAVE_FAILED' });
  database.exec('UPDATE rx_persistify_dictionaries SET format = 1');
  database.close();
  await subject.expectKept(provider());
  return 1;
}

/** Files of any kind where the database should be. */
export async function notADatabase(cell: Cell) {
  const tally = { files: 0 };
  for (const worker of [true, false]) {
    const whole = readFileSync((await ours(join(cell.directory, `whole-${tally.files}.sqlite`), worker, cell)).file);
    const at = (): string => join(cell.directory, `file-${tally.files++}`);
    const refused = async (bytes: Buffer, words: string): Promise<void> => {
      const file = at();
      writeFileSync(file, bytes);
      await expectRefused({ file, worker }, 'CORRUPT_DATA', words);
    };
    await refused(Buffer.from('A text of some length, which is no database at all. '.repeat(40)), 'is not an SQLite database');
    await refused(Buffer.from('{"a":1}'), 'is not an SQLite database');
    await refused(Buffer.alloc(8_192), 'is not an SQLite database');
    // SQLite itself would take a single byte for an empty file, and write over it.
    await refused(Buffer.from('{'), 'ends within a page');
    for (let left = cell.times(10, 500); left > 0; left--) await refused(randomBytes(cell.random.magnitude(2, 50_000)), 'is not an SQLite database');
    for (let left = cell.times(20, 1_000); left > 0; left--) {
      const length = cell.random.whole(2, whole.length - 1);
      await refused(whole.subarray(0, length), length < 512 ? 'is not an SQLite database' : 'is damaged');
    }
    const directory = at();
    mkdirSync(directory);
    await expectRefused({ file: directory, worker }, 'LOAD_FAILED', 'is a directory');
    // What SQLite itself takes for a new database.
    const empty = at();
    writeFileSync(empty, '');
    expect(await outcomeOf({ file: empty, worker })).toEqual({});
  }
  return tally;
}
