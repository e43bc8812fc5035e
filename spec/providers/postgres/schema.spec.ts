import { describe, expect, it } from 'vitest';

import { set } from '../../support/open-dictionary.ts';
import { Process } from '../../support/process.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

describe('first opens', () => {
  it('may race, in a schema that is not there yet, in several processes and providers', async () => {
    const schema = database.freshSchema();
    const program = `
      import { postgres } from 'rx-persistify/postgres';
      process.stdin.once('data', async () => {
        const names = ['prefs', 'prefs', 'other', 'third'];
        const sessions = await Promise.all(names.map((name, index) => postgres({ connection: ${JSON.stringify(database.url)}, schema: '${schema}' }).open(name, { writer: process.pid + ' ' + index, report() {} })));
        for (const [index, session] of sessions.entries()) {
          const writer = process.pid + ' ' + index;
          await session.write({ number: 1, writer, mutations: [{ type: 'set', key: writer, json: '1' }] }, { signal: new AbortController().signal });
          await session.close();
        }
        console.log('done');
        process.stdin.destroy();
      });
      console.log('ready');`;
    const processes = Array.from({ length: 3 }, () => new Process(program));
    for (const other of processes) await other.line(0);
    for (const other of processes) other.say('go');
    for (const other of processes) expect(await other.line(1)).toBe('done');
    expect(await database.sql(`SELECT name, table_name, head FROM ${schema}.rx_persistify_dictionaries ORDER BY name`)).toEqual([
      { name: 'other', table_name: 'other', head: '3' },
      { name: 'prefs', table_name: 'prefs', head: '6' },
      { name: 'third', table_name: 'third', head: '3' },
    ]);
    expect(await database.sql(`SELECT count(*)::integer AS functions FROM pg_proc WHERE pronamespace = '${schema}'::regnamespace`)).toEqual([{ functions: 3 }]);
    for (const other of processes) expect(await other.ended).toEqual({ code: 0, signal: null });
  });
});

describe('the schema', () => {
  it('holds a table a dictionary with key, value, times, version and deadline', async () => {
    const schema = database.freshSchema();
    const before = Date.now();
    const dictionary = await database.open({ schema });
    await dictionary.write({ type: 'set', key: 'theme', json: '"dark"', expiresAt: 4_000_000_000_000 }, set('size', '14'));
    await dictionary.write(set('size', '15'));
    const number = expect.stringMatching(/^\d{13}$/) as string;
    expect(await database.sql(`SELECT key, value::text, created_at, updated_at, version, expires_at FROM ${schema}.prefs ORDER BY key DESC`)).toEqual([
      { key: 'theme', value: '"dark"', created_at: number, updated_at: number, version: '1', expires_at: '4000000000000' },
      { key: 'size', value: '15', created_at: number, updated_at: number, version: '2', expires_at: null },
    ]);
    for (const { made, changed } of await database.sql(`SELECT created_at AS made, updated_at AS changed FROM ${schema}.prefs`)) {
      // The server's clock is this machine's.
      expect(Number(made)).toBeGreaterThanOrEqual(before);
      expect(Number(changed)).toBeGreaterThanOrEqual(Number(made));
      expect(Number(changed)).toBeLessThanOrEqual(Date.now());
    }
  });

  it('keeps when an entry was made through later sets, and not through a delete', async () => {
    const schema = database.freshSchema();
    const dictionary = await database.open({ schema });
    await dictionary.write(set('key', '1'));
    await database.sql(`UPDATE ${schema}.prefs SET created_at = 5, updated_at = 5`);
    await dictionary.write(set('key', '2'));
    expect(await database.sql(`SELECT created_at = 5 AS kept, updated_at = 5 AS old FROM ${schema}.prefs`)).toEqual([{ kept: true, old: false }]);
    await dictionary.write({ type: 'delete', key: 'key' });
    await dictionary.write(set('key', '3'));
    expect(await database.sql(`SELECT created_at = 5 AS kept FROM ${schema}.prefs`)).toEqual([{ kept: false }]);
  });

  it('names dictionaries, writers and commits in tables of its own, and has no index beside those of the keys', async () => {
    const schema = database.freshSchema();
    const dictionary = await database.open({ schema });
    await dictionary.write(set('a'), { type: 'delete', key: 'b"\n' });
    expect(await database.sql(`SELECT name, table_name, format, head FROM ${schema}.rx_persistify_dictionaries`)).toEqual([{ name: 'prefs', table_name: 'prefs', format: 1, head: '1' }]);
    expect(await database.sql(`SELECT writer, number, version, result FROM ${schema}.rx_persistify_writers`)).toEqual([{ writer: dictionary.writer, number: '1', version: '1', result: '[]' }]);
    expect(await database.sql(`SELECT version, writer, number, keys FROM ${schema}.rx_persistify_log`)).toEqual([{ version: '1', writer: dictionary.writer, number: '1', keys: ['a', 'b"\n'] }]);
    expect(await database.sql(`SELECT tablename FROM pg_indexes WHERE schemaname = '${schema}' AND tablename = 'prefs'`)).toHaveLength(1);
  });

  it('may have any name, and two may hold dictionaries of one name', async () => {
    const names = ['se"le\'ct; --', 'ß'.repeat(31), '$rx0$ \\'];
    for (const schema of names) await (await database.open({ schema })).write(set('name', JSON.stringify(schema)));
    for (const schema of names) {
      const dictionary = await database.open({ schema });
      expect(await dictionary.write({ type: 'set', key: 'more', json: '1', expect: 0 }, { type: 'set', key: 'no', json: '1', expect: 3 })).toMatchObject({ version: 2, leftOut: [{ index: 1 }] });
      expect((await dictionary.texts()).get('name')).toBe(JSON.stringify(schema));
    }
  });

  it.each([
    ['that are hostile', { key: 'Na"me', value: 'select', createdAt: "made'; --", updatedAt: '$rx0$', version: 'order \\', expiresAt: '🕰' }],
    ['of variables in our function', { key: 'rx', value: 'status', createdAt: 'moment', updatedAt: 'result', version: 'head', expiresAt: 'keys' }],
    ['of more of them', { key: 'version', value: 'head', createdAt: 'number', updatedAt: 'writer', version: 'previous', expiresAt: 'settled' }],
    ['of aliases', { key: 'k', value: 'v', createdAt: 't', updatedAt: 's', version: 'd', expiresAt: 'gone' }],
    ['of others', { key: 'answer', value: 'unmet', createdAt: 'place', updatedAt: 'excluded', version: 'ctid_', expiresAt: 'removed' }],
  ])('takes columns of names %s', async (_, columns) => {
    const options = { schema: database.freshSchema(), columns, table: (name: string) => `kv ${name}` };
    const dictionary = await database.open(options);
    await dictionary.write(set('a'), { type: 'set', key: 'b', json: '2', expiresAt: 1 });
    expect(await dictionary.write({ type: 'set', key: 'a', json: '2', expect: 1 }, { type: 'expire', key: 'b', version: 1 }, { type: 'expire', key: 'a', version: 1 })).toMatchObject({ version: 2, leftOut: [{ index: 2 }] });
    await dictionary.write({ type: 'touch', key: 'a', expiresAt: 5 }, { type: 'delete', key: 'c' });
    expect(await dictionary.write({ type: 'set', key: 'a', json: '9', expect: 1 }, set('d'), { type: 'expire', key: 'x', version: 1 })).toMatchObject({ version: 4, leftOut: [{ index: 0 }, { index: 2 }] });
    expect(await dictionary.entries()).toEqual([{ key: 'a', json: '2', version: 2 }, { key: 'd', json: '1', version: 4 }]);
    expect((await dictionary.write({ type: 'clear' })).version).toBe(5);
    await dictionary.close();
    expect(await (await database.open(options)).entries()).toEqual([]);
  });
});

