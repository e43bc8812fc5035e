import { equal, equalContents, isAbove } from './assertions.ts';
import { leftOutOf, type OpenDictionary } from './open-dictionary.ts';
import type { Chapter } from './suite.ts';

const HOUR = 3_600_000;

/** An `expire` ends an entry or is left out: who sent it must know which. */
export const expiring: Chapter = {
  title: 'expiring',
  register({ claims, test }) {
    test('ends an entry whose deadline has passed', async bench => {
      const dictionary = await bench.open();
      const version = await setPassed(dictionary, 'passed', 'also passed');
      await dictionary.set('kept', '1');
      await dictionary.write({ type: 'expire', key: 'passed', version }, { type: 'set', key: 'new', json: '2' });
      equalContents(await withoutEnded(dictionary, 'also passed'), new Map([['kept', '1'], ['new', '2']]), 'the stored dictionary');
    });

    test('does not end an entry before its deadline, or without one', async bench => {
      const dictionary = await bench.open();
      const { version } = await dictionary.write({ type: 'set', key: 'later', json: '1', expiresAt: Date.now() + HOUR }, { type: 'set', key: 'never', json: '2' });
      const result = await dictionary.send(dictionary.batch(...['later', 'never', 'absent'].map(key => ({ type: 'expire', key, version }) as const)));
      equal(leftOutOf(result), ['0 conflict', '1 conflict', '2 conflict'], 'what was left out');
      equalContents(await dictionary.texts(), new Map([['later', '1'], ['never', '2']]), 'the stored dictionary');
    });

    test('does not end an entry that was set again', async bench => {
      const dictionary = await bench.open();
      const stale = await setPassed(dictionary, 'key');
      const version = await setPassed(dictionary, 'key');
      const result = await dictionary.send(dictionary.batch({ type: 'expire', key: 'key', version: stale }));
      equal(leftOutOf(result), ['0 conflict'], 'what was left out');
      await dictionary.set('key', '"still there"', { expect: version });
    });

    test('does not end an entry whose deadline was moved on', async bench => {
      const dictionary = await bench.open();
      const version = await setPassed(dictionary, 'key');
      await dictionary.write({ type: 'touch', key: 'key', expiresAt: Date.now() + HOUR });
      const result = await dictionary.send(dictionary.batch({ type: 'expire', key: 'key', version }));
      equal(leftOutOf(result), ['0 conflict'], 'what was left out');
      equalContents(await dictionary.texts(), new Map([['key', '"passed"']]), 'the stored dictionary');
    });

    test('names each expire that does not come true, with the reason, and no other', async bench => {
      const dictionary = await bench.open();
      const expiresAt = Date.now() + HOUR;
      const stale = await setPassed(dictionary, 'set again');
      const version = await setPassed(dictionary, 'first', 'moved on', 'set again', 'last');
      const later = await dictionary.set('later', '1', { expiresAt });
      const never = await dictionary.set('never', '1');
      await dictionary.write({ type: 'touch', key: 'moved on', expiresAt });
      const result = await dictionary.send(
        dictionary.batch(
          { type: 'expire', key: 'first', version },
          { type: 'set', key: 'new', json: '2' },
          { type: 'expire', key: 'set again', version: stale },
          { type: 'expire', key: 'moved on', version },
          { type: 'touch', key: 'untouched', expiresAt },
          { type: 'expire', key: 'later', version: later },
          { type: 'expire', key: 'never', version: never },
          { type: 'expire', key: 'absent', version },
          { type: 'delete', key: 'undeleted' },
          { type: 'expire', key: 'last', version },
        ),
      );
      equal(leftOutOf(result), [2, 3, 5, 6, 7].map(index => `${index} conflict`), 'what was left out');
      for (const { index, message } of result.leftOut) isAbove(message.length, 0, `the length of the message of ${index}`);
      isAbove(result.version, never, 'the version of the commit');
      const expected = new Map([['moved on', '"passed"'], ['later', '1'], ['never', '1'], ['new', '2']]);
      equalContents(await withoutEnded(dictionary, 'set again'), expected, 'the stored dictionary');
      if (!claims.persistent) return;
      equalContents(await withoutEnded(await bench.reopen(dictionary), 'set again'), expected, 'the reopened dictionary');
    });

    test('makes no version of expires that do not come true', async bench => {
      const dictionary = await bench.open();
      const version = await dictionary.set('key', '1', { expiresAt: Date.now() + HOUR });
      const result = await dictionary.send(dictionary.batch({ type: 'expire', key: 'key', version }, { type: 'expire', key: 'absent', version }));
      equal(leftOutOf(result), ['0 conflict', '1 conflict'], 'what was left out');
      equal(result.version, version, 'the version that is answered');
      equal((await dictionary.load()).version, version, 'the version that `load` tells');
      await dictionary.set('key', '2', { expect: version });
    });

    test('stores transactions beside an expire that does not come true', async bench => {
      const dictionary = await bench.open();
      const version = await dictionary.set('taken', '0');
      const result = await dictionary.send(
        dictionary.batch(
          { type: 'expire', key: 'absent', version },
          { type: 'set', key: 'one', json: '1', transaction: 1 },
          { type: 'set', key: 'part', json: '1', transaction: 2 },
          { type: 'expire', key: 'also absent', version },
          { type: 'set', key: 'two', json: '2', expect: 0, transaction: 1 },
          { type: 'set', key: 'taken', json: '1', expect: 0, transaction: 2 },
          { type: 'set', key: 'alone', json: '3' },
        ),
      );
      equal(leftOutOf(result), ['0 conflict', '2 conflict', '3 conflict', '5 conflict'], 'what was left out');
      equalContents(await dictionary.texts(), new Map([['taken', '0'], ['one', '1'], ['two', '2'], ['alone', '3']]), 'the stored dictionary');
    });

    test('leaves out an expire behind a clear, which has left it nothing', async bench => {
      const dictionary = await bench.open();
      const version = await setPassed(dictionary, 'key', 'other');
      const kept = await dictionary.send(
        dictionary.batch(
          { type: 'clear', transaction: 1 },
          { type: 'set', key: 'other', json: '1', expect: 0, transaction: 1 },
          { type: 'expire', key: 'key', version },
        ),
      );
      equal(leftOutOf(kept), ['0 conflict', '1 conflict'], 'what was left out behind a clear in conflict');
      const result = await dictionary.send(
        dictionary.batch({ type: 'clear' }, { type: 'expire', key: 'other', version }, { type: 'set', key: 'new', json: '1' }),
      );
      equal(leftOutOf(result), ['1 conflict'], 'what was left out');
      equalContents(await dictionary.texts(), new Map([['new', '1']]), 'the stored dictionary');
    });

    test('ends 5,000 entries in one batch', async bench => {
      const dictionary = await bench.open();
      const keys = Array.from({ length: 5_000 }, (_, index) => `key ${index}`);
      const version = await setPassed(dictionary, ...keys);
      await dictionary.set('kept', '1');
      await dictionary.write(...keys.map(key => ({ type: 'expire', key, version }) as const));
      equalContents(await dictionary.texts(), new Map([['kept', '1']]), 'the stored dictionary');
    });

    test('ends every other of 5,000 entries, and names the rest', async bench => {
      const dictionary = await bench.open();
      const keys = Array.from({ length: 5_000 }, (_, index) => `key ${index}`);
      const version = await setPassed(dictionary, ...keys);
      const result = await dictionary.send(
        dictionary.batch(...keys.map((key, index) => ({ type: 'expire', key, version: index % 2 === 0 ? version : version + 1 }) as const)),
      );
      equal(leftOutOf(result), keys.flatMap((_, index) => (index % 2 === 0 ? [] : [`${index} conflict`])), 'what was left out');
      await dictionary.write(...keys.flatMap((key, index) => (index % 2 === 0 ? [] : [{ type: 'expire', key, version } as const])));
      equal((await dictionary.load()).entries.size, 0, 'the number of entries');
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

/** The stored texts but that of a key whose deadline has passed: that it was not ended yet does not mean that `load` must tell it. */
async function withoutEnded(dictionary: OpenDictionary, key: string): Promise<ReadonlyMap<string, string>> {
  const texts = new Map(await dictionary.texts());
  texts.delete(key);
  return texts;
}
