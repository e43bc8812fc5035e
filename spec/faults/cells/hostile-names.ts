import { readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';

import Database from 'better-sqlite3';
import fc from 'fast-check';
import { persistify, type Provider, type Store } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { expect } from 'vitest';

import { hostileNames } from '../../../lib/conformance/hostile.ts';
import { stemOf } from '../../../lib/providers/json-file/file-names.ts';
import { defaultTableName as postgresTable } from '../../../lib/providers/postgres/identifiers.ts';
import { defaultTableName as sqliteTable } from '../../../lib/providers/sqlite/identifiers.ts';
import type { Cell } from './matrix.ts';
import { holds } from './properties.ts';
import type { Storages } from './storages.ts';

/** Other names by which the same file or table could be meant. */
const likenesses: readonly ((name: string) => readonly string[])[] = [
  (name) => [name, `${name}.`, `${name} `],
  (name) => [name, stemOf(name)],
  (name) => [name, postgresTable(name), sqliteTable(name)],
  (name) => [name, name.toUpperCase(), name.toLowerCase()],
  (name) => [name.normalize('NFD'), name.normalize('NFC')],
  (name) => [name, `./${name}`, encodeURIComponent(name)],
  (name) => [name, `${name}.json`, `${name}.json.1.log`],
  (name) => [name, `${name}_2`, `dictionary_${name}`],
  // Beyond what identifiers keep, and stems.
  (name) => [`${name.slice(0, 60).toWellFormed().padEnd(100, 'x')}1`, `${name.slice(0, 60).toWellFormed().padEnd(100, 'x')}2`],
  (name) => [`${name.slice(0, 60).toWellFormed().padEnd(127, 'é')}1`, `${name.slice(0, 60).toWellFormed().padEnd(127, 'é')}2`],
];

const extremes = ['../../etc/passwd', '/etc/passwd', 'C:\\Windows\\system32', '\\\\server\\share', 'CON', 'nul.txt', 'COM¹', 'Prefs', 'prefs', 'a"; DROP TABLE bystander; --', "a'; DROP TABLE bystander; --", 'bystander.', 'pg_temp', 'rx_persistify_log', 'sqlite_sequence', '\u202eltr', 'name\u0001', `${'x'.repeat(127)}1`, `${'x'.repeat(127)}2`, `${'é'.repeat(127)}1`, `${'é'.repeat(127)}2`];

export const isName = (name: string): boolean => name.length >= 1 && name.length <= 128 && name.isWellFormed() && !name.includes('\0');

const anyName = fc.oneof(fc.constantFrom(...hostileNames, ...extremes), fc.string({ unit: 'binary', minLength: 1, maxLength: 128 }), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }));

/** Names of which some are like others. */
const families = fc.array(fc.tuple(anyName, fc.subarray([...likenesses], { minLength: 1, maxLength: 3 })), { minLength: 1, maxLength: 3 }).map((all) => [...new Set(all.flatMap(([name, some]) => some.flatMap((like) => like(name))))]);

/** Opens stores of names that are like each other, all at once. None sees what another has, and nothing else is touched. */
export async function tryNames(cell: Cell, storages: Storages): Promise<{ readonly names: number }> {
  let names = 0;
  await holds(cell, families, { short: 8, long: 2_000, examples: [extremes] }, async (family) => {
    names += family.length;
    const inside = join(cell.directory, `${names}`, 'a', 'b');
    const storage = storages.fresh({ column: cell.column, directory: inside });
    await prepareBystander(cell, storages);
    await openAll(storage.provider(), family, async (store, name) => {
      await store.setAndSave('name', name);
      await store.setAndSave(`only ${name}`.slice(0, 60).toWellFormed(), name);
    });
    await openAll(storage.provider(), family, (store, name) => {
      expect([...store.values()], `what ${JSON.stringify(name)} has`).toEqual([name, name]);
      return Promise.resolve();
    });
    await expectNothingElse(cell, storages, inside);
  });
  return { names };
}

