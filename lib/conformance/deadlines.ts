import { equal } from './assertions.ts';
import { hostileKeys } from './hostile.ts';
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
      if (!claims.persistent) return;
      equal((await (await bench.reopen(dictionary)).entry('key')).expiresAt, undefined, 'the deadline after reopening');
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

    if (claims.persistent) {
      test('keeps what becomes of deadlines in a later run', async bench => {
        const first = await bench.open();
        const expiresAt = Date.now() + 2 * HOUR;
        const keys = ['untouched', 'touched', 'touched in vain', 'set without', 'set with an earlier one'];
        await first.write(...keys.map(key => ({ type: 'set', key, json: '1', expiresAt }) as const), { type: 'set', key: 'never', json: '1' });
        const second = await bench.reopen(first);
        await second.write(
          { type: 'touch', key: 'touched', expiresAt: expiresAt + HOUR },
          { type: 'touch', key: 'touched in vain', expiresAt: expiresAt - HOUR },
          { type: 'set', key: 'set without', json: '2' },
          { type: 'set', key: 'set with an earlier one', json: '2', expiresAt: expiresAt - HOUR },
          { type: 'touch', key: 'never', expiresAt },
        );
        const third = await bench.reopen(second);
        await third.write({ type: 'touch', key: 'set without', expiresAt });
        const { entries } = await (await bench.reopen(third)).load();
        const found = [...keys, 'never'].map(key => entries.get(key)?.expiresAt);
        equal(found, [expiresAt, expiresAt + HOUR, expiresAt, undefined, expiresAt - HOUR, undefined], 'the deadlines after reopening');
      });
    }
  },
};
