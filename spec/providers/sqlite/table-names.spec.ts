import { describe, expect, it } from 'vitest';

import { inspect, modes, open, openerOf, rows, set, temporaryFile } from './bench.ts';

const hostileNames = [
  'rx_persistify_log', 'rx_persistify_dictionaries', 'sqlite_schema', 'SQLite_x', 'sqlite_sequence', 'json_each', 'pragma_table_info',
  'select', 'table', 'main', 'temp', 'rowid', 'a', 'A', 'a_2', 'A_2', 'é', 'É', '"', '""', "'; DROP TABLE a; --", '[x]', '`', '?', '?1', ':a', '%', ' ', '\t\n', '\0', 'a\0', 'a\0b',
  'emoji 🎉', '__proto__', 'constructor', 'main.a', 'x'.repeat(128), '𝔘'.repeat(64), 'dictionary_sqlite_x', 'dictionary_SQLite_x',
];

describe.each(modes)('tables, $mode', ({ worker }) => {
  it('are another one for each dictionary, whatever it is called', async () => {
    const file = temporaryFile();
    const openAt = openerOf({ file, worker });
    const dictionaries = [];
    for (const name of hostileNames) dictionaries.push(await openAt(name));
    for (const [index, dictionary] of dictionaries.entries()) await dictionary.write(set('name', JSON.stringify(hostileNames[index])));
    for (const dictionary of dictionaries) await dictionary.close();
    for (const name of hostileNames) {
      const dictionary = await openAt(name);
      expect(await dictionary.texts()).toEqual(new Map([['name', JSON.stringify(name)]]));
    }
    const tables = rows(file, 'SELECT lower(table_name) AS name FROM rx_persistify_dictionaries') as { name: string }[];
    expect(new Set(tables.map(({ name }) => name)).size).toBe(hostileNames.length);
  });

  it('are named as their dictionaries where that can be', async () => {
    const file = temporaryFile();
    const openAt = openerOf({ file, worker });
    for (const name of ['users', 'Users', 'user "x"', 'sqlite_x', 'a\0b']) await openAt(name);
    const names = rows(file, 'SELECT name, table_name AS "table" FROM rx_persistify_dictionaries') as { name: string; table: string }[];
    expect(new Map(names.map(({ name, table }) => [name, table]))).toEqual(
      new Map([['users', 'users'], ['Users', 'Users_2'], ['user "x"', 'user "x"'], ['sqlite_x', 'dictionary_sqlite_x'], ['a\0b', 'dictionary_a_b']]),
    );
  });

  it('stay what they are when the option "table" changes', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(set('a'));
    await dictionary.close();
    const again = await open({ file, worker, table: name => `other_${name}` });
    expect(await again.texts()).toEqual(new Map([['a', '1']]));
  });

  it.each(['', 'sqlite_x', 'rx_persistify_log', 'a\0b', 5])('are not named %j by the option "table"', async name => {
    const opening = open({ file: temporaryFile(), worker, table: () => name as string });
    await expect(opening).rejects.toMatchObject({ code: 'OPTIONS', message: expect.stringContaining('table must give the name of a table') as string });
  });

  it('refuse a name with half a surrogate pair', async () => {
    await expect(open({ file: temporaryFile(), worker }, 'a\ud800')).rejects.toMatchObject({ code: 'INVALID_KEY' });
  });
});

