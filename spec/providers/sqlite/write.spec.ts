import { describe, expect, it } from 'vitest';

import { inspect, modes, numberedSets, open, rows, set, temporaryFile } from './bench.ts';

describe.each(modes)('a write, $mode', ({ worker }) => {
  it.each([1, 49, 50, 51, 999, 1_000, 1_001, 2_049])('stores each of %i sets and deletes each of them', async count => {
    const dictionary = await open({ file: temporaryFile(), worker });
    const sets = numberedSets(count).map((mutation, index) => ({ ...mutation, json: String(index) }));
    expect(await dictionary.write(...sets)).toEqual({ version: 1, leftOut: [] });
    const stored = await dictionary.texts();
    expect(stored.size).toBe(count);
    expect([...stored.values()].sort((a, b) => Number(a) - Number(b))).toEqual(sets.map(({ json }) => json));
    const keys = [...stored.keys()];
    expect(await dictionary.write(set('kept'), ...keys.map(key => ({ type: 'delete', key }) as const))).toEqual({ version: 2, leftOut: [] });
    expect(await dictionary.texts()).toEqual(new Map([['kept', '1']]));
  });

  it('gives back every text under every key as it was', async () => {
    const dictionary = await open({ file: temporaryFile(), worker });
    const texts = new Map([
      ['\u0001', '"\\u0000\\ud800"'], ["'; --", '"\'"'], ['"', '"\\""'], ['123', '1e308'], ['1.0', '-0'], ['é', '"\u2028 🎉"'], ['\ufeff', '[[],{}]'],
      ['k'.repeat(1_024), `"${'ü'.repeat(300_000)}"`], [' ', 'null'], ['__proto__', '{"__proto__":1}'], ['e\u0301', '" padded "'], ['NULL', '12345678901234567890'],
    ]);
    await dictionary.write(...[...texts].map(([key, json]) => set(key, json)));
    expect(await dictionary.texts()).toEqual(texts);
    const read = await dictionary.session.read?.([...texts.keys(), 'absent']);
    expect(new Map(read?.map(({ key, json }) => [key, json]))).toEqual(texts);
  });

  it('clears, and stores what stands behind the clear', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(...numberedSets(100));
    expect(await dictionary.write({ type: 'clear' }, set('after'))).toEqual({ version: 2, leftOut: [] });
    expect(await dictionary.texts()).toEqual(new Map([['after', '1']]));
    expect(rows(file, 'SELECT version, keys FROM rx_persistify_log WHERE version = 2')).toEqual([{ version: 2, keys: null }]);
  });

  it('moves a deadline to the later one, without a version or a line in the log', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write({ type: 'set', key: 'a', json: '1', expiresAt: 2_000 }, set('never'));
    expect(
      await dictionary.write({ type: 'touch', key: 'a', expiresAt: 3_000 }, { type: 'touch', key: 'never', expiresAt: 9_000 }, { type: 'touch', key: 'absent', expiresAt: 1 }),
    ).toEqual({ version: 1, leftOut: [] });
    await dictionary.write({ type: 'touch', key: 'a', expiresAt: 1_000 });
    expect(await dictionary.entries()).toEqual([{ key: 'a', json: '1', version: 1, expiresAt: 3_000 }, { key: 'never', json: '1', version: 1 }]);
    expect(rows(file, 'SELECT version FROM rx_persistify_log')).toHaveLength(1);
    await dictionary.write({ type: 'touch', key: 'a', expiresAt: Infinity });
    expect(await dictionary.entries()).toContainEqual({ key: 'a', json: '1', version: 1 });
  });

  it('ends only what has passed its deadline and is as it was', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    const later = Date.now() + 60_000;
    await dictionary.write({ type: 'set', key: 'passed', json: '1', expiresAt: 1 }, { type: 'set', key: 'later', json: '1', expiresAt: later }, set('never'));
    await dictionary.write({ type: 'set', key: 'renewed', json: '1', expiresAt: 1 });
    const expire = (key: string, version = 1) => ({ type: 'expire', key, version }) as const;
    const stays = (index: number) => ({ index, reason: 'conflict', message: 'The key is absent, has another version, or its deadline has not passed.' });
    expect(await dictionary.write(expire('later'), expire('never'), expire('renewed'), expire('absent'))).toEqual({ version: 2, leftOut: [0, 1, 2, 3].map(stays) });
    expect(rows(file, 'SELECT version FROM rx_persistify_log')).toHaveLength(2);
    expect(await dictionary.write(expire('absent'), expire('passed'), expire('later'))).toEqual({ version: 3, leftOut: [0, 2].map(stays) });
    expect([...(await dictionary.texts()).keys()]).toEqual(['later', 'never', 'renewed']);
    expect(rows(file, 'SELECT keys FROM rx_persistify_log WHERE version = 3')).toEqual([{ keys: '["passed"]' }]);
  });

  it('names what of 3,000 expiries did not come true, beside what is refused and in conflict', async () => {
    const file = temporaryFile();
    inspect(file).exec('CREATE TABLE prefs (key TEXT PRIMARY KEY, value TEXT CHECK (value <> 2), created_at INT, updated_at INT, version INT, expires_at INT)');
    const dictionary = await open({ file, worker });
    const keys = Array.from({ length: 3_000 }, (_, index) => `key ${index}`);
    await dictionary.write(...keys.map((key, index) => ({ type: 'set', key, json: '1', expiresAt: index % 100 === 0 ? 9e12 : 1 }) as const));
    const batch = dictionary.batch(
      ...keys.map(key => ({ type: 'expire', key, version: 1 }) as const),
      { type: 'set', key: 'refused', json: '2', transaction: 1 }, { type: 'set', key: 'part', json: '1', transaction: 1 },
      { type: 'set', key: 'in conflict', json: '1', expect: 1 }, set('stored'),
    );
    const answer = await dictionary.send(batch);
    const kept = keys.flatMap((_, index) => (index % 100 === 0 ? [index] : []));
    expect(answer.leftOut.map(({ index, reason }) => `${index} ${reason}`)).toEqual([...kept.map(index => `${index} conflict`), '3000 refused', '3001 refused', '3002 conflict']);
    expect([...(await dictionary.texts()).keys()]).toEqual([...kept.map(index => `key ${index}`), 'stored']);
    expect(await dictionary.send(batch)).toEqual(answer);
    expect(rows(file, 'SELECT length(result) < 1000 AS short FROM rx_persistify_writers')).toEqual([{ short: 1 }]);
  });

  it('leaves out what is in conflict, with its transaction and nothing else', async () => {
    const dictionary = await open({ file: temporaryFile(), worker });
    await dictionary.write(set('a'), set('b'));
    await dictionary.write(set('b', '2'));
    const { version, leftOut } = await dictionary.write(
      { type: 'set', key: 'a', json: '"no"', expect: 0 },
      { type: 'set', key: 'b', json: '"no"', transaction: 4 },
      { type: 'delete', key: 'c', expect: 3, transaction: 4 },
      { type: 'set', key: 'd', json: '"yes"', expect: 0, transaction: 5 },
      { type: 'set', key: 'e', json: '"yes"', transaction: 5 },
    );
    expect(version).toBe(3);
    expect(leftOut).toEqual([
      { index: 0, reason: 'conflict', message: 'The key is there already, with version 1.' },
      { index: 1, reason: 'conflict', message: 'Another mutation of its transaction is left out (conflict).' },
      { index: 2, reason: 'conflict', message: 'The key is absent, and was expected with version 3.' },
    ]);
    expect(await dictionary.texts()).toEqual(new Map([['a', '1'], ['b', '2'], ['d', '"yes"'], ['e', '"yes"']]));
  });

  it('leaves a clear out with its transaction', async () => {
    const dictionary = await open({ file: temporaryFile(), worker });
    await dictionary.write(set('a'));
    const { version, leftOut } = await dictionary.write({ type: 'clear', transaction: 1 }, { type: 'set', key: 'b', json: '1', expect: 9, transaction: 1 });
    expect([version, leftOut.map(({ index }) => index)]).toEqual([1, [0, 1]]);
    expect(await dictionary.texts()).toEqual(new Map([['a', '1']]));
  });

  it('raises no version when nothing is left to commit', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(set('a'));
    expect(await dictionary.write({ type: 'set', key: 'a', json: '2', expect: 0 })).toMatchObject({ version: 1 });
    expect(rows(file, 'SELECT head FROM rx_persistify_dictionaries')).toEqual([{ head: 1 }]);
  });
});

