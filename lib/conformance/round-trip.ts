import type { ProviderSession } from '../providers/provider.ts';
import { equal, equalContents } from './assertions.ts';
import { hostileKeys, hostileTexts } from './hostile.ts';
import type { OpenDictionary } from './open-dictionary.ts';
import type { Bench, Chapter } from './suite.ts';

export const roundTrip: Chapter = {
  title: 'round trip',
  register({ claims, test }) {
    test('gives back hostile keys, each as a key of its own', async bench => {
      const dictionary = await bench.open();
      const contents = new Map(hostileKeys.map((key, index) => [key, `${index}`]));
      await storeEach(dictionary, contents);
      await expectContents(bench, dictionary, contents);
    });

    test('overwrites and deletes hostile keys, and no others', async bench => {
      const dictionary = await bench.open();
      await storeEach(dictionary, new Map(hostileKeys.map(key => [key, '"old"'])));
      const contents = new Map<string, string>();
      const mutations = hostileKeys.map((key, index) => {
        if (index % 2 === 0) return { type: 'delete', key } as const;
        contents.set(key, '"new"');
        return { type: 'set', key, json: '"new"' } as const;
      });
      await dictionary.write(...mutations);
      await expectContents(bench, dictionary, contents);
    });

    test('gives back hostile values to the letter', async bench => {
      const dictionary = await bench.open();
      const contents = new Map(acceptedTexts(dictionary.session).map((json, index) => [`key ${index}`, json]));
      await storeEach(dictionary, contents);
      await expectContents(bench, dictionary, contents);
    });

    test('gives back hostile values under hostile keys, each alone in its batch', async bench => {
      const dictionary = await bench.open();
      const texts = acceptedTexts(dictionary.session).filter(json => json.length < 10_000);
      const contents = new Map(hostileKeys.map((key, index) => [key, texts[index % texts.length] ?? '0']));
      for (const [key, json] of contents) await dictionary.set(key, json);
      await expectContents(bench, dictionary, contents);
    });

    test('stores text of the same content written differently as it comes', async bench => {
      const dictionary = await bench.open();
      for (const json of ['1', '1.0', '10e-1', '1.00']) {
        await dictionary.set('key', json);
        equal((await dictionary.entry('key')).json, json, 'the stored text');
      }
    });

    if (claims.read) {
      test('reads hostile keys one by one and together', async bench => {
        const dictionary = await bench.open();
        const contents = new Map(hostileKeys.map((key, index) => [key, `${index}`]));
        await storeEach(dictionary, contents);
        const all = await dictionary.read(hostileKeys);
        equalContents(new Map(all.map(({ key, json }) => [key, json])), contents, 'what was read');
        equal(all.length, hostileKeys.length, 'the number of entries read');
        for (const [key, json] of contents) {
          const alone = await dictionary.read([key]);
          equal(alone.map(entry => [entry.key, entry.json]), [[key, json]], 'what was read of one key');
        }
      });
    }
  },
};

/** The hostile texts that the session does not refuse beforehand by its capabilities. */
function acceptedTexts({ capabilities: { maxValueBytes, accepts } }: ProviderSession): readonly string[] {
  const encoder = new TextEncoder();
  return hostileTexts.filter(json => encoder.encode(json).length <= (maxValueBytes ?? Infinity) && accepts?.(json) === undefined);
}

async function storeEach(dictionary: OpenDictionary, contents: ReadonlyMap<string, string>): Promise<void> {
  await dictionary.write(...[...contents].map(([key, json]) => ({ type: 'set', key, json }) as const));
}

async function expectContents(bench: Bench, dictionary: OpenDictionary, contents: ReadonlyMap<string, string>): Promise<void> {
  equalContents(await dictionary.texts(), contents, 'the stored dictionary');
  if (!bench.persistent) return;
  const reopened = await bench.reopen(dictionary);
  equalContents(await reopened.texts(), contents, 'the reopened dictionary');
}
