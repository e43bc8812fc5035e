import { equal, equalContents, isTrue, rejectsWith, show } from './assertions.ts';
import { hostileNames } from './hostile.ts';
import type { OpenDictionary } from './open-dictionary.ts';
import type { Chapter } from './suite.ts';

export const opening: Chapter = {
  title: 'opening',
  register({ claims, test }) {
    test('says in each session what the manifest says', async bench => {
      for (const name of ['first', 'second']) {
        const { session } = await bench.open(name);
        equal(session.capabilities.shared, claims.shared, '`capabilities.shared`');
        equal(session.capabilities.durability, claims.durability, '`capabilities.durability`');
        equal(session.read !== undefined, claims.read, 'whether the session has `read`');
        equal(session.watch !== undefined, claims.watch, 'whether the session has `watch`');
      }
    });

    test('makes an empty dictionary', async bench => {
      const dictionary = await bench.open();
      const { version, entries } = await dictionary.load();
      equal(entries.size, 0, 'the number of entries');
      isTrue(Number.isSafeInteger(version) && version >= 0, 'the version is a whole number', version);
    });

    test('reports nothing while nothing is wrong', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('key', '1');
      await dictionary.load();
      await bench.close(dictionary);
      equal(dictionary.reports.map(String), [], 'what was reported');
    });

    test('keeps dictionaries with hostile names apart', async bench => {
      for (const name of hostileNames) {
        const dictionary = await bench.open(name);
        equalContents(await dictionary.texts(), new Map(), `the new dictionary ${show(name)}`);
        await dictionary.set('name', JSON.stringify(name));
        if (claims.persistent) await bench.close(dictionary); // else it would be gone
        else equalContents(await dictionary.texts(), new Map([['name', JSON.stringify(name)]]), `the dictionary ${show(name)}`);
      }
      if (!claims.persistent) return;
      const provider = bench.anotherProvider();
      for (const name of hostileNames) {
        const dictionary = await bench.open(name, provider);
        equalContents(await dictionary.texts(), new Map([['name', JSON.stringify(name)]]), `the dictionary ${show(name)}`);
        await bench.close(dictionary);
      }
    });

    test('has several dictionaries open at once, each with its own entries', async bench => {
      const dictionaries = new Map<string, OpenDictionary>();
      for (const name of ['a', 'b', 'c']) dictionaries.set(name, await bench.open(name));
      await Promise.all([...dictionaries].map(([name, dictionary]) => dictionary.set('key', `"${name}"`)));
      for (const [name, dictionary] of dictionaries) {
        equalContents(await dictionary.texts(), new Map([['key', `"${name}"`]]), `the dictionary ${show(name)}`);
      }
    });

    if (!claims.shared) {
      test('refuses to open a dictionary a second time, and leaves the first undisturbed', async bench => {
        const first = await bench.open();
        await rejectsWith('STORE_LOCKED', bench.open('dictionary', bench.anotherProvider()), 'opening by another provider');
        await rejectsWith('STORE_LOCKED', bench.open(), 'opening by the same provider');
        await first.set('key', '1');
        equalContents(await first.texts(), new Map([['key', '1']]), 'the dictionary of the first session');
      });

      test('opens other dictionaries beside one that is open, by another provider too', async bench => {
        await bench.open();
        const other = await bench.open('other', bench.anotherProvider());
        await other.set('key', '1');
        equalContents(await other.texts(), new Map([['key', '1']]), 'the other dictionary');
      });

      test('opens a dictionary again as soon as `close` has resolved', async bench => {
        let dictionary = await bench.open();
        for (let round = 1; round <= 5; round += 1) dictionary = await bench.reopen(dictionary);
        await dictionary.set('key', '1');
      });
    }
  },
};
