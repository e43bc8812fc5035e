import { describe, expect, it } from 'vitest';

import { numberedSets, set, type OpenDictionary } from '../../support/open-dictionary.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

const expire = (key: string, version = 1) => ({ type: 'expire', key, version }) as const;
const stays = (index: number) => ({ index, reason: 'conflict', message: 'The key is absent, has another version, or its deadline has not passed.' });

/** So many mutations that nobody needs, so that a commit goes in steps. */
const padding = Array.from({ length: 10_000 }, (_, index) => ({ type: 'delete', key: `no such key ${index}` }) as const);

/** Both ways of committing. */
const ways = [
  { way: 'in one message', padded: [] },
  { way: 'in steps', padded: padding },
] as const;

const open = (schema = database.freshSchema()): Promise<OpenDictionary> => database.open({ schema });

describe('the messages of a commit', () => {
  it('are one, whatever is in the batch; and one more for the bell', async () => {
    const proxy = await database.proxy();
    const schema = database.freshSchema();
    const dictionary = await database.open({ schema, connection: database.server.url({ port: proxy.port }) });
    await dictionary.write(set('a'), { type: 'set', key: 'ended', json: '1', expiresAt: 1 });
    for (const round of [1, 2, 3]) {
      const before = proxy.statements.length;
      const { version } = await dictionary.write({ type: 'set', key: 'a', json: '2', expect: round }, ...numberedSets(1_000), { type: 'delete', key: 'b' }, { type: 'touch', key: 'a', expiresAt: 5 }, expire('ended'));
      expect(version).toBe(round + 1);
      const asked = proxy.statements.slice(before).filter((text) => !text.includes('pg_notify'));
      expect(asked).toEqual([expect.stringContaining('rx_persistify_commit')]);
    }
  });
});

describe.each(ways)('a write $way', ({ padded }) => {
  it('stores every text under every key as it is', async () => {
    const dictionary = await open();
    const texts = new Map([
      ['\u0001', '"\\u0000\\ud800"'], ["'; --", '"\'"'], ['"', '"\\""'], ['123', '1e308'], ['1.0', '-0'], ['é', '"\u2028 🎉"'], ['\ufeff', '[[],{}]'],
      ['k'.repeat(1_024), `"${'ü'.repeat(300_000)}"`], [' ', 'null'], ['__proto__', '{"__proto__":1,"a":1,"a":2}'], ['e\u0301', '" padded "'], ['NULL', '12345678901234567890'], ['\\', '"\\\\n"'], ['$1', '"$1 $$ %s"'],
    ]);
    await dictionary.write(...[...texts].map(([key, json]) => set(key, json)), ...padded);
    expect(await dictionary.texts()).toEqual(texts);
    const read = await dictionary.session.read?.([...texts.keys(), 'absent']);
    expect(new Map(read?.map(({ key, json }) => [key, json]))).toEqual(texts);
  });

  it('clears, and stores what stands behind the clear', async () => {
    const schema = database.freshSchema();
    const dictionary = await open(schema);
    await dictionary.write(...numberedSets(100));
    expect(await dictionary.write({ type: 'clear' }, set('after'), ...padded)).toEqual({ version: 2, leftOut: [] });
    expect(await dictionary.texts()).toEqual(new Map([['after', '1']]));
    expect(await database.sql(`SELECT version, keys FROM ${schema}.rx_persistify_log WHERE version = 2`)).toEqual([{ version: '2', keys: null }]);
  });

  it('names an expiry behind a clear as one that removed nothing', async () => {
    const dictionary = await open();
    await dictionary.write({ type: 'set', key: 'ended', json: '1', expiresAt: 1 });
    expect(await dictionary.write({ type: 'clear' }, expire('ended'), ...padded)).toEqual({ version: 2, leftOut: [stays(1)] });
  });

  it('moves a deadline to the later one, without a version or a line in the log', async () => {
    const schema = database.freshSchema();
    const dictionary = await open(schema);
    await dictionary.write({ type: 'set', key: 'a', json: '1', expiresAt: 2_000 }, set('never'));
    const touches = padded.map(({ key }) => ({ type: 'touch', key, expiresAt: 1 }) as const);
    const touch = (key: string, expiresAt: number) => ({ type: 'touch', key, expiresAt }) as const;
    expect(await dictionary.write(touch('a', 3_000), touch('never', 9_000), touch('absent', 1), ...touches)).toEqual({ version: 1, leftOut: [] });
    await dictionary.write(touch('a', 1_000), ...touches);
    expect(await dictionary.entries()).toEqual(expect.arrayContaining([{ key: 'a', json: '1', version: 1, expiresAt: 3_000 }, { key: 'never', json: '1', version: 1 }]));
    expect(await database.sql(`SELECT version FROM ${schema}.rx_persistify_log`)).toHaveLength(1);
    await dictionary.write(touch('a', Infinity), ...touches);
    await dictionary.write(touch('a', 5_000), ...touches);
    expect(await dictionary.entries()).toContainEqual({ key: 'a', json: '1', version: 1 });
  });

  it('ends only what has passed its deadline and is as it was', async () => {
    const schema = database.freshSchema();
    const dictionary = await open(schema);
    await dictionary.write({ type: 'set', key: 'passed', json: '1', expiresAt: 1 }, { type: 'set', key: 'later', json: '1', expiresAt: Date.now() + 60_000 }, set('never'));
    await dictionary.write({ type: 'set', key: 'renewed', json: '1', expiresAt: 1 });
    const others = padded.map(({ key }) => expire(key));
    const othersStay = (offset: number) => others.map((_, index) => stays(index + offset));
    expect(await dictionary.write(expire('later'), expire('never'), expire('renewed'), expire('absent'), ...others)).toEqual({ version: 2, leftOut: [...[0, 1, 2, 3].map(stays), ...othersStay(4)] });
    expect(await dictionary.write(expire('absent'), expire('passed'), expire('later'), ...others)).toEqual({ version: 3, leftOut: [stays(0), stays(2), ...othersStay(3)] });
    expect([...(await dictionary.texts()).keys()].sort()).toEqual(['later', 'never', 'renewed']);
    expect(await database.sql(`SELECT keys FROM ${schema}.rx_persistify_log WHERE version = 3`)).toEqual([{ keys: ['passed'] }]);
    const [row] = await database.sql(`SELECT length(result) AS length FROM ${schema}.rx_persistify_writers`);
    expect(row?.['length']).toBeLessThan(100_000);
  });

  it('leaves out what is in conflict, with its transaction and nothing else', async () => {
    const dictionary = await open();
    await dictionary.write(set('a'), set('b'));
    await dictionary.write(set('b', '2'));
    const batch = dictionary.batch(
      { type: 'set', key: 'a', json: '"no"', expect: 0 },
      { type: 'set', key: 'b', json: '"no"', transaction: 4 },
      { type: 'delete', key: 'c', expect: 3, transaction: 4 },
      { type: 'set', key: 'd', json: '"yes"', expect: 0, transaction: 5 },
      { type: 'set', key: 'e', json: '"yes"', transaction: 5 },
      ...padded,
    );
    const answer = await dictionary.send(batch);
    expect(answer).toEqual({
      version: 3,
      leftOut: [
        { index: 0, reason: 'conflict', message: 'The key is there already, with version 1.' },
        { index: 1, reason: 'conflict', message: 'Another mutation of its transaction is left out (conflict).' },
        { index: 2, reason: 'conflict', message: 'The key is absent, and was expected with version 3.' },
      ],
    });
    expect(await dictionary.texts()).toEqual(new Map([['a', '1'], ['b', '2'], ['d', '"yes"'], ['e', '"yes"']]));
    expect(await dictionary.send(batch)).toEqual(answer);
  });

  it('is answered when it comes again, and does not overwrite what came between', async () => {
    const schema = database.freshSchema();
    const [first, second] = [await open(schema), await open(schema)];
    const older = first.batch(set('older'));
    const batch = first.batch(set('key', '"first"'), ...padded);
    expect(await first.send(batch)).toEqual({ version: 1, leftOut: [] });
    await second.write(set('key', '"second"'));
    expect(await first.send(batch)).toEqual({ version: 1, leftOut: [] });
    expect(await first.send(older)).toEqual({ version: 1, leftOut: [] });
    expect(await first.texts()).toEqual(new Map([['key', '"second"']]));
  });
});