describe('values of the type jsonb', () => {
  it('are kept, though not to the letter', async () => {
    const dictionary = await database.open({ schema: database.freshSchema(), valueType: 'jsonb' });
    await dictionary.write(set('a', '{"b":1,"a":[1.50,"x"]}'));
    expect(await dictionary.texts()).toEqual(new Map([['a', '{"a": [1.50, "x"], "b": 1}']]));
    expect((await dictionary.write({ type: 'set', key: 'a', json: 'null', expect: 1 })).version).toBe(2);
  });

  it('cannot hold U+0000, which `accepts` says at once', async () => {
    const schema = database.freshSchema();
    const { session } = await database.open({ schema, valueType: 'jsonb' });
    const { accepts } = session.capabilities;
    for (const value of ['\0', { a: ['x\0'] }, '\\\0']) expect(accepts?.(JSON.stringify(value))).toContain('U+0000');
    for (const value of ['u0000', '\\u0000', '\\\\u0000', { '\\u0000': 1 }]) expect(accepts?.(JSON.stringify(value))).toBeUndefined();
    await (await database.open({ schema, valueType: 'jsonb' })).write(...['\\u0000', '\\\\u0000'].map((value) => set(value, JSON.stringify(value))));
    const json = await database.open({ schema: database.freshSchema() });
    expect(json.session.capabilities.accepts).toBeUndefined();
  });
});

describe('a database', () => {
  it('that is not UTF8 is refused, with the cure', async () => {
    await database.sql("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    const opening = database.open({ connection: database.server.url({ database: 'latin' }) });
    await expect(opening).rejects.toMatchObject({ kind: 'halt', message: expect.stringMatching(/of the encoding LATIN1.*CREATE DATABASE/) as string });
  });

  it('that is not there, or asks for another user, is named with its place', async () => {
    const nowhere = database.open({ connection: database.server.url({ database: 'nowhere' }) });
    await expect(nowhere).rejects.toMatchObject({ kind: 'halt', message: `Opening "prefs" in PostgreSQL at 127.0.0.1:${database.server.port}/nowhere failed: database "nowhere" does not exist (3D000); create the database, or name another one.` });
  });
});
