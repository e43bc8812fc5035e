import { equal, equalContents, isAbove } from './assertions.ts';
import { numberedSets } from './batches.ts';
import { leftOutOf, type OpenDictionary } from './open-dictionary.ts';
import type { Bench, Chapter } from './suite.ts';

export const sharing: Chapter = {
  title: 'sharing',
  register({ claims, test }) {
    if (!claims.shared) return;

    for (const [whose, second] of [['of one provider', false], ['of two providers', true]] as const) {
      test(`shows the commits of one session to the other, ${whose}`, async bench => {
        const one = await bench.open();
        const other = await bench.open('dictionary', second ? bench.anotherProvider() : bench.provider);
        const expectBoth = async (expected: readonly (readonly [string, string])[], what: string): Promise<void> => {
          for (const session of [one, other]) equalContents(await session.texts(), new Map(expected), what);
        };
        await expectBoth([], 'the dictionary before the first commit');
        await one.write({ type: 'set', key: 'a', json: '1' }, { type: 'set', key: 'b', json: '1' });
        await expectBoth([['a', '1'], ['b', '1']], 'the dictionary after the first commit');
        await other.write({ type: 'set', key: 'a', json: '2' }, { type: 'delete', key: 'b' });
        await expectBoth([['a', '2']], 'the dictionary after the second commit');
        await one.write({ type: 'clear' }, { type: 'set', key: 'c', json: '3' });
        await expectBoth([['c', '3']], 'the dictionary after the third commit');
      });
    }

    test('counts one version over the commits of all sessions', async bench => {
      const sessions = await openTwo(bench);
      let version = 0;
      for (let round = 1; round <= 10; round += 1) {
        for (const session of sessions) {
          const next = await session.set(`key ${round % 3}`, `${round}`);
          isAbove(next, version, 'the version of the commit');
          version = next;
          for (const reader of sessions) equal((await reader.load()).version, version, 'the version that `load` tells');
        }
      }
    });

    test('compares with the version that the other session set', async bench => {
      const [one, other] = await openTwo(bench);
      const version = await one.set('key', '1');
      await other.set('key', '2', { expect: version });
      const { leftOut } = await one.send(one.batch({ type: 'set', key: 'key', json: '3', expect: version }, { type: 'set', key: 'other', json: '3' }));
      equal(leftOut.map(({ index, reason }) => `${index} ${reason}`), ['0 conflict'], 'what was left out');
      equalContents(await one.texts(), new Map([['key', '2'], ['other', '3']]), 'the stored dictionary');
    });

    test('leaves out the expire of what the other session keeps alive, or has ended', async bench => {
      const [one, other] = await openTwo(bench);
      const keys = ['touched', 'set', 'deleted', 'ended', 'left to the first'];
      const { version } = await one.write(...keys.map(key => ({ type: 'set', key, json: '1', expiresAt: Date.now() - 60_000 }) as const));
      await other.write(
        { type: 'touch', key: 'touched', expiresAt: Date.now() + 3_600_000 },
        { type: 'set', key: 'set', json: '2' },
        { type: 'delete', key: 'deleted' },
        { type: 'expire', key: 'ended', version },
      );
      const result = await one.send(one.batch(...keys.map(key => ({ type: 'expire', key, version }) as const)));
      equal(leftOutOf(result), ['0 conflict', '1 conflict', '2 conflict', '3 conflict'], 'what was left out');
      equalContents(await other.texts(), new Map([['touched', '1'], ['set', '2']]), 'the stored dictionary');
    });

    test('merges deadlines that two sessions move to the later one', async bench => {
      const [one, other] = await openTwo(bench);
      const expiresAt = Date.now() + 3_600_000;
      await one.set('key', '1', { expiresAt });
      await other.write({ type: 'touch', key: 'key', expiresAt: expiresAt + 2_000 });
      await one.write({ type: 'touch', key: 'key', expiresAt: expiresAt + 1_000 });
      for (const session of [one, other]) equal((await session.entry('key')).expiresAt, expiresAt + 2_000, 'the deadline');
    });

    test('loses no increment of two sessions that count one key up by condition', async bench => {
      const sessions = await openTwo(bench);
      await sessions[0].set('count', '0');
      await Promise.all(
        sessions.map(async session => {
          for (let round = 1; round <= 25; round += 1) await increment(session);
        }),
      );
      equal((await sessions[0].entry('count')).json, '50', 'the count');
    });

    test('stores the batches of two sessions that write at once each as a whole', async bench => {
      const sessions = await openTwo(bench);
      await Promise.all(
        sessions.map(async (session, index) => {
          for (let round = 1; round <= 20; round += 1) {
            await session.write(...numberedSets(50).map(set => ({ ...set, json: `"${index} ${round}"` })));
          }
        }),
      );
      const { entries } = await sessions[0].load();
      equal(entries.size, 50, 'the number of entries');
      equal(new Set([...entries.values()].map(({ json }) => json)).size, 1, 'the number of batches whose values are left');
      equal(new Set([...entries.values()].map(({ version }) => version)).size, 1, 'the number of versions that are left');
    });

    test('lets one session go on when the other closes', async bench => {
      const [one, other] = await openTwo(bench);
      await one.set('key', '1');
      await bench.close(one);
      await other.set('other', '2');
      equalContents(await other.texts(), new Map([['key', '1'], ['other', '2']]), 'the stored dictionary');
    });

    if (claims.read) {
      test('reads what the other session has just committed', async bench => {
        const [one, other] = await openTwo(bench);
        for (let round = 1; round <= 20; round += 1) {
          const version = await one.set('key', `${round}`);
          const [entry] = await other.read(['key']);
          equal(entry?.json, `${round}`, 'the value');
          equal(entry?.version, version, 'the version');
        }
        await one.write({ type: 'delete', key: 'key' });
        equal(await other.read(['key']), [], 'what was read of a deleted key');
      });
    }
  },
};

async function openTwo(bench: Bench): Promise<readonly [OpenDictionary, OpenDictionary]> {
  return [await bench.open(), await bench.open('dictionary', bench.anotherProvider())];
}

/** Reads, and writes one more on condition that nobody did in between: as often as it takes. */
async function increment(dictionary: OpenDictionary): Promise<void> {
  for (;;) {
    const { json, version } = await dictionary.entry('count');
    const batch = dictionary.batch({ type: 'set', key: 'count', json: String(Number(json) + 1), expect: version });
    if ((await dictionary.send(batch)).leftOut.length === 0) return;
  }
}