describe.each(modes)('what a table refuses, $mode', ({ worker }) => {
  const table = `CREATE TABLE prefs (
    key TEXT PRIMARY KEY CHECK (key NOT LIKE 'bad%'), value TEXT CHECK (length(value) < 10), created_at INT, updated_at INT, version INT, expires_at INT
  )`;

  it('is left out with its transaction, and the rest is stored', async () => {
    const file = temporaryFile();
    inspect(file).exec(table);
    const dictionary = await open({ file, worker });
    const result = await dictionary.write(
      ...numberedSets(120),
      set('bad 120'),
      { type: 'set', key: 'sibling', json: '1', transaction: 7 },
      { type: 'set', key: 'long', json: '"0123456789"', transaction: 7 },
      { type: 'set', key: 'other', json: '1', transaction: 8 },
      { type: 'delete', key: 'absent' },
    );
    expect(result.version).toBe(1);
    expect(result.leftOut).toEqual([
      { index: 120, reason: 'refused', message: expect.stringContaining('CHECK constraint failed') as string },
      { index: 121, reason: 'refused', message: 'Another mutation of its transaction is left out (refused).' },
      { index: 122, reason: 'refused', message: expect.stringContaining('CHECK constraint failed') as string },
    ]);
    expect((await dictionary.texts()).size).toBe(121);
    expect(await dictionary.write(set('on'))).toEqual({ version: 2, leftOut: [] });
  });

  it('is answered the same when the batch comes again, though the table would take it now', async () => {
    const file = temporaryFile();
    const other = inspect(file);
    other.exec(`${table}; CREATE TRIGGER no BEFORE INSERT ON prefs WHEN new.key = 'forbidden' BEGIN SELECT raise(ROLLBACK, 'not today'); END`);
    const dictionary = await open({ file, worker });
    const batch = dictionary.batch({ type: 'set', key: 'forbidden', json: '1', transaction: 1 }, { type: 'set', key: 'sibling', json: '1', transaction: 1 }, set('allowed'));
    const answer = await dictionary.send(batch);
    expect(answer).toMatchObject({ version: 1, leftOut: [{ index: 0, reason: 'refused', message: 'not today' }, { index: 1, reason: 'refused' }] });
    other.exec('DROP TRIGGER no');
    expect(await dictionary.send(batch)).toEqual(answer);
    expect(await dictionary.texts()).toEqual(new Map([['allowed', '1']]));
  });

  it('may be a delete, too', async () => {
    const file = temporaryFile();
    inspect(file).exec(`${table}; CREATE TRIGGER no BEFORE DELETE ON prefs WHEN old.key = 'kept' BEGIN SELECT raise(ABORT, 'kept for good'); END`);
    const dictionary = await open({ file, worker });
    await dictionary.write(set('kept'), set('gone'));
    const deletes = ['kept', 'gone'].map(key => ({ type: 'delete', key }) as const);
    expect((await dictionary.write(...deletes)).leftOut).toEqual([{ index: 0, reason: 'refused', message: 'kept for good' }]);
    expect((await dictionary.write({ type: 'clear' }, set('new'))).leftOut).toMatchObject([{ index: 0, reason: 'refused' }]);
    expect(await dictionary.texts()).toEqual(new Map([['kept', '1'], ['new', '1']]));
  });
});

describe.each(modes)('a batch that comes again, $mode', ({ worker }) => {
  it('is answered, and does not overwrite what came between', async () => {
    const file = temporaryFile();
    const [first, second] = [await open({ file, worker }), await open({ file, worker })];
    const batch = first.batch(set('key', '"first"'), { type: 'set', key: 'key 2', json: '1', expect: 5 });
    const answer = await first.send(batch);
    await second.write(set('key', '"second"'));
    expect(await first.send(batch)).toEqual(answer);
    expect(answer).toMatchObject({ version: 1, leftOut: [{ index: 1, reason: 'conflict' }] });
    expect(await first.texts()).toEqual(new Map([['key', '"second"']]));
    expect(rows(file, 'SELECT version FROM rx_persistify_log')).toHaveLength(2);
  });

  it('is not applied either when it is an older one', async () => {
    const dictionary = await open({ file: temporaryFile(), worker });
    const older = dictionary.batch(set('key', '1'));
    await dictionary.write(set('key', '2'));
    expect(await dictionary.send(older)).toEqual({ version: 1, leftOut: [] });
    expect(await dictionary.texts()).toEqual(new Map([['key', '2']]));
  });
});
