import { describe, expect, it } from 'vitest';

import { scratch, stateOf, Store, textsIn } from './store.ts';

const hostileKeys = [
  '__proto__', 'constructor', 'toString', ' ', '\u2028', '\u2029', '"', '\\', '\\"', '\\u0041', '\n', '\r\n', '\t', '\u0001', '\u007f', '{', '},', '"":{',
  '👩‍👩‍👧', 'é', 'e\u0301', '1', '-1', '01', 'null', ',', ':', '#', '*', 'k'.repeat(1_024), '\ufeff', '\ufffd',
];
const hostileTexts = [
  'null', 'true', '0', '-0', '1e400', '12345678901234567890123', '0.1000', '""', '"\\u2028"', '"\u2028"', '"\\\\"', '"\\""', '"a\\nb"', '"👍🏽"',
  '[]', '{}', '{"":1}', '{"a":1,"a":2}', '{"__proto__":{"x":1}}', '"},\\n\\"x\\":1"', '[[[[[[]]]]]]', '{ "a" : [ 1 , 2 ] }', '"\\ud800"',
];

describe('a round trip', () => {
  for (const options of [{}, { indent: 3 }]) {
    it(`keeps hostile keys and values as they are, options ${JSON.stringify(options)}`, async () => {
      const directory = await scratch();
      const store = await Store.open(directory, options);
      const expected = new Map<string, string>();
      hostileKeys.forEach((key, index) => expected.set(key, hostileTexts[index % hostileTexts.length] ?? ''));
      hostileTexts.forEach((text, index) => expected.set(`text ${index}`, text));
      await store.write(...[...expected].map(([key, json]) => ({ type: 'set', key, json }) as const));
      const asMap = async (from: Store) => new Map((await from.entries()).map(({ key, json }) => [key, json]));
      expect(await asMap(store)).toEqual(expected);
      expect(await asMap(await Store.open(await stateOf(directory), options))).toEqual(expected);
      await store.close();
      const reopened = await Store.open(directory, options);
      expect(await asMap(reopened)).toEqual(expected);
      await reopened.set('one more', '1');
      await reopened.close();
      expect(await asMap(await Store.open(directory, options))).toEqual(expected.set('one more', '1'));
    });
  }

  it('keeps values that lie across the blocks in which files are read', async () => {
    const directory = await scratch();
    const store = await Store.open(directory);
    const block = 1 << 20;
    const expected: Record<string, string> = {
      before: JSON.stringify('x'.repeat(block - 20)),
      across: JSON.stringify('é👍'.repeat(10)),
      long: JSON.stringify('👍'.repeat(block)),
      after: '1',
    };
    for (let index = 0; index < 40; index += 1) expected[`pad ${index}`] = JSON.stringify('é'.repeat(block / 8 + index));
    for (const [key, json] of Object.entries(expected)) await store.set(key, json);
    expect(await store.texts()).toEqual(expected);
    await store.close();
    expect(await textsIn(directory)).toEqual(expected);
  });

  it('keeps thousands of keys through folds, deletes and a clear', async () => {
    const directory = await scratch();
    const store = await Store.open(directory);
    const keys = Array.from({ length: 3_000 }, (_, index) => `key ${index}`);
    await store.write(...keys.map(key => ({ type: 'set', key, json: '"old"' }) as const));
    await store.write({ type: 'clear' }, ...keys.slice(1_000).map(key => ({ type: 'set', key, json: '"new"' }) as const));
    await store.write(...keys.slice(2_000).map(key => ({ type: 'delete', key }) as const));
    const expected = Object.fromEntries(keys.slice(1_000, 2_000).map(key => [key, '"new"']));
    expect(await store.texts()).toEqual(expected);
    await store.close();
    expect(await textsIn(directory)).toEqual(expected);
  });

  it('refuses a value with a line break alone', async () => {
    const store = await Store.open(await scratch());
    const result = await store.write({ type: 'set', key: 'a', json: '[\n1]' }, { type: 'set', key: 'b', json: '2' });
    expect(result.leftOut).toEqual([{ index: 0, reason: 'refused', message: expect.stringContaining('line break') as string }]);
    expect(await store.texts()).toEqual({ b: '2' });
  });
});
