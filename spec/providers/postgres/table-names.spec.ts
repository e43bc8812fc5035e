import { describe, expect, it } from 'vitest';

import { set } from '../../support/open-dictionary.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

const hostileNames = [
  'rx_persistify_log', 'rx_persistify_dictionaries', 'rx_persistify_x', 'dictionary_rx_persistify_log', 'pg_class', 'select', 'table', 'a', 'A', 'a_2', 'é', 'É', '"', '""', "'; DROP TABLE a; --", '$rx0$', '$$', '\\', '%', '?', ' ', '\t\n',
  'emoji 🎉', '__proto__', 'constructor', 'public.a', 'x'.repeat(63), 'x'.repeat(64), 'x'.repeat(127), 'x'.repeat(128), `${'x'.repeat(127)}y`, 'a_pkey', 'a_pkey1', 'a_pkey_pkey', `${'x'.repeat(58)}_pkey`, '𝔘'.repeat(32), '𝔘'.repeat(33), `${'𝔘'.repeat(33)}é`, 'ä'.repeat(32), `${'y'.repeat(49)}𝔘𝔘𝔘𝔘`,
];

describe('tables', () => {
  it('are another one for each dictionary, whatever it is called', async () => {
    const schema = database.freshSchema();
    const openAt = database.opener({ schema });
    const dictionaries = [];
    for (const name of hostileNames) dictionaries.push(await openAt(name));
    for (const [index, dictionary] of dictionaries.entries()) await dictionary.write(set('name', JSON.stringify(hostileNames[index])));
    for (const dictionary of dictionaries) await dictionary.close();
    for (const name of hostileNames) expect(await (await openAt(name)).texts()).toEqual(new Map([['name', JSON.stringify(name)]]));
    const tables = await database.sql(`SELECT table_name, octet_length(table_name) AS bytes FROM ${schema}.rx_persistify_dictionaries`);
    expect(new Set(tables.map(({ table_name: table }) => table)).size).toBe(hostileNames.length);
    expect(tables.every(({ bytes }) => Number(bytes) <= 63)).toBe(true);
  });

  it('are named as their dictionaries where that can be', async () => {
    const schema = database.freshSchema();
    const openAt = database.opener({ schema });
    for (const name of ['users', 'Users', 'user "x"', 'rx_persistify_x', 'x'.repeat(64)]) await openAt(name);
    expect(await database.sql(`SELECT name, table_name AS "table" FROM ${schema}.rx_persistify_dictionaries ORDER BY id`)).toEqual([
      { name: 'users', table: 'users' },
      { name: 'Users', table: 'Users' },
      { name: 'user "x"', table: 'user "x"' },
      { name: 'rx_persistify_x', table: expect.stringMatching(/^dictionary_rx_persistify_x_[0-9a-f]{12}$/) as string },
      { name: 'x'.repeat(64), table: expect.stringMatching(/^x{50}_[0-9a-f]{12}$/) as string },
    ]);
  });

  it('that the option gives to two dictionaries are two all the same, also where the name is as long as can be', async () => {
    const schema = database.freshSchema();
    for (const table of ['same', 'ä'.repeat(31)]) {
      const openAt = database.opener({ schema, table: () => table });
      for (const name of ['one', 'two', 'three']) await (await openAt(`${name} ${table}`)).write(set('name', JSON.stringify(name)));
      expect(await (await openAt(`two ${table}`)).texts()).toEqual(new Map([['name', '"two"']]));
    }
    expect(await database.sql(`SELECT table_name FROM ${schema}.rx_persistify_dictionaries WHERE name LIKE '% same' ORDER BY id`)).toEqual(['same', 'same_2', 'same_3'].map((name) => ({ table_name: name })));
  });

  it('stay what they are when the option "table" changes', async () => {
    const schema = database.freshSchema();
    await (await database.open({ schema })).write(set('a'));
    expect(await (await database.open({ schema, table: (name) => `other_${name}` })).texts()).toEqual(new Map([['a', '1']]));
  });

  it.each(['', 'rx_persistify_log', 'x'.repeat(64), 'a\0b', 'a\ud800', 5])('are not named %j by the option "table"', async (name) => {
    await expect(database.open({ schema: database.freshSchema(), table: () => name as string })).rejects.toMatchObject({ code: 'OPTIONS', message: expect.stringContaining('table must give the name of a table') as string });
  });

  it('refuse a name that PostgreSQL cannot hold', async () => {
    for (const name of ['a\ud800', 'a\0']) await expect(database.open({ schema: database.freshSchema() }, name)).rejects.toMatchObject({ code: 'INVALID_KEY' });
  });
});

async function withTable(definition: string): Promise<string> {
  const schema = database.freshSchema();
  await database.sql(`CREATE SCHEMA ${schema}; SET search_path = ${schema}; ${definition}; RESET search_path`);
  return schema;
}

const columns = 'created_at bigint, updated_at bigint, version bigint, expires_at bigint';

