import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import Database from 'better-sqlite3';
import { emptyDir } from 'fs-extra/esm';
import { jsonFile } from 'rx-persistify/json-file';
import { postgres } from 'rx-persistify/postgres';
import { sqlite } from 'rx-persistify/sqlite';
import { expect } from 'vitest';

import { filesIn, scratch } from '../../providers/json-file/store.ts';
import { databaseName } from './histories.ts';
import type { Cell, Trial } from './matrix.ts';
import { openingOf, type Opening } from './opening.ts';
import type { Storages } from './storages.ts';
import { Subject } from './subject.ts';

/** How backups that were taken while a store was written ended. */
interface Outcomes {
  backups: number;
  /** The store as it was at one `seq`, not below what was acknowledged when the backup began. */
  right: number;
  /** Refused as damaged, which says that it is to be taken again. */
  refused: number;
  /** A file was gone when its turn came: who copies is told, and takes it again. */
  failed: number;
}

/** Takes backups while the store is written, for as long as it takes. */
async function whileLiving(cell: Cell, subject: Subject, backUp: () => Promise<Opening | 'failed'>, times: number): Promise<Outcomes> {
  const outcomes = { backups: 0, right: 0, refused: 0, failed: 0 };
  const life = new AbortController();
  const living = (async () => {
    while (!life.signal.aborted) await subject.live(100);
  })();
  try {
    for (; outcomes.backups < times; outcomes.backups++) {
      await new Promise((resolve) => setTimeout(resolve, cell.random.next() * 10));
      const { moment } = subject;
      const opening = await backUp();
      if (opening === 'failed') outcomes.failed++;
      else if (opening.isRefused) outcomes.refused++;
      else {
        expect(subject.verdictOf(opening.entries, moment)).toMatchObject({ right: true });
        outcomes.right++;
      }
    }
  } finally {
    life.abort();
    await living;
  }
  expect(subject.failures).toEqual([]);
  await subject.close();
  return outcomes;
}

const run = promisify(execFile);

/** Copies a directory, file by file in any order, as slowly as a backup over a network. Resolves to whether every file was there. */
async function copySlowly({ random }: Cell, from: string, to: string): Promise<boolean> {
  await emptyDir(to);
  const names = (await filesIn(from)).filter((name) => !/\.(lock|tmp|sqlite-shm)$/.test(name));
  while (names.length > 0) {
    const [name = ''] = names.splice(random.whole(0, names.length - 1), 1);
    await new Promise((resolve) => setTimeout(resolve, random.next() * 20));
    // By another process: to close a file of SQLite's in this one would drop its locks.
    const isThere = await run('cp', ['-a', join(from, name), join(to, name)]).then(() => true, () => false);
    if (!isThere) return false;
  }
  return true;
}

/** The same by `cp` at once. */
async function copyAtOnce(from: string, to: string): Promise<boolean> {
  await rm(to, { recursive: true, force: true });
  const isWhole = await run('cp', ['-a', from, to]).then(() => true, () => false);
  const locks = (await filesIn(to)).filter((name) => name.endsWith('.lock'));
  for (const name of locks) await rm(join(to, name)); // of the owner, who lives
  return isWhole;
}

/**
 * The directory of a JSON file copied while it is written: a copy for which every file was there is the store as it was, or is
 * refused, as where a fold replaced files meanwhile. So a copy that opens is a backup.
 */
export function directoryCopied(how: 'at once' | 'slowly'): Trial {
  return async (cell) => {
    const directory = join(cell.directory, 'store');
    const subject = await Subject.open({ provider: jsonFile({ directory, logBytes: 1 << 20 }), random: cell.random, mood: 'bulk' });
    const copy = join(await scratch(), 'copy');
    const outcomes = await whileLiving(cell, subject, async () => {
      const isWhole = how === 'at once' ? await copyAtOnce(directory, copy) : await copySlowly(cell, directory, copy);
      return isWhole ? openingOf(jsonFile({ directory: copy })) : 'failed';
    }, cell.times(20, 1_000));
    await subject.expectKept(jsonFile({ directory }), { isWhole: true });
    expect(outcomes.right).toBeGreaterThan(0);
    return { ...outcomes };
  };
}

