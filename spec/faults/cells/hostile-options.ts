import { join } from 'node:path';

import Database from 'better-sqlite3';
import fc from 'fast-check';
import { memory, OptionsError, persistify, PersistifyError, type Provider } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { postgres } from 'rx-persistify/postgres';
import { sqlite } from 'rx-persistify/sqlite';
import { expect } from 'vitest';

import type { Cell } from './matrix.ts';
import { holds } from './properties.ts';
import type { Storages } from './storages.ts';

/** No option is any of these. */
const nonsense: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, 1n, Symbol('a'), NaN, -1, {}, [], [1], new Date(0), new Proxy({}, { get: () => { throw new Error('a proxy'); } })), // prettier-ignore
  fc.constantFrom<unknown>('', '\0', '\ud800', { toString: 'no function' }, Object.create(null)),
  fc.string({ unit: 'binary', maxLength: 4 }).map((text) => ({ [`${text} `]: text })),
);

/** Names that no option has, some almost. */
const unknownName = fc.oneof(fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', 'Batch', 'batchSize', 'intervalms', ' size', '', '0'), fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).map((text) => `${text}?`));

/** Ways to give an option that is none. */
const ways = ['a value', 'an unknown name', 'an accessor that throws'] as const;

interface Target {
  readonly names: readonly string[];
  /** What is right, so that what is wrong is what is refused. */
  readonly base: object;
  readonly give: (options: object) => unknown;
}

const builder = persistify(memory());
const ofTheCore: readonly Target[] = [
  { names: ['batch', 'retry', 'limits', 'ttl', 'schema', 'codec', 'scheduler', 'throwOnFailure'], base: {}, give: (options) => persistify(memory(), options) },
  { names: ['size', 'intervalMs'], base: {}, give: (options) => builder.withBatch(options) },
  { names: ['maxAttempts', 'delayMs', 'maxDelayMs', 'probeMs'], base: {}, give: (options) => builder.withRetry(options) },
  { names: ['pendingKeys', 'pendingBytes'], base: {}, give: (options) => builder.withLimits(options) },
  { names: ['ms', 'mode'], base: { ms: 1, mode: 'absolute' }, give: (options) => builder.withTtl(options as { ms: number; mode: 'absolute' }) },
];

function targetsOf({ column, directory }: Cell): readonly Target[] {
  const file = join(directory, 'options.sqlite');
  switch (column) {
    case 'memory':
      return ofTheCore;
    case 'json-file':
      return [{ names: ['directory', 'indent', 'fileMode', 'directoryMode', 'logBytes', 'takeOver', 'readOnly', 'pollMs'], base: { directory }, give: (options) => jsonFile(options as { directory: string }) }];
    case 'sqlite':
      return [
        { names: ['file', 'durability', 'worker', 'table', 'columns', 'busyTimeoutMs', 'pollMs'], base: { file }, give: (options) => sqlite(options as { file: string }) },
        { names: ['key', 'value', 'createdAt', 'updatedAt', 'version', 'expiresAt'], base: {}, give: (columns) => sqlite({ file, columns }) },
      ];
    case 'postgres':
      return [
        { names: ['poolSize', 'schema', 'table', 'columns', 'valueType', 'durability', 'pooler', 'pollMs', 'statementTimeoutMs', 'connectTimeoutMs'], base: {}, give: (options) => postgres(options) },
        { names: ['key', 'value', 'createdAt', 'updatedAt', 'version', 'expiresAt'], base: {}, give: (columns) => postgres({ columns }) },
      ];
  }
}

/** Strings that name something where a name is expected: they are options after all. */
const mayBeNames = new Set(['directory', 'file', 'schema', 'key', 'value', 'createdAt', 'updatedAt', 'version', 'expiresAt']);
/** Objects without members are options after all; so is no limit. */
const mayBeEmpty = new Set(['batch', 'retry', 'limits', 'columns', 'schema', 'pendingKeys', 'pendingBytes']);

/** Gives options that are none. Each is refused with an OptionsError at once. */
export async function tryOptions(cell: Cell): Promise<{ readonly options: number }> {
  const targets = targetsOf(cell);
  let options = 0;
  const inputs = fc.tuple(fc.constantFrom(...targets), fc.constantFrom(...ways), fc.nat(), nonsense, unknownName);
  await holds(cell, inputs, { short: 1_000, long: 50_000 }, ([target, way, which, value, unknown]) => {
    const name = target.names[which % target.names.length] ?? '';
    if (way === 'a value' && ((typeof value === 'string' && mayBeNames.has(name)) || (isEmpty(value) && mayBeEmpty.has(name)))) return;
    const given: object = { ...target.base };
    if (way === 'an unknown name') Object.defineProperty(given, unknown, { value: 1, enumerable: true });
    else if (way === 'a value') Object.defineProperty(given, name, { value, enumerable: true });
    else Object.defineProperty(given, name, { get: () => { throw new Error('an accessor'); }, enumerable: true }); // prettier-ignore
    options++;
    expect(() => target.give(given), `${way} ${way === 'an unknown name' ? JSON.stringify(unknown) : name}`).toThrow(OptionsError);
  });
  return { options };
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Reflect.ownKeys(value).length === 0;
}

/** What is given with a call: a time to live, a signal, a deadline. */
export async function tryArguments(cell: Cell, provider: Provider): Promise<{ readonly calls: number }> {
  const store = await persistify(provider).open<Record<string, number>>('arguments');
  await store.setAndSave('a', 1);
  let calls = 0;
  const lifetimes = fc.oneof(fc.constantFrom<unknown>(0, -1, NaN, '1', null, {}, [], 1n, -Infinity, Symbol('a'), new Date(1), true), fc.double({ max: 0.99, noNaN: true }));
  await holds(cell, lifetimes, { short: 100, long: 5_000 }, async (ttlMs) => {
    const given = { ttlMs: ttlMs as number };
    calls += 4;
    expect(() => store.set('a', 2, given)).toThrow(OptionsError);
    expect(() => store.add('b', 2, given)).toThrow(OptionsError);
    await expect(store.setAndSave('a', 2, given)).rejects.toThrow(OptionsError);
    await expect(store.addAndSave('b', 2, given)).rejects.toThrow(OptionsError);
    expect([[...store], store.unsaved]).toEqual([[['a', 1]], []]);
  });
  await store.close();
  return { calls };
}

/** SQL as the name of a table, a column or a schema. It is a name. */
export async function trySql(cell: Cell, storages: Storages): Promise<{ readonly tables: number }> {
  const sql = fc.oneof(
    fc.constantFrom('"; DROP TABLE bystander; --', "'; DROP TABLE bystander; --", 'a" text, "b', 'x") VALUES (1); --', '$1', '?1', ':name', '%I', 'select', 'TABLE', 'a.b', '[a]', '`a`', '\\', '\n', "E'\\'", '$$', '--', '/*', 'ä"ö', ' '),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 15 }),
  );
  const names = fc.uniqueArray(sql, { minLength: 7, maxLength: 7, selector: (name) => name.toLowerCase() });
  let tables = 0;
  await holds(cell, names, { short: 15, long: 1_000 }, async ([table = '', ...others]) => {
    const [key = '', value = '', createdAt = '', updatedAt = '', version = '', expiresAt = ''] = others;
    const columns = { key, value, createdAt, updatedAt, version, expiresAt };
    const file = join(cell.directory, `${++tables}.sqlite`);
    const schema = `${table.slice(0, 10)} ${tables}`;
    const provider = (): Provider => (cell.column === 'sqlite' ? sqlite({ file, columns, table: () => table }) : postgres({ connection: storages.server.url, schema, columns, table: () => table }));
    if (cell.column === 'sqlite') new Database(file).exec('CREATE TABLE bystander AS SELECT 1 AS value').close();
    else await storages.server.sql('CREATE TABLE IF NOT EXISTS public.bystander AS SELECT 1 AS value');
    try {
      const store = await persistify(provider()).withRetry({ maxAttempts: 1 }).open<Record<string, number>>('named');
      store.set('a', 1);
      await store.updateAndSave('b', () => 2);
      await store.setAndSave('c', 3, { ttlMs: 1e9 });
      await store.deleteAndSave('a');
      await store.close();
      const again = await persistify(provider()).open<Record<string, number>>('named');
      expect(new Map(again)).toEqual(new Map([['b', 2], ['c', 3]])); // prettier-ignore
      await again.close();
    } catch (error) {
      // A name that the database reserves, or cannot hold, is refused in words.
      if (!(error instanceof PersistifyError) || (error.code !== 'OPTIONS' && error.code !== 'LOAD_FAILED')) throw error;
      expect(error.message).not.toContain('syntax error');
    }
    if (cell.column === 'sqlite') {
      const database = new Database(file);
      expect(database.prepare('SELECT value FROM bystander').pluck().all()).toEqual([1]);
      database.close();
    } else expect(await storages.server.sql('SELECT value FROM public.bystander')).toEqual([{ value: 1 }]);
  });
  return { tables };
}
