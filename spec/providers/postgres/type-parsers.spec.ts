import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { numberedSets, set } from '../../support/open-dictionary.ts';
import { Told } from '../../support/told.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

const { builtins } = pg.types;
type TypeName = keyof typeof builtins;
const ours = ['BOOL', 'CHAR', 'FLOAT8', 'INT2', 'INT4', 'INT8', 'JSON', 'NUMERIC', 'OID', 'TEXT', 'VARCHAR'] as const satisfies readonly TypeName[];

type Parse = (text: string) => unknown;

/** What a program may tell node-postgres, for the whole process, to make of a type. */
const parsers: readonly (readonly [string, Partial<Record<TypeName, Parse>>])[] = [
  ['whole numbers bigints', { INT8: BigInt, INT4: BigInt, INT2: BigInt, OID: BigInt }],
  ['whole numbers numbers', { INT8: Number }],
  ['decimals objects of a class of their own', { NUMERIC: (text) => ({ decimal: text }), FLOAT8: (text) => ({ decimal: text }) }],
  ['everything objects', Object.fromEntries(ours.map((name) => [name, (text: string) => ({ text })]))],
];

describe.each(parsers)('where a program has node-postgres make %s', (_, made) => {
  const before = new Map<TypeName, Parse>();

  beforeEach(() => {
    for (const name of ours) {
      const parse = made[name];
      if (parse === undefined) continue;
      before.set(name, pg.types.getTypeParser(builtins[name]) as Parse);
      pg.types.setTypeParser(builtins[name], parse);
    }
  });
  afterEach(() => {
    for (const [name, parse] of before) pg.types.setTypeParser(builtins[name], parse);
  });

  it.each([
    ['by LISTEN', { pollMs: 60_000 }],
    ['by looking', { listen: false, pollMs: 20 }],
  ] as const)('dictionaries are opened, written, read, loaded and followed %s as ever', async (_mode, options) => {
    const schema = database.freshSchema();
    const openAt = database.opener({ schema, ...options });
    const [watcher, writer] = [await openAt(), await openAt()];
    const told = new Told(watcher);
    const expiresAt = Date.now() + 3_600_000;
    await writer.write({ type: 'set', key: 'a', json: '{"deep":true}', expiresAt });
    await told.reaches(1);
    await writer.write(...numberedSets(2_501), { type: 'set', key: 'b', json: '1', expect: 9 });
    await told.reaches(2);
    expect(told.commits[0]?.entries).toEqual([{ key: 'a', json: '{"deep":true}', version: 1, expiresAt }]);
    expect(told.commits[1]?.entries).toHaveLength(2_501);
    expect(await watcher.session.read?.(['a'])).toEqual(told.commits[0]?.entries);
    expect(await watcher.entries()).toHaveLength(2_502);
    expect((await watcher.pages())[0]).toMatchObject({ version: 2, writer: writer.writer, number: 2 });
    const again = await openAt();
    expect(await again.texts()).toEqual(await watcher.texts());
  });

  it('a table that is there already is taken over, and one that does not fit is refused', async () => {
    const schema = database.freshSchema();
    await database.sql(`CREATE SCHEMA ${schema}`);
    const columns = (key: string): string => `(key text ${key}, value json, created_at bigint, updated_at bigint, version bigint, expires_at bigint)`;
    await database.sql(`CREATE TABLE ${schema}.prefs ${columns('PRIMARY KEY')}`);
    await database.sql(`CREATE TABLE ${schema}.other ${columns('')}`);
    await database.sql(`INSERT INTO ${schema}.prefs VALUES ('old', '1', 0, 0, 41, NULL)`);
    const dictionary = await database.open({ schema });
    expect(await dictionary.pages()).toEqual([{ version: 41, entries: [{ key: 'old', json: '1', version: 41 }] }]);
    expect((await dictionary.write(set('new'))).version).toBe(42);
    await expect(database.open({ schema }, 'other')).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('"key" is not unique') as string });
  });
});