/** `VACUUM INTO` and SQLite's backup, as other programs do them: each is the store as it was. */
export const databaseBackedUp: Trial = async (cell) => {
  const file = join(cell.directory, databaseName);
  const subject = await Subject.open({ provider: sqlite({ file }), random: cell.random });
  const copies = await scratch();
  let count = 0;
  const outcomes = await whileLiving(cell, subject, async () => {
    const copy = join(copies, `${count++}.sqlite`);
    const database = new Database(file, { timeout: 5_000 });
    try {
      if (cell.random.chance(0.5)) database.prepare('VACUUM INTO ?').run(copy);
      else await database.backup(copy);
    } finally {
      database.close();
    }
    return openingOf(sqlite({ file: copy, worker: false }));
  }, cell.times(20, 2_000));
  expect(outcomes.refused).toBe(0);
  await subject.expectKept(sqlite({ file }), { isWhole: true });
  return { ...outcomes };
};

/** All tables of a schema, read in one snapshot, as pg_dump reads them, and put into another schema. */
export function schemaDumped(storages: Storages): Trial {
  return async (cell) => {
    const { server } = storages;
    const schema = server.freshSchema();
    const subject = await Subject.open({ provider: postgres({ connection: server.url, schema }), random: cell.random });
    const client = await server.program();
    const outcomes = await whileLiving(cell, subject, async () => {
      const copy = server.freshSchema();
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      const tables = ['survivor', 'rx_persistify_dictionaries', 'rx_persistify_writers', 'rx_persistify_log'];
      await client.query(`CREATE SCHEMA ${copy}`);
      for (const table of tables) {
        await client.query(`CREATE TABLE ${copy}.${table} (LIKE ${schema}.${table} INCLUDING ALL)`);
        await client.query(`INSERT INTO ${copy}.${table} OVERRIDING SYSTEM VALUE SELECT * FROM ${schema}.${table}`);
      }
      await client.query('COMMIT');
      return openingOf(postgres({ connection: server.url, schema: copy }));
    }, cell.times(12, 200));
    expect(outcomes.refused).toBe(0);
    await subject.expectKept(postgres({ connection: server.url, schema }), { isWhole: true });
    return { ...outcomes };
  };
}

/**
 * The files of a database copied one after the other, which SQLite does not allow (sqlite.org/howtocorrupt.html, 1.2): what the
 * copy holds nobody promises, but it opens or is refused, and the database itself takes no harm.
 */
export const databaseCopiedByFile: Trial = async (cell) => {
  const directory = join(cell.directory, 'store');
  const file = join(directory, databaseName);
  const subject = await Subject.open({ provider: sqlite({ file }), random: cell.random });
  const copy = join(await scratch(), 'copy');
  const tally = { copies: 0, right: 0, refused: 0, 'of no moment': 0 };
  const life = new AbortController();
  const living = (async () => {
    while (!life.signal.aborted) {
      await subject.live(100);
      const other = new Database(file, { timeout: 1_000 });
      other.pragma('wal_checkpoint(RESTART)');
      other.close();
    }
  })();
  for (; tally.copies < cell.times(12, 1_000); tally.copies++) {
    const { moment } = subject;
    await copySlowly(cell, directory, copy);
    const opening = await openingOf(sqlite({ file: join(copy, databaseName), worker: false }));
    if (opening.isRefused) tally.refused++;
    else tally[subject.verdictOf(opening.entries, moment).right ? 'right' : 'of no moment']++;
  }
  life.abort();
  await living;
  expect(subject.failures.filter(({ fatal }) => fatal)).toEqual([]);
  await subject.flush();
  await subject.close();
  await subject.expectKept(sqlite({ file }), { isWhole: true });
  return tally;
};
