import type { SetMutation } from '../mutation.ts';
import { equal, equalContents, isAbove, isAtLeast } from './assertions.ts';
import type { Chapter } from './suite.ts';

export const batches: Chapter = {
  title: 'batches',
  register({ claims, test }) {
    const showsVersions = claims.shared || claims.read;

    for (const size of [1, 1_000, 20_000]) {
      test(`stores a batch of ${size} as one commit`, async bench => {
        const dictionary = await bench.open();
        const sets = numberedSets(size);
        const before = await dictionary.set('before', '0');
        const { version } = await dictionary.write(...sets);
        isAbove(version, before, 'the version of the commit');
        const { version: loaded, entries } = await dictionary.load();
        equal(loaded, version, 'the version that `load` tells');
        equal(entries.size, size + 1, 'the number of entries');
        for (const { key, json } of sets) {
          equal(entries.get(key)?.json, json, `the value of ${key}`);
          if (showsVersions) equal(entries.get(key)?.version, version, `the version of ${key}`);
        }
        if (showsVersions) equal(entries.get('before')?.version, before, 'the version of what was stored before');
      });
    }

    test('stores sets, deletes and overwrites of one batch together', async bench => {
      const dictionary = await bench.open();
      await dictionary.write(...numberedSets(100));
      await dictionary.write(
        { type: 'delete', key: 'key 1' },
        { type: 'set', key: 'key 2', json: '"new"' },
        { type: 'delete', key: 'absent' },
        { type: 'set', key: 'added', json: '[]' },
      );
      const expected = new Map(numberedSets(100).map(({ key, json }) => [key, json]));
      expected.delete('key 1');
      expected.set('key 2', '"new"').set('added', '[]');
      equalContents(await dictionary.texts(), expected, 'the stored dictionary');
    });

    test('deletes what is absent without complaint', async bench => {
      const dictionary = await bench.open();
      await dictionary.write({ type: 'delete', key: 'absent' });
      equal((await dictionary.load()).entries.size, 0, 'the number of entries');
    });

    test('stores again under a key that was deleted', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('key', '1');
      await dictionary.write({ type: 'delete', key: 'key' });
      await dictionary.set('key', '2');
      equalContents(await dictionary.texts(), new Map([['key', '2']]), 'the stored dictionary');
    });

    test('gives each commit a higher version than the one before', async bench => {
      const dictionary = await bench.open();
      let { version } = await dictionary.load();
      for (let round = 1; round <= 50; round += 1) {
        const next = await dictionary.set(`key ${round % 3}`, `${round}`);
        isAbove(next, version, `the version of commit ${round}`);
        version = next;
      }
      equal((await dictionary.load()).version, version, 'the version that `load` tells');
    });

    test('never lowers the version, whatever a commit does', async bench => {
      const dictionary = await bench.open();
      let version = await dictionary.set('key', '1');
      for (const mutation of [
        { type: 'delete', key: 'absent' },
        { type: 'touch', key: 'key', expiresAt: Date.now() + 60_000 },
        { type: 'expire', key: 'key', version: 1 },
        { type: 'delete', key: 'key' },
        { type: 'clear' },
        { type: 'clear' },
      ] as const) {
        const { version: next } = await dictionary.send(dictionary.batch(mutation));
        isAtLeast(next, version, `the version after ${mutation.type}`);
        isAtLeast((await dictionary.load()).version, next, `the version that \`load\` tells after ${mutation.type}`);
        version = next;
      }
      isAbove(await dictionary.set('key', '2'), version, 'the version of the set after it all');
    });

    test('clears everything', async bench => {
      const dictionary = await bench.open();
      await dictionary.write(...numberedSets(1_000));
      await dictionary.write({ type: 'clear' });
      equal((await dictionary.load()).entries.size, 0, 'the number of entries');
    });

    test('keeps what a batch sets after its clear, and nothing from before', async bench => {
      const dictionary = await bench.open();
      await dictionary.write(...numberedSets(100));
      await dictionary.write(
        { type: 'clear' },
        { type: 'set', key: 'key 1', json: '"kept"' },
        { type: 'set', key: 'new', json: '2' },
        { type: 'delete', key: 'key 2' },
      );
      equalContents(await dictionary.texts(), new Map([['key 1', '"kept"'], ['new', '2']]), 'the stored dictionary');
    });

    test('clears an empty dictionary', async bench => {
      const dictionary = await bench.open();
      await dictionary.write({ type: 'clear' });
      await dictionary.write({ type: 'clear' }, { type: 'set', key: 'key', json: '1' });
      equalContents(await dictionary.texts(), new Map([['key', '1']]), 'the stored dictionary');
    });

    test('leaves other dictionaries alone when it clears one', async bench => {
      const [cleared, other] = [await bench.open('cleared'), await bench.open('other')];
      for (const dictionary of [cleared, other]) await dictionary.set('key', '1');
      await cleared.write({ type: 'clear' });
      equalContents(await other.texts(), new Map([['key', '1']]), 'the other dictionary');
    });
  },
};

export function numberedSets(count: number): readonly SetMutation[] {
  return Array.from({ length: count }, (_, index) => ({ type: 'set', key: `key ${index}`, json: `{"index":${index}}` }));
}
