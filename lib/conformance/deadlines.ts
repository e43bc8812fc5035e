import { equal, equalContents } from './assertions.ts';
import { hostileKeys } from './hostile.ts';
import type { OpenDictionary } from './open-dictionary.ts';
import type { Chapter } from './suite.ts';

const HOUR = 3_600_000;

export const deadlines: Chapter = {
  title: 'deadlines',
  register({ claims, test }) {
    test('gives back deadlines to the millisecond', async bench => {
      const dictionary = await bench.open();
      const now = Date.now();
      const expected = new Map<string, number | undefined>([
        ['none', undefined], ['soon', now + HOUR + 1], ['later', now + 2 ** 31 + 7], ['year 9999', 253_402_300_799_999], ['furthest', 8_640_000_000_000_000],
        ...hostileKeys.map((key, index) => [key, now + HOUR + index] as const),
      ]);
      await dictionary.write(
        ...[...expected].map(([key, expiresAt]) => ({ type: 'set', key, json: '1', ...(expiresAt !== undefined && { expiresAt }) }) as const),
      );
      const { entries } = await dictionary.load();
      for (const [key, expiresAt] of expected) equal(entries.get(key)?.expiresAt, expiresAt, `the deadline of ${key}`);
      if (!claims.persistent) return;
      const reopened = await (await bench.reopen(dictionary)).load();
      for (const [key, expiresAt] of expected) equal(reopened.entries.get(key)?.expiresAt, expiresAt, `the deadline of ${key} after reopening`);
    });

    test('takes a deadline away with a set that has none', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('key', '1', { expiresAt: Date.now() + HOUR });
      await dictionary.set('key', '2');
      equal((await dictionary.entry('key')).expiresAt, undefined, 'the deadline');
    });

    test('replaces a deadline with an earlier one by a set', async bench => {
      const dictionary = await bench.open();
      const expiresAt = Date.now() + HOUR;
      await dictionary.set('key', '1', { expiresAt: expiresAt + HOUR });
      await dictionary.set('key', '1', { expiresAt });
      equal((await dictionary.entry('key')).expiresAt, expiresAt, 'the deadline');
    });

    test('moves a deadline on by a touch, never back', async bench => {
      const dictionary = await bench.open();
      const expiresAt = Date.now() + 2 * HOUR;
      await dictionary.set('key', '1', { expiresAt });
      await dictionary.write({ type: 'touch', key: 'key', expiresAt: expiresAt - HOUR });
      equal((await dictionary.entry('key')).expiresAt, expiresAt, 'the deadline after a touch with an earlier one');
      await dictionary.write({ type: 'touch', key: 'key', expiresAt: expiresAt + HOUR });
      equal((await dictionary.entry('key')).expiresAt, expiresAt + HOUR, 'the deadline after a touch with a later one');
      equal((await dictionary.entry('key')).json, '1', 'the value');
      if (!claims.persistent) return;
      const reopened = await bench.reopen(dictionary);
      equal((await reopened.entry('key')).expiresAt, expiresAt + HOUR, 'the deadline after reopening');
    });

    test('gives no deadline to an entry that has none, since it ends later than any', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('key', '1');
      await dictionary.write({ type: 'touch', key: 'key', expiresAt: Date.now() + HOUR });
      equal((await dictionary.entry('key')).expiresAt, undefined, 'the deadline');
    });

    test('makes no entry by a touch', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('deleted', '1', { expiresAt: Date.now() + HOUR });
      await dictionary.write({ type: 'delete', key: 'deleted' });
      await dictionary.write({ type: 'touch', key: 'absent', expiresAt: Date.now() + HOUR }, { type: 'touch', key: 'deleted', expiresAt: Date.now() + HOUR });
      equal((await dictionary.load()).entries.size, 0, 'the number of entries');
    });

    test('leaves the version of a key alone by a touch', async bench => {
      const dictionary = await bench.open();
      const expiresAt = Date.now() + HOUR;
      const version = await dictionary.set('key', '1', { expiresAt });
      await dictionary.write({ type: 'touch', key: 'key', expiresAt: expiresAt + HOUR }, { type: 'set', key: 'other', json: '1' });
      await dictionary.set('key', '2', { expect: version });
      equal((await dictionary.entry('key')).json, '2', 'the value');
    });

    test('ends an entry whose deadline has passed', async bench => {
      const dictionary = await bench.open();
      const version = await setPassed(dictionary, 'passed', 'also passed');
      await dictionary.set('kept', '1');
      await dictionary.write({ type: 'expire', key: 'passed', version }, { type: 'set', key: 'new', json: '2' });
      const texts = new Map(await dictionary.texts());
      texts.delete('also passed'); // that it was not ended yet does not mean that `load` must tell it
      equalContents(texts, new Map([['kept', '1'], ['new', '2']]), 'the stored dictionary');
    });

    test('does not end an entry before its deadline, or without one', async bench => {
      const dictionary = await bench.open();
      const { version } = await dictionary.write({ type: 'set', key: 'later', json: '1', expiresAt: Date.now() + HOUR }, { type: 'set', key: 'never', json: '2' });
      await dictionary.send(dictionary.batch(...['later', 'never', 'absent'].map(key => ({ type: 'expire', key, version }) as const)));
      equalContents(await dictionary.texts(), new Map([['later', '1'], ['never', '2']]), 'the stored dictionary');
    });

    test('does not end an entry that was set again', async bench => {
      const dictionary = await bench.open();
      const stale = await setPassed(dictionary, 'key');
      const version = await setPassed(dictionary, 'key');
      await dictionary.send(dictionary.batch({ type: 'expire', key: 'key', version: stale }));
      await dictionary.set('key', '"still there"', { expect: version });
    });

    test('does not end an entry whose deadline was moved on', async bench => {
      const dictionary = await bench.open();
      const version = await setPassed(dictionary, 'key');
      await dictionary.write({ type: 'touch', key: 'key', expiresAt: Date.now() + HOUR });
      await dictionary.send(dictionary.batch({ type: 'expire', key: 'key', version }));
      equalContents(await dictionary.texts(), new Map([['key', '"passed"']]), 'the stored dictionary');
    });

    test('ends 5,000 entries in one batch', async bench => {
      const dictionary = await bench.open();
      const keys = Array.from({ length: 5_000 }, (_, index) => `key ${index}`);
      const version = await setPassed(dictionary, ...keys);
      await dictionary.set('kept', '1');
      await dictionary.write(...keys.map(key => ({ type: 'expire', key, version }) as const));
      equalContents(await dictionary.texts(), new Map([['kept', '1']]), 'the stored dictionary');
    });

    if (claims.persistent) {
      test('ends an entry of the last run', async bench => {
        const dictionary = await bench.open();
        const expiresAt = Date.now() - 60_000;
        await dictionary.write({ type: 'set', key: 'key', json: '1', expiresAt }, { type: 'set', key: 'kept', json: '2', expiresAt: expiresAt + HOUR });
        const reopened = await bench.reopen(dictionary);
        const { version } = await reopened.entry('kept'); // of the same commit, whether or not `load` tells what has ended
        await reopened.write({ type: 'expire', key: 'key', version });
        equalContents(await reopened.texts(), new Map([['kept', '2']]), 'the stored dictionary');
      });
    }
  },
};

async function setPassed(dictionary: OpenDictionary, ...keys: readonly string[]): Promise<number> {
  const { version } = await dictionary.write(...keys.map(key => ({ type: 'set', key, json: '"passed"', expiresAt: Date.now() - 60_000 }) as const));
  return version;
}