async function openAll(provider: Provider, names: readonly string[], use: (store: Store<Record<string, unknown>>, name: string) => Promise<void>): Promise<void> {
  const stores = persistify(provider).withRetry({ maxAttempts: 2 });
  await Promise.all(
    names.map(async (name) => {
      if (!isName(name)) {
        await expect(stores.open(name), `opening ${JSON.stringify(name)}`).rejects.toMatchObject({ code: 'INVALID_KEY' });
        return;
      }
      const store = await stores.open<Record<string, unknown>>(name);
      await use(store, name);
    }),
  );
  for (const name of names.filter(isName)) await (await stores.open(name)).close();
}

async function prepareBystander({ column }: Cell, storages: Storages): Promise<void> {
  if (column === 'postgres') await storages.server.sql('CREATE TABLE IF NOT EXISTS public.bystander AS SELECT 1 AS value');
}

async function expectNothingElse({ column }: Cell, storages: Storages, inside: string): Promise<void> {
  if (column === 'json-file') {
    expect(await readdir(join(inside, '..')), 'what stands beside the directory').toEqual(['b']);
    for (const file of await readdir(inside)) expect(Buffer.byteLength(file)).toBeLessThanOrEqual(225);
  }
  if (column === 'sqlite') {
    const database = new Database(join(inside, 'faults.sqlite'));
    try {
      const named = database.prepare('SELECT count(*) FROM rx_persistify_dictionaries').pluck().get();
      expect(database.prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'table'").pluck().get(), 'the number of tables').toBe(Number(named) + 3);
    } finally {
      database.close();
    }
  }
  if (column === 'postgres') expect(await storages.server.sql('SELECT value FROM public.bystander')).toEqual([{ value: 1 }]);
}

/**
 * On a disk that folds case, or composes letters, two names lead to one file, as by a link. It goes to the first of them alone.
 */
export async function tryOneFileForTwo(cell: Cell): Promise<{ readonly pairs: number }> {
  const letter = fc.constantFrom('a', 'B', 'é', 'Ä', 'z');
  const pair = fc.array(letter, { minLength: 1, maxLength: 8 }).map((letters) => letters.join(''));
  let pairs = 0;
  await holds(cell, fc.tuple(pair, fc.boolean()), { short: 12, long: 500 }, async ([name, isFolded]) => {
    const other = isFolded ? (name === name.toLowerCase() ? name.toUpperCase() : name.toLowerCase()) : name.normalize('NFD');
    if (other === name) return;
    const inside = join(cell.directory, `${++pairs}`);
    const stores = persistify(jsonFile({ directory: inside }));
    const first = await stores.open<Record<string, string>>(name);
    await first.setAndSave('name', name);
    await first.close();
    await symlink(`${stemOf(name)}.json`, join(inside, `${stemOf(other)}.json`));
    await expect(stores.open(other), 'the other name').rejects.toMatchObject({ code: 'CORRUPT_DATA' });
    const again = await stores.open<Record<string, string>>(name);
    await expect(stores.open(other), 'the other name, meanwhile').rejects.toMatchObject({ code: 'STORE_LOCKED' });
    expect([...again]).toEqual([['name', name]]);
    await again.close();
  });
  return { pairs };
}

/** That no two names have one stem, tried many times. A table's name may be another's; the bookkeeping then finds a free one. */
export async function tryStems(cell: Cell): Promise<{ readonly names: number }> {
  let names = 0;
  await holds(cell, families, { short: 1_000, long: 100_000 }, (family) => {
    const stems = new Map<string, string>();
    for (const name of family.filter(isName)) {
      names++;
      const stem = stemOf(name);
      expect([stem, stems.get(stem)]).toEqual([stem, undefined]);
      stems.set(stem, name);
      expect(stem).toMatch(/^[^/\\:*?"<>|\p{C}]+$/u);
      expect(stem).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)|^[. ]|[. ]$/i);
      expect(Buffer.byteLength(stem)).toBeLessThanOrEqual(200);
    }
  });
  return { names };
}
