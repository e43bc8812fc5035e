import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import Database from 'better-sqlite3';
import { persistify, type Failure, type Provider } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { postgres } from 'rx-persistify/postgres';
import { sqlite } from 'rx-persistify/sqlite';
import { expect } from 'vitest';

import type { Cell } from './matrix.ts';
import type { Storage, Storages } from './storages.ts';

const nested = (levels: number, open: string, close: string): string => `${open.repeat(levels)}1${close.repeat(levels)}`;

/** Texts that are JSON, and that no value which is set would have. */
const texts: readonly (readonly [name: string, text: string])[] = [
  ['501 arrays', nested(501, '[', ']')],
  ['3,000 objects', nested(3_000, '{"a":', '}')],
  ['100,000 arrays', nested(100_000, '[', ']')],
  ['100,000 objects', nested(100_000, '{"a":', '}')],
  ['infinity', '{"a":[1e400]}'],
  ['half a surrogate pair', '["\\ud800"]'],
  ['half a surrogate pair in a name', '{"\\udfff":1}'],
];

/** So many levels PostgreSQL itself takes. */
const deepestOfPostgres = 3_000;

/** Fills storage with what a store would not write, as another program may. It is quarantined, and nothing else suffers. */
export async function tryStoredTexts({ column }: Cell, { provider }: Storage): Promise<{ readonly texts: number }> {
  const stored = texts.filter(([, text]) => column !== 'postgres' || text.length < deepestOfPostgres * 10);
  const session = await provider().open('limits', { writer: 'another program', report: () => undefined });
  const bad = [...stored.map(([key, json]) => ({ type: 'set', key, json }) as const), { type: 'set', key: 'k'.repeat(1_025), json: '1' } as const];
  await session.write({ number: 1, writer: 'another program', mutations: [...bad, { type: 'set', key: 'good', json: '{"a":1}' }, { type: 'set', key: 'also good', json: nested(499, '[', ']') }] }, { signal: new AbortController().signal });
  await session.close();

  const store = await persistify(provider()).open<Record<string, unknown>>('limits');
  const failures: Failure[] = [];
  store.errors$.subscribe((failure) => failures.push(failure));
  const keys = new Set(bad.map(({ key }) => key));
  expect(new Set(store.keys())).toEqual(new Set(['good', 'also good']));
  expect(new Set(store.quarantined.keys())).toEqual(keys);
  await expect.poll(() => failures.length).toBe(1);
  expect(failures).toMatchObject([{ operation: 'load', fatal: false, error: { code: 'CORRUPT_DATA' } }]);
  const changes: unknown[] = [];
  store.changes$.subscribe((change) => changes.push(change));
  await store.reload();
  expect(changes, 'what a reload tells where nothing has changed').toEqual([]);
  for (const { key } of bad.slice(1)) store.delete(key);
  await store.setAndSave('501 arrays', 'mended');
  await store.close();

  const again = await persistify(provider()).open<Record<string, unknown>>('limits');
  expect(new Set(again.keys())).toEqual(new Set(['good', 'also good', '501 arrays']));
  expect(again.quarantined.size).toBe(0);
  await again.close();
  return { texts: bad.length };
}

const longestTaken = 500_000_000;

/** Storage holds a value that is too long for a string. It is quarantined where rows are read one by one, and refused where a file is read as a whole. */
export async function tryTooLong(cell: Cell, storages: Storages): Promise<{ readonly values: number }> {
  const { provider, make } = tooLongIn(cell, storages);
  if (cell.column !== 'json-file') await (await persistify(provider()).open('long')).close();
  await make();
  const opening = persistify(provider()).withRetry({ maxAttempts: 1 }).open<Record<string, unknown>>('long');
  if (cell.column === 'json-file') {
    await expect(opening).rejects.toMatchObject({ code: 'CORRUPT_DATA', location: join(cell.directory, 'long.json'), offset: 14 });
    return { values: 1 };
  }
  const store = await opening;
  expect([[...store], [...store.quarantined.keys()]]).toEqual([[['good', 1]], ['long']]);
  expect(store.quarantined.get('long')?.error.message).toContain('too long');
  await store.setAndSave('long', 'mended');
  await store.reload();
  expect(new Map(store)).toEqual(new Map<string, unknown>([['good', 1], ['long', 'mended']])); // prettier-ignore
  await store.close();
  return { values: 1 };
}

function tooLongIn(cell: Cell, storages: Storages): { readonly provider: () => Provider; readonly make: () => Promise<unknown> } {
  const row = (table: string, key: string, value: string): string => `INSERT INTO ${table} (key, value, created_at, updated_at, version) VALUES ('${key}', ${value}, 0, 0, 1)`;
  if (cell.column === 'json-file') {
    return { provider: () => jsonFile({ directory: cell.directory }), make: () => pipeline(longObject(), createWriteStream(join(cell.directory, 'long.json'))) };
  }
  if (cell.column === 'sqlite') {
    const file = join(cell.directory, 'long.sqlite');
    const make = (): Promise<unknown> => {
      const database = new Database(file);
      database.exec(row('long', 'good', "'1'")).exec(row('long', 'long', `hex(zeroblob(${longestTaken / 2 + 1}))`)).close();
      return Promise.resolve();
    };
    return { provider: () => sqlite({ file }), make };
  }
  const { server } = storages;
  const schema = server.freshSchema();
  const make = async (): Promise<unknown> => {
    await server.sql(row(`${schema}.long`, 'good', "'1'"));
    // To compress it takes the server half a minute.
    if (cell.times(0, 1) === 0) await server.sql(`ALTER TABLE ${schema}.long ALTER COLUMN value SET STORAGE EXTERNAL`);
    return server.sql(row(`${schema}.long`, 'long', `('"' || repeat(repeat('x', 1000000), 510) || '"')::json`));
  };
  return { provider: () => postgres({ connection: server.url, schema }), make };
}

function* longObject(): Generator<string> {
  yield '{"a":1,"long":"';
  const block = 'x'.repeat(1_000_000);
  for (let count = 0; count < 600; count++) yield block;
  yield '"}';
}