describe('a table that is there already', () => {
  it.each(['json', 'jsonb', 'text'])('is taken over with its rows if it has the columns, its values as %s', async (type) => {
    const schema = await withTable(`CREATE TABLE prefs (id serial PRIMARY KEY, key varchar(99) UNIQUE, value ${type}, ${columns}, note text, kind text NOT NULL DEFAULT 'x', made timestamptz NOT NULL DEFAULT now());
      INSERT INTO prefs (key, value, version, note, expires_at) VALUES ('a', '1', 7, 'mine', NULL), ('b', '2', NULL, NULL, 1000), ('c', '3', 0, NULL, NULL), ('d', NULL, 3, NULL, NULL)`);
    const dictionary = await database.open({ schema });
    expect(await dictionary.entries()).toEqual([
      { key: 'a', json: '1', version: 7 },
      { key: 'd', json: '', version: 3 },
      { key: 'b', json: '2', version: 1, expiresAt: 1_000 },
      { key: 'c', json: '3', version: 1 },
    ]);
    expect(await dictionary.write({ type: 'set', key: 'a', json: '4', expect: 7 }, { type: 'set', key: 'c', json: '"\\u00e4"', expect: 1 }, { type: 'expire', key: 'b', version: 1 }, set('new'))).toEqual({ version: 8, leftOut: [] });
    expect(await database.sql(`SELECT value::text, note FROM ${schema}.prefs WHERE key = 'a'`)).toEqual([{ value: '4', note: 'mine' }]);
    expect((await dictionary.texts()).get('c')).toBe(type === 'jsonb' ? '"ä"' : '"\\u00e4"');
    expect(dictionary.session.capabilities.accepts === undefined).toBe(type !== 'jsonb');
    await dictionary.close();
    expect((await (await database.open({ schema })).entries()).length).toBe(4);
  });

  it('is taken over with its partitions', async () => {
    const schema = await withTable(`CREATE TABLE prefs (key text PRIMARY KEY, value json, ${columns}) PARTITION BY HASH (key);
      CREATE TABLE one PARTITION OF prefs FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE other PARTITION OF prefs FOR VALUES WITH (MODULUS 2, REMAINDER 1)`);
    const dictionary = await database.open({ schema });
    await dictionary.write(...['a', 'b', 'c', 'd', 'e'].map((key) => set(key)));
    await dictionary.write({ type: 'delete', key: 'a' }, { type: 'set', key: 'b', json: '2', expect: 1 });
    expect([...(await dictionary.texts())].sort()).toEqual([['b', '2'], ['c', '1'], ['d', '1'], ['e', '1']]);
  });

  it('counts rows of no version as of the first one, also if they came later', async () => {
    const schema = await withTable(`CREATE TABLE prefs (key text PRIMARY KEY, value json, ${columns})`);
    const dictionary = await database.open({ schema });
    await database.sql(`INSERT INTO ${schema}.prefs (key, value, version, expires_at) VALUES ('a', '1', NULL, NULL), ('b', '1', 0, 5)`);
    expect((await dictionary.entries()).map(({ version }) => version)).toEqual([1, 1]);
    expect((await dictionary.write({ type: 'set', key: 'a', json: '2', expect: 1 }, { type: 'expire', key: 'b', version: 1 })).leftOut).toEqual([]);
  });

  it('counts rows of a version that no commit has reached as of the first one, as such a one would stand above all to come', async () => {
    const schema = await withTable(`CREATE TABLE prefs (key text PRIMARY KEY, value json, ${columns})`);
    const dictionary = await database.open({ schema });
    await dictionary.write(set('z'));
    await database.sql(`INSERT INTO ${schema}.prefs (key, value, version, expires_at) VALUES ('a', '1', 2, NULL), ('b', '1', 1000, 5), ('c', '1', 9223372036854775807, NULL), ('d', '1', 2, 5)`);
    const versions = new Map((await dictionary.entries()).map(({ key, version }) => [key, version]));
    expect([...versions].sort()).toEqual([['a', 1], ['b', 1], ['c', 1], ['d', 1], ['z', 1]]);
    expect((await dictionary.session.read?.(['c']))?.map(({ version }) => version)).toEqual([1]);
    expect((await dictionary.write({ type: 'set', key: 'a', json: '2', expect: 1 }, { type: 'expire', key: 'b', version: 1 })).leftOut).toEqual([]);
    const inSteps = await dictionary.write({ type: 'set', key: 'z', json: '2', expect: 5 }, { type: 'set', key: 'c', json: '2', expect: 1 }, { type: 'expire', key: 'd', version: 1 });
    expect(inSteps.leftOut).toMatchObject([{ index: 0, reason: 'conflict' }, { index: 2, reason: 'conflict' }]);
  });

  it('begins behind no version that leaves no room for others, such as a time in nanoseconds', async () => {
    const schema = await withTable(`CREATE TABLE prefs (key text PRIMARY KEY, value json, ${columns}); INSERT INTO prefs (key, value, version) VALUES ('a', '1', 1764000000000000001), ('b', '1', 9223372036854775807), ('c', '1', 4)`);
    const dictionary = await database.open({ schema });
    expect((await dictionary.entries()).map(({ version }) => version).sort()).toEqual([1, 1, 4]);
    expect(await dictionary.write({ type: 'set', key: 'a', json: '2', expect: 1 })).toEqual({ version: 5, leftOut: [] });
  });

  it.each([
    ['CREATE TABLE prefs (id integer PRIMARY KEY, name text)', 'it has no column "key"'],
    ['CREATE VIEW prefs AS SELECT 1 AS key', 'it is no table'],
    ['CREATE SEQUENCE prefs', 'it is no table'],
    [`CREATE TABLE prefs (key text, value json, ${columns})`, 'its column "key" is not unique'],
    [`CREATE TABLE prefs (key text, value json, ${columns}); CREATE UNIQUE INDEX ON prefs (key) WHERE version > 1`, 'its column "key" is not unique'],
    [`CREATE TABLE prefs (key text, value json, ${columns}); CREATE UNIQUE INDEX ON prefs (lower(key))`, 'its column "key" is not unique'],
    [`CREATE TABLE prefs (key text, value json, ${columns}, PRIMARY KEY (key, version))`, 'its column "key" is not unique'],
    [`CREATE TABLE prefs (key text UNIQUE DEFERRABLE, value json, ${columns})`, 'its column "key" is not unique'],
    [`CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE TABLE prefs (key text COLLATE loose PRIMARY KEY, value json, ${columns})`, 'takes different texts for equal'],
    [`CREATE TABLE prefs (key text PRIMARY KEY, value json, ${columns}); CREATE TABLE heir () INHERITS (prefs)`, 'the table "heir" inherits from it'],
    [`CREATE TABLE prefs (key integer PRIMARY KEY, value json, ${columns})`, 'its column "key" is integer, and not text or character varying'],
    [`CREATE TABLE prefs (key text PRIMARY KEY, value bytea, ${columns})`, 'its column "value" is bytea, and not json or jsonb or text'],
    ['CREATE TABLE prefs (key text PRIMARY KEY, value json, created_at bigint, updated_at bigint, version text, expires_at bigint)', 'its column "version" is text, and not bigint'],
    ['CREATE TABLE prefs (key text PRIMARY KEY, value json, created_at bigint, updated_at bigint, version bigint, expires_at bigint NOT NULL)', 'its column "expires_at" may not be null'],
    ['CREATE TABLE prefs (key text PRIMARY KEY, value json, created_at bigint, updated_at bigint GENERATED ALWAYS AS (5) STORED, version bigint, expires_at bigint)', 'its column "updated_at" is a generated one'],
    [`CREATE TABLE prefs (key text PRIMARY KEY, value json, ${columns}, owner text NOT NULL)`, 'its column "owner" may not be null and has no default'],
  ])('is refused and left alone if it does not fit: %s', async (sql, problem) => {
    const schema = await withTable(sql);
    await expect(database.open({ schema })).rejects.toMatchObject({
      code: 'PROVIDER',
      kind: 'halt',
      message: expect.stringMatching(new RegExp(`${problem}.*Expected are the columns "key" text PRIMARY KEY, "value" json, "created_at" bigint.*option "table"`, 'u')) as string,
    });
    expect(await database.sql(`SELECT FROM pg_class WHERE relnamespace = '${schema}'::regnamespace AND relname LIKE 'rx%'`)).toEqual([]);
  });

  it('is refused when another program has changed the columns since', async () => {
    const schema = database.freshSchema();
    await (await database.open({ schema })).close();
    await database.sql(`ALTER TABLE ${schema}.prefs RENAME COLUMN value TO contents`);
    await expect(database.open({ schema })).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('it has no column "value"') as string });
  });

  it('is missed when it is gone, and not begun anew, unless the advice is followed', async () => {
    const schema = database.freshSchema();
    const first = await database.open({ schema });
    await first.write(set('a'));
    await first.close();
    await database.sql(`DROP TABLE ${schema}.prefs`);
    const failure = await database.open({ schema }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'CORRUPT_DATA', message: expect.stringContaining('is gone') as string });
    const [cure = ''] = /DELETE FROM .*$/.exec(String(failure)) ?? [];
    await database.sql(cure);
    const again = await database.open({ schema });
    expect([await again.entries(), await again.write(set('b'))]).toEqual([[], { version: 1, leftOut: [] }]);
  });

  it('is refused in a newer format, whichever dictionary has it', async () => {
    const schema = database.freshSchema();
    await (await database.open({ schema })).close();
    await database.sql(`UPDATE ${schema}.rx_persistify_dictionaries SET format = 2`);
    for (const name of ['prefs', 'another']) {
      await expect(database.open({ schema }, name)).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('later version of rx-persistify (format 2; this one knows 1)') as string });
    }
    expect(await database.sql(`SELECT name, format FROM ${schema}.rx_persistify_dictionaries`)).toEqual([{ name: 'prefs', format: 2 }]);
  });
});
