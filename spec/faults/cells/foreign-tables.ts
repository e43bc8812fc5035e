import { execFileSync } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import Database from 'better-sqlite3';
import { PersistifyError, type Provider } from 'rx-persistify';
import { postgres } from 'rx-persistify/postgres';
import { sqlite } from 'rx-persistify/sqlite';
import { expect } from 'vitest';

import { scratch } from '../../providers/json-file/store.ts';
import { databaseName } from './histories.ts';
import type { Trial } from './matrix.ts';
import { openingOf } from './opening.ts';
import type { Storages } from './storages.ts';
import { Subject } from './subject.ts';

/** What others have made under the name of the dictionary's table; none of it can hold one. */
const foreign = [
  'CREATE TABLE survivor (id integer PRIMARY KEY, name text)',
  'CREATE TABLE survivor (key text, value text)',
  'CREATE VIEW survivor AS SELECT 1 AS key, 2 AS value',
];

async function expectRefused(provider: Provider): Promise<void> {
  const opening = await openingOf(provider);
  expect(opening.isRefused).toBe(true);
  if (opening.isRefused) expect(opening.error).toBeInstanceOf(PersistifyError);
}

/** In the place of an SQLite file. */
export const databaseReplaced: Trial = async (cell) => {
  const tally = { tried: 0, refused: 0, taken: 0 };
  const expectRefusedAt = async (make: (file: string) => unknown): Promise<void> => {
    const file = join(await scratch(), databaseName);
    await make(file);
    await expectRefused(sqlite({ file }));
    tally.tried++;
    tally.refused++;
  };
  for (const text of ['[1, 2]', '\0'.repeat(5_000), `SQLite format 3\0${'x'.repeat(5_000)}`, cell.random.next().toString().repeat(500)]) {
    await expectRefusedAt(async (file) => {
      await writeFile(file, text);
      await expectRefused(sqlite({ file }));
      expect(await readFile(file, 'utf8')).toBe(text);
    });
  }
  await expectRefusedAt(mkdir);
  await expectRefusedAt((file) => symlink('nowhere', file));
  await expectRefusedAt((file) => symlink(databaseName, file));
  await expectRefusedAt((file) => execFileSync('mkfifo', [file]));
  for (const sql of foreign) {
    await expectRefusedAt((file) => {
      const database = new Database(file);
      database.exec(sql);
      database.close();
    });
  }
  const directory = await scratch();
  await symlink(join(cell.directory, databaseName), join(directory, databaseName));
  await writeFile(join(cell.directory, databaseName), '');
  const subject = await Subject.open({ provider: sqlite({ file: join(directory, databaseName) }), random: cell.random });
  await subject.live(60);
  await subject.close();
  await subject.expectKept(sqlite({ file: join(cell.directory, databaseName) }), { isWhole: true });
  return { ...tally, tried: tally.tried + 1, taken: 1 };
};

/** In the place of a dictionary's table on a server. */
export function tableReplaced(storages: Storages): Trial {
  return async () => {
    const { server } = storages;
    let refused = 0;
    for (const sql of foreign) {
      const schema = server.freshSchema();
      await server.sql(`CREATE SCHEMA ${schema}; SET search_path = ${schema}; ${sql}`);
      await expectRefused(postgres({ connection: server.url, schema }));
      const columns = await server.sql(`SELECT * FROM ${schema}.survivor`);
      expect(columns.length, 'left as it is').toBeLessThanOrEqual(1);
      refused++;
    }
    return { tried: refused, refused };
  };
}
