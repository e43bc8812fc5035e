import { join } from 'node:path';

import Database from 'better-sqlite3';
import { CorruptDataError, persistify, type Provider } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';
import { postgres } from 'rx-persistify/postgres';
import { expect } from 'vitest';

import { newStamp, stampedValue } from '../../crash/stamped-value.ts';
import { scratch } from '../../providers/json-file/store.ts';
import { oneOf } from './damage.ts';
import { databaseName } from './histories.ts';
import type { Cell, Trial } from './matrix.ts';
import { openingOf, wordsOf } from './opening.ts';
import type { Storages } from './storages.ts';
import { Subject } from './subject.ts';

/** A database in which another program edits rows. */
interface EditedDatabase {
  readonly provider: () => Provider;
  /** Runs a statement in the place of the dictionary; gives the rows of the answer. */
  readonly run: (sql: string) => Promise<readonly unknown[]>;
  /** Edits after which an entry cannot be read. `KEY` stands for its key. */
  readonly unreadable: readonly string[];
  /** Edits that cost no entry. */
  readonly harmless: readonly string[];
  /** An expression for the bytes of a value. */
  readonly bytes: string;
}

/** A key's value of another shape, or of none. What is about the bookkeeping costs no entry. */
const [bookkeeping, shapes] = [
  ['DELETE FROM rx_persistify_log', 'DELETE FROM rx_persistify_writers', 'UPDATE rx_persistify_dictionaries SET head = head + 100000', "UPDATE survivor SET version = 0 WHERE key = 'KEY'"],
  ['{"other": "shape"}', '[]', '"\\u0000"', 'null', '1e999', '{"stamp": 1, "text": "a"}'].map((json) => `UPDATE survivor SET value = '${json}' WHERE key = 'KEY'`),
];

function sqliteToEdit(directory: string): EditedDatabase {
  const file = join(directory, databaseName);
  return {
    provider: () => sqlite({ file }),
    run: (sql) => {
      const database = new Database(file);
      try {
        const statement = database.prepare(sql);
        return Promise.resolve(statement.reader ? statement.all() : [statement.run()]);
      } finally {
        database.close();
      }
    },
    unreadable: [...shapes, ...["'{\"stamp\":'", "''", "x'22c3'", 'value || char(0)', 'substr(value, 2)', "x'00'"].map((value) => `UPDATE survivor SET value = ${value} WHERE key = 'KEY'`)],
    harmless: [...bookkeeping, "UPDATE survivor SET version = 'text' WHERE key = 'KEY'", "UPDATE survivor SET expires_at = 'soon' WHERE key = 'KEY'", "UPDATE survivor SET value = CAST(value AS BLOB) WHERE key = 'KEY'", "UPDATE rx_persistify_writers SET result = 'no list'", "UPDATE rx_persistify_log SET keys = 'no list'"],
    bytes: 'hex(value)',
  };
}

function postgresToEdit({ server }: Storages): EditedDatabase {
  const schema = server.freshSchema();
  return {
    provider: () => postgres({ connection: server.url, schema }),
    run: async (sql) => {
      await server.sql(`SET search_path = ${schema}`);
      return server.sql(sql);
    },
    unreadable: shapes,
    harmless: [...bookkeeping, "UPDATE survivor SET value = ('  ' || value)::json WHERE key = 'KEY'", "UPDATE rx_persistify_writers SET result = 'no list'", "UPDATE rx_persistify_log SET keys = '{}'"],
    bytes: "encode(convert_to(value::text, 'UTF8'), 'hex')",
  };
}

/**
 * Another program edits rows of a closed store: what cannot be read is told and kept in its place, through saves and openings, all
 * else is as it was, and the store goes on.
 */
export function rowsEdited(storages: Storages): Trial {
  return async (cell) => {
    const tally = { edits: 0, quarantined: 0, harmless: 0 };
    for (let round = 0; round < cell.times(1, 20); round++) {
      const database = cell.column === 'sqlite' ? sqliteToEdit(await scratch()) : postgresToEdit(storages);
      for (const edit of database.harmless) {
        await editOnce(cell, database, edit, true);
        tally.harmless++;
      }
      for (const edit of database.unreadable) {
        await editOnce(cell, database, edit, false);
        tally.quarantined++;
      }
    }
    return { ...tally, edits: tally.harmless + tally.quarantined };
  };
}

async function editOnce({ random }: Cell, { provider, run, bytes }: EditedDatabase, statement: string, isReadable: boolean): Promise<void> {
  const before = await openingOf(provider());
  const subject = await Subject.open({ provider: provider(), random, ...(!before.isRefused && { before: before.entries }) });
  await subject.live(40);
  subject.set('kept');
  await subject.close();
  const entries = new Map(subject.entries);
  const key = oneOf([...entries.keys()].filter((name) => name !== 'kept'), random);
  const edit = statement.replaceAll('KEY', key);
  await run(edit);
  const rows = `SELECT key, ${bytes} AS bytes FROM survivor WHERE key <> 'added' ORDER BY key`;
  const stored = await run(rows);
  if (!isReadable) entries.delete(key);

  const opening = await openingOf(provider(), { isChecked: true });
  if (opening.isRefused) throw new Error(`${edit}: ${wordsOf(opening)}`);
  expect(opening.entries, edit).toEqual(entries);
  expect(opening.quarantined, edit).toEqual(isReadable ? [] : [key]);
  expect(opening.told.map(({ error }) => error instanceof CorruptDataError), edit).toEqual(isReadable ? [] : [true]);

  const value = stampedValue(newStamp(800_000, 1, 20));
  const store = await persistify(provider()).open('survivor');
  expect(await store.setAndSave('added', value), edit).toBe(true);
  await store.close();
  expect(await run(rows), `${edit}, after a save`).toEqual(stored);
  await run("DELETE FROM survivor WHERE key = 'added'");
  if (!isReadable) await run(`DELETE FROM survivor WHERE key = '${key}'`); // for the next edit in this database
}