describe.each(modes)('a table that is there already, $mode', ({ worker }) => {
  const fitting = 'CREATE TABLE prefs (id INTEGER PRIMARY KEY, key VARCHAR(99) UNIQUE, value TEXT, created_at INT, updated_at BIGINT, version INTEGER, expires_at NUMERIC, note TEXT, kind TEXT NOT NULL DEFAULT 1)';

  it('is taken over with its rows if it has the columns', async () => {
    const file = temporaryFile();
    inspect(file).exec(`${fitting}; INSERT INTO prefs (key, value, version, note) VALUES ('a', '1', 7, 'mine'), ('b', '2', NULL, NULL), ('c', '3', 0, NULL)`);
    const dictionary = await open({ file, worker });
    expect(await dictionary.entries()).toEqual([
      { key: 'a', json: '1', version: 7 },
      { key: 'b', json: '2', version: 1 },
      { key: 'c', json: '3', version: 1 },
    ]);
    expect(await dictionary.write({ type: 'set', key: 'a', json: '4', expect: 7 }, { type: 'set', key: 'c', json: '5', expect: 1 })).toEqual({ version: 8, leftOut: [] });
    expect(rows(file, "SELECT value, note FROM prefs WHERE key = 'a'")).toEqual([{ value: '4', note: 'mine' }]);
  });

  it('is taken over with the deadlines of its rows', async () => {
    const file = temporaryFile();
    const values = "('passed', '1', 3, 1000), ('renewed', '1', NULL, 1000), ('later', '1', NULL, 5e12), ('never', '1', 2, NULL), ('no time', '1', 1, 'soon')";
    inspect(file).exec(`${fitting}; INSERT INTO prefs (key, value, version, expires_at) VALUES ${values}`);
    const dictionary = await open({ file, worker });
    const deadlinesOf = async (of = dictionary) => new Map((await of.entries()).map(({ key, expiresAt }) => [key, expiresAt]));
    expect(await deadlinesOf()).toEqual(new Map([['passed', 1_000], ['renewed', 1_000], ['later', 5e12], ['never', undefined], ['no time', undefined]]));
    await dictionary.write(
      { type: 'touch', key: 'renewed', expiresAt: 6e12 }, { type: 'touch', key: 'never', expiresAt: 6e12 }, { type: 'touch', key: 'no time', expiresAt: 6e12 },
    );
    const expiries = [['passed', 3], ['renewed', 1], ['later', 1], ['never', 2], ['no time', 1]] as const;
    const { leftOut } = await dictionary.write(...expiries.map(([key, version]) => ({ type: 'expire', key, version }) as const));
    expect(leftOut.map(({ index }) => index)).toEqual([1, 2, 3, 4]);
    const expected = new Map([['renewed', 6e12], ['later', 5e12], ['never', undefined], ['no time', undefined]]);
    expect(await deadlinesOf()).toEqual(expected);
    await dictionary.close();
    const again = await open({ file, worker });
    expect(await deadlinesOf(again)).toEqual(expected);
    await again.write({ type: 'set', key: 'later', json: '2' }, { type: 'set', key: 'never', json: '2', expiresAt: 7e12 });
    await again.close();
    expect(await deadlinesOf(await open({ file, worker }))).toEqual(new Map([['renewed', 6e12], ['later', undefined], ['never', 7e12], ['no time', undefined]]));
  });

  it.each([
    ['CREATE TABLE prefs (id INTEGER PRIMARY KEY, name TEXT)', 'it has no column "key"'],
    ['CREATE VIEW prefs AS SELECT 1 AS key', 'it is a view'],
    ['CREATE VIRTUAL TABLE prefs USING fts5(key, value)', 'it is a virtual table'],
    ['CREATE TABLE prefs (key TEXT, value TEXT, created_at INT, updated_at INT, version INT, expires_at INT)', 'its column "key" is not unique'],
    ['CREATE TABLE prefs (key TEXT COLLATE NOCASE PRIMARY KEY, value TEXT, created_at INT, updated_at INT, version INT, expires_at INT)', 'its column "key" is not unique by the collation BINARY'],
    ['CREATE TABLE prefs (key INTEGER PRIMARY KEY, value TEXT, created_at INT, updated_at INT, version INT, expires_at INT)', 'its column "key" is not TEXT'],
    ['CREATE TABLE prefs (key TEXT PRIMARY KEY, value TEXT, created_at INT, updated_at INT, version TEXT, expires_at INT)', 'its column "version" is not INTEGER'],
    ['CREATE TABLE prefs (key TEXT PRIMARY KEY, value TEXT, created_at INT, updated_at INT, version INT, expires_at INT NOT NULL)', 'its column "expires_at" may not be null'],
    ['CREATE TABLE prefs (key TEXT PRIMARY KEY, value TEXT, created_at INT, updated_at INT, version INT, expires_at INT, owner TEXT NOT NULL)', 'its column "owner" may not be null and has no default'],
    ['CREATE TABLE Prefs (key TEXT)', 'it has no column "value"'],
    ['CREATE TABLE t (a); CREATE INDEX prefs ON t (a)', 'it is an index'],
  ])('is refused and left alone if it does not fit: %s', async (sql, problem) => {
    const file = temporaryFile();
    inspect(file).exec(sql);
    const before = rows(file, 'SELECT * FROM sqlite_schema');
    await expect(open({ file, worker })).rejects.toMatchObject({
      code: 'PROVIDER',
      kind: 'halt',
      message: expect.stringMatching(new RegExp(`${problem}.*Expected are the columns "key" TEXT PRIMARY KEY, "value" TEXT, "created_at" INTEGER.*option "table"`, 'u')) as string,
    });
    expect(rows(file, 'SELECT * FROM sqlite_schema')).toEqual(before);
  });

  it('is refused when another program has changed the columns since', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.close();
    inspect(file).exec('ALTER TABLE prefs RENAME COLUMN value TO contents');
    await expect(open({ file, worker })).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('it has no column "value"') as string });
  });

  it('is missed when it is gone, and not begun anew', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.close();
    inspect(file).exec('DROP TABLE prefs');
    await expect(open({ file, worker })).rejects.toMatchObject({ code: 'CORRUPT_DATA', location: file, message: expect.stringContaining('is gone') as string });
  });

  it('is refused in a newer format, whichever dictionary has it', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.close();
    inspect(file).exec('UPDATE rx_persistify_dictionaries SET format = 2');
    for (const name of ['prefs', 'another']) {
      await expect(open({ file, worker }, name)).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('later version of rx-persistify (format 2; this one knows 1)') as string });
    }
    expect(rows(file, 'SELECT name, format FROM rx_persistify_dictionaries')).toEqual([{ name: 'prefs', format: 2 }]);
  });

  it('is not written any more once a later version has taken the dictionary to a newer format', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(set('a'));
    inspect(file).exec('UPDATE rx_persistify_dictionaries SET format = 2');
    await expect(dictionary.write(set('b'))).rejects.toMatchObject({ kind: 'halt' });
    expect(rows(file, 'SELECT key FROM prefs')).toEqual([{ key: 'a' }]);
  });
});