describe('a write', () => {
  it('raises no version when nothing is left to commit', async () => {
    const schema = database.freshSchema();
    const dictionary = await open(schema);
    await dictionary.write(set('a'));
    expect(await dictionary.write({ type: 'set', key: 'a', json: '2', expect: 0 })).toMatchObject({ version: 1 });
    expect(await database.sql(`SELECT head FROM ${schema}.rx_persistify_dictionaries`)).toEqual([{ head: '1' }]);
  });

  it('of 30,000 entries is one commit, with conditions and refusals among them', async () => {
    const schema = database.freshSchema();
    await database.sql(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.prefs (key text PRIMARY KEY, value json CHECK (value::text <> '"refused"'), created_at bigint, updated_at bigint, version bigint, expires_at bigint)`);
    const dictionary = await open(schema);
    await dictionary.write(set('key 000007'));
    const mutations = numberedSets(30_000).map((mutation, index) => ({
      ...mutation,
      ...(index % 7_000 === 500 && { json: '"refused"' }),
      ...(index % 9_000 === 7 && { expect: 0 }),
      ...((index === 501 || index === 29_000) && { transaction: 1 }),
      ...((index === 7_500 || index === 12) && { transaction: 2 }),
    }));
    const { version, leftOut } = await dictionary.write(...mutations);
    expect(version).toBe(2);
    expect(leftOut.map(({ index, reason }) => `${index} ${reason}`)).toEqual(['7 conflict', '12 refused', '500 refused', '7500 refused', '14500 refused', '21500 refused', '28500 refused']);
    const stored = await dictionary.texts();
    expect(stored.size).toBe(30_000 - 6);
    expect([stored.get('key 000007'), stored.get('key 000501'), stored.get('key 029000'), stored.get('key 009007')]).toEqual(['1', '0', '0', '0']);
    expect(await database.sql(`SELECT cardinality(keys) AS keys FROM ${schema}.rx_persistify_log WHERE version = 2`)).toEqual([{ keys: 30_000 - 7 }]);
  });

  it('of 100 values of 300 kB is one commit', async () => {
    const dictionary = await open();
    const texts = Array.from({ length: 100 }, (_, index) => `"${String(index).padStart(3, '0').repeat(100_000)}"`);
    expect(await dictionary.write(...texts.map((json, index) => set(`key ${index}`, json)))).toEqual({ version: 1, leftOut: [] });
    const stored = await dictionary.texts();
    expect(texts.every((json, index) => stored.get(`key ${index}`) === json)).toBe(true);
  });
});
