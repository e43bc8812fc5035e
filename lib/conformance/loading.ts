import { equal, equalContents, isTrue } from './assertions.ts';
import { numberedSets } from './batches.ts';
import type { Chapter } from './suite.ts';

export const loading: Chapter = {
  title: 'loading',
  register({ claims, test }) {
    test('gives at least one page, if an empty one', async bench => {
      const { session } = await bench.open();
      let pages = 0;
      for await (const { entries } of session.load()) {
        pages += 1;
        equal(entries.length, 0, 'the number of entries');
      }
      isTrue(pages >= 1, 'there is a page', pages);
    });

    test('gives 20,000 entries once each, in pages of one version', async bench => {
      const dictionary = await bench.open();
      const sets = numberedSets(20_000);
      await dictionary.write(...sets);
      equalContents(await dictionary.texts(), new Map(sets.map(({ key, json }) => [key, json])), 'the loaded dictionary');
    });

    test('gives the same again', async bench => {
      const dictionary = await bench.open();
      await dictionary.write(...numberedSets(3_000));
      const first = await dictionary.texts();
      equalContents(await dictionary.texts(), first, 'the second load');
      equal((await dictionary.load()).version, (await dictionary.load()).version, 'the version without a commit in between');
    });

    test('releases what it holds when the reader leaves early', async bench => {
      const dictionary = await bench.open();
      await dictionary.write(...numberedSets(5_000));
      for (let round = 1; round <= 20; round += 1) {
        const pages = dictionary.session.load()[Symbol.asyncIterator]();
        await pages.next();
        await pages.return?.();
        await dictionary.set('key 1', `${round}`);
      }
      equal((await dictionary.entry('key 1')).json, '20', 'the value after the last write');
      equal((await dictionary.load()).entries.size, 5_000, 'the number of entries');
    });

    test('can be left before the first page', async bench => {
      const dictionary = await bench.open();
      const pages = dictionary.session.load()[Symbol.asyncIterator]();
      await pages.return?.();
      await dictionary.set('key', '1');
    });

    if (claims.shared) {
      test('gives each key that stays, however much is written between two pages', async bench => {
        const [reader, writer] = [await bench.open(), await bench.open('dictionary', bench.anotherProvider())];
        const { version: before } = await writer.write(...numberedSets(5_000));
        const seen = new Map<string, string>();
        let round = 0;
        for await (const { entries, version } of reader.session.load()) {
          equal(version, before, 'the version of the page');
          for (const { key, json } of entries) seen.set(key, json);
          round += 1;
          if (round > 10) continue;
          await writer.write(
            { type: 'set', key: `new ${round}`, json: '0' },
            { type: 'delete', key: `key ${round}` },
            { type: 'set', key: `key ${4_000 + round}`, json: '"new"' },
          );
        }
        for (const { key, json } of numberedSets(5_000).filter((_, index) => (index > 10 && index <= 4_000) || index > 4_010)) {
          equal(seen.get(key), json, `the value of ${key}, which nobody changed`);
        }
        for (let index = 4_001; index <= 4_010; index += 1) {
          isTrue([`{"index":${index}}`, '"new"'].includes(seen.get(`key ${index}`) ?? ''), 'a changed key has its old or its new value', seen.get(`key ${index}`));
        }
      });
    }

    if (claims.read) {
      test('reads what is there, and leaves out what is absent', async bench => {
        const dictionary = await bench.open();
        equal(await dictionary.read(['key']), [], 'what was read of an empty dictionary');
        const expiresAt = Date.now() + 3_600_000;
        const { version } = await dictionary.write({ type: 'set', key: 'one', json: '1', expiresAt }, { type: 'set', key: 'two', json: '2' });
        const entries = await dictionary.read(['two', 'absent', 'one']);
        equal(entries.map(({ key }) => key).sort(), ['one', 'two'], 'the keys that were read');
        for (const entry of entries) {
          equal(entry.version, version, `the version of ${entry.key}`);
          equal(entry.expiresAt, entry.key === 'one' ? expiresAt : undefined, `the deadline of ${entry.key}`);
          equal(entry.json, entry.key === 'one' ? '1' : '2', `the value of ${entry.key}`);
        }
        equal(await dictionary.read([]), [], 'what was read of no keys');
      });

      test('reads 5,000 keys at once', async bench => {
        const dictionary = await bench.open();
        const sets = numberedSets(5_000);
        await dictionary.write(...sets);
        const entries = await dictionary.read([...sets.map(({ key }) => key), 'absent']);
        equalContents(new Map(entries.map(({ key, json }) => [key, json])), new Map(sets.map(({ key, json }) => [key, json])), 'what was read');
      });
    }
  },
};
