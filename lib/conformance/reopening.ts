import { equal, equalContents, isAtLeast } from './assertions.ts';
import { numberedSets } from './batches.ts';
import type { Chapter } from './suite.ts';

export const reopening: Chapter = {
  title: 'reopening',
  register({ claims, test }) {
    if (!claims.persistent) return;

    test('keeps what was written, for the same provider and for a new one', async bench => {
      const first = await bench.open();
      const { version } = await first.write({ type: 'set', key: 'one', json: '1' }, { type: 'set', key: 'two', json: '{"a":[2]}' });
      await bench.close(first);
      for (const provider of [bench.provider, bench.anotherProvider()]) {
        const reopened = await bench.open('dictionary', provider);
        equalContents(await reopened.texts(), new Map([['one', '1'], ['two', '{"a":[2]}']]), 'the reopened dictionary');
        isAtLeast((await reopened.load()).version, version, 'the version after reopening');
        await bench.close(reopened);
      }
    });

    test('keeps deletes and clears', async bench => {
      let dictionary = await bench.open();
      await dictionary.write({ type: 'set', key: 'kept', json: '1' }, { type: 'set', key: 'deleted', json: '2' });
      await dictionary.write({ type: 'delete', key: 'deleted' });
      dictionary = await bench.reopen(dictionary);
      equalContents(await dictionary.texts(), new Map([['kept', '1']]), 'the dictionary after a delete');
      await dictionary.write({ type: 'clear' });
      dictionary = await bench.reopen(dictionary);
      equalContents(await dictionary.texts(), new Map(), 'the dictionary after a clear');
      await dictionary.write({ type: 'set', key: 'kept', json: '3' });
      dictionary = await bench.reopen(dictionary);
      equalContents(await dictionary.texts(), new Map([['kept', '3']]), 'the dictionary after a set');
    });

    test('keeps 20,000 entries', async bench => {
      const dictionary = await bench.open();
      const sets = numberedSets(20_000);
      await dictionary.write(...sets);
      const reopened = await bench.reopen(dictionary);
      equalContents(await reopened.texts(), new Map(sets.map(({ key, json }) => [key, json])), 'the reopened dictionary');
    });

    test('keeps the sum of many small commits over many sessions', async bench => {
      let dictionary = await bench.open();
      const expected = new Map<string, string>();
      for (let session = 1; session <= 5; session += 1) {
        for (let round = 1; round <= 20; round += 1) {
          const [set, deleted] = [`key ${(round * session) % 17}`, `key ${(round + session) % 23}`];
          if (set === deleted) continue;
          expected.set(set, `[${session},${round}]`).delete(deleted);
          await dictionary.write({ type: 'set', key: set, json: `[${session},${round}]` }, { type: 'delete', key: deleted });
        }
        dictionary = await bench.reopen(dictionary);
        equalContents(await dictionary.texts(), expected, `the dictionary after session ${session}`);
      }
    });

    test('leaves out what it left out, after reopening too', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('key', '1');
      await dictionary.send(dictionary.batch({ type: 'set', key: 'key', json: '2', expect: 0 }, { type: 'set', key: 'other', json: '2' }));
      const reopened = await bench.reopen(dictionary);
      equalContents(await reopened.texts(), new Map([['key', '1'], ['other', '2']]), 'the reopened dictionary');
    });

    test('changes nothing by opening and closing', async bench => {
      let dictionary = await bench.open();
      await dictionary.write(...numberedSets(10));
      const texts = await dictionary.texts();
      for (let round = 1; round <= 5; round += 1) {
        dictionary = await bench.reopen(dictionary);
        if (round % 2 === 0) equal((await dictionary.load()).entries.size, 10, 'the number of entries');
      }
      equalContents(await dictionary.texts(), texts, 'the reopened dictionary');
    });
  },
};
