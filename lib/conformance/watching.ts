import { equal, equalContents, isAbove, isTrue } from './assertions.ts';
import { numberedSets } from './batches.ts';
import { FeedReader } from './feed-reader.ts';
import { hostileKeys } from './hostile.ts';
import type { OpenDictionary } from './open-dictionary.ts';
import type { Bench, Chapter } from './suite.ts';

/** Of its own commits a session's feed may tell the cursor alone, so that most tests look at those of another session. */
export const watching: Chapter = {
  title: 'watching',
  register({ claims, test }) {
    // A feed of what others commit can be tried where another session may be open beside.
    if (!claims.watch || !claims.shared) return;

    test('tells what another session commits, in order', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const feed = await FeedReader.fromLoad(watcher);
      const versions = [
        (await writer.write({ type: 'set', key: 'a', json: '1' }, { type: 'set', key: 'b', json: '1' })).version,
        (await writer.write({ type: 'set', key: 'a', json: '2' }, { type: 'delete', key: 'b' })).version,
        (await writer.write({ type: 'set', key: 'c', json: '3' })).version,
      ];
      await feed.reaches(Math.max(...versions));
      equal(feed.commits.map(({ cursor }) => cursor.version), versions, 'the versions of the commits');
      for (const { cursor } of feed.commits) equal(cursor.writer ?? writer.writer, writer.writer, 'the writer in the cursor');
      equalContents(feed.texts, new Map([['a', '2'], ['c', '3']]), 'the dictionary by the feed');
    });

    test('tells entries as `load` does, with version and deadline', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const feed = await FeedReader.fromLoad(watcher);
      const expiresAt = Date.now() + 3_600_000;
      const version = await writer.set('key', '{"a":1.0}', { expiresAt });
      await feed.reaches(version);
      const [entry] = feed.commits.at(-1)?.entries ?? [];
      equal([entry?.key, entry?.json, entry?.version, entry?.expiresAt], ['key', '{"a":1.0}', version, expiresAt], 'the entry');
    });

    test('tells a clear, and what is set after it', async bench => {
      const [watcher, writer] = await openTwo(bench);
      await writer.write(...numberedSets(100));
      const feed = await FeedReader.fromLoad(watcher);
      const { version } = await writer.write({ type: 'clear' }, { type: 'set', key: 'key 1', json: '"kept"' });
      await feed.reaches(version);
      equalContents(feed.texts, new Map([['key 1', '"kept"']]), 'the dictionary by the feed');
    });

    test('tells an expiry as a delete', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const feed = await FeedReader.fromLoad(watcher);
      const version = await writer.set('key', '1', { expiresAt: Date.now() - 60_000 });
      await writer.write({ type: 'expire', key: 'key', version });
      await feed.reaches(await writer.set('end', '1'));
      equalContents(feed.texts, new Map([['end', '1']]), 'the dictionary by the feed');
    });

    test('tells nothing that was left out', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const version = await writer.set('taken', '0');
      await writer.set('kept', '0');
      const feed = await FeedReader.fromLoad(watcher);
      await writer.send(
        writer.batch(
          { type: 'set', key: 'taken', json: '1', expect: 0 },
          { type: 'set', key: 'part', json: '1', transaction: 1 },
          { type: 'delete', key: 'taken', expect: 99_999, transaction: 1 },
          { type: 'set', key: 'stored', json: '1' },
          { type: 'expire', key: 'kept', version },
        ),
      );
      await feed.reaches(await writer.set('end', '1'));
      equalContents(feed.texts, new Map([['taken', '0'], ['kept', '0'], ['stored', '1'], ['end', '1']]), 'the dictionary by the feed');
    });

    test('tells a retry once', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const feed = await FeedReader.fromLoad(watcher);
      const batch = writer.batch({ type: 'set', key: 'key', json: '1' });
      for (let attempt = 1; attempt <= 3; attempt += 1) await writer.send(batch);
      await feed.reaches(await writer.set('end', '1'));
      equal(feed.commits.length, 2, 'the number of commits');
    });

    test('tells a batch of 5,000 and hostile keys as one commit', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const feed = await FeedReader.fromLoad(watcher);
      const sets = [...numberedSets(5_000), ...hostileKeys.map(key => ({ type: 'set', key, json: '1' }) as const)];
      const { version } = await writer.write(...sets);
      await feed.reaches(version);
      equal(feed.commits.length, 1, 'the number of commits');
      equalContents(feed.texts, new Map(sets.map(({ key, json }) => [key, json])), 'the dictionary by the feed');
    });

    test('tells what was committed between the load and the subscription', async bench => {
      const [watcher, writer] = await openTwo(bench);
      await writer.set('before', '1');
      const { place } = await watcher.load();
      const next = await writer.set('between', '2');
      const feed = new FeedReader(watcher, place);
      await feed.reaches(next);
      equalContents(feed.texts, new Map([['between', '2']]), 'what the feed told');
    });

    test('names who committed what is loaded, where it does, as the feed does', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const feed = await FeedReader.fromLoad(watcher);
      await feed.reaches(await writer.set('key', '1'));
      const { version, writer: by, number } = (await watcher.load()).place;
      const told = feed.commits.at(-1)?.cursor;
      equal([version, by ?? told?.writer, number ?? told?.number], [told?.version, told?.writer, told?.number], 'the place of `load`');
    });

    test('goes on behind the cursor of an earlier subscription', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const first = await FeedReader.fromLoad(watcher);
      await first.reaches(await writer.set('a', '1'));
      first.unsubscribe();
      const cursor = first.commits.at(-1)?.cursor ?? { version: -1 };
      await writer.set('b', '2');
      const second = new FeedReader(watcher, cursor);
      await second.reaches(await writer.set('c', '3'));
      equalContents(second.texts, new Map([['b', '2'], ['c', '3']]), 'what the second subscription told');
    });

    test('goes on in a new session behind the cursor of an old one', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const first = await FeedReader.fromLoad(watcher);
      await first.reaches(await writer.set('a', '1'));
      first.unsubscribe();
      await bench.close(watcher);
      await writer.set('b', '2');
      const second = new FeedReader(await bench.open(), first.commits.at(-1)?.cursor ?? { version: -1 });
      await second.reaches(await writer.set('c', '3'));
      equalContents(second.texts, new Map([['b', '2'], ['c', '3']]), 'what the second subscription told');
    });

    for (const [what, change] of [
      ['of a version that is still to come', (version: number) => ({ version: version + 1_000 })],
      ['that another writer committed', (version: number) => ({ version, writer: 'nobody', number: 1 })],
    ] as const) {
      test(`tells to load again behind a cursor ${what}`, async bench => {
        const [watcher, writer] = await openTwo(bench);
        await writer.set('key', '1');
        await new FeedReader(watcher, change(await writer.set('key', '2'))).isReset();
      });
    }

    test('misses nothing of two sessions that write at once', async bench => {
      const [watcher, one] = await openTwo(bench);
      const other = await bench.open('dictionary', bench.anotherProvider());
      const feed = await FeedReader.fromLoad(watcher);
      const versions: number[] = [];
      await Promise.all(
        [one, other].map(async (session, index) => {
          for (let round = 1; round <= 50; round += 1) {
            const { version } = await session.write(
              { type: 'set', key: `own ${index} ${round}`, json: '1' },
              { type: 'set', key: `common ${round % 7}`, json: `"${index} ${round}"` },
            );
            versions.push(version);
          }
        }),
      );
      versions.sort((a, b) => a - b);
      await feed.reaches(versions.at(-1) ?? 0);
      equal(feed.commits.map(({ cursor }) => cursor.version), versions, 'the versions of the commits');
      equalContents(feed.texts, await watcher.texts(), 'the dictionary by the feed');
    });

    test('tells two subscriptions the same', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const feeds = [await FeedReader.fromLoad(watcher), await FeedReader.fromLoad(watcher)];
      const version = await writer.set('key', '1');
      for (const feed of feeds) {
        await feed.reaches(version);
        equalContents(feed.texts, new Map([['key', '1']]), 'the dictionary by the feed');
      }
    });

    test('goes on telling one subscriber when another leaves', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const [left, stays] = [await FeedReader.fromLoad(watcher), await FeedReader.fromLoad(watcher)];
      left.unsubscribe();
      const version = await writer.set('key', '1');
      await stays.reaches(version);
      equal(left.commits.length, 0, 'the number of commits told after unsubscribing');
    });

    test('comes past the commits of its own session, in the order of all', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const feed = await FeedReader.fromLoad(watcher);
      const own = await watcher.set('own', '1');
      const last = await writer.set('other', '2');
      isAbove(last, own, 'the version of the last commit');
      await feed.reaches(last);
      equal(feed.texts.get('other'), '2', 'the value of the last commit');
    });

    test('comes past the commits of its own session when nobody else commits', async bench => {
      const watcher = await bench.open();
      const feed = await FeedReader.fromLoad(watcher);
      for (let round = 1; round <= 3; round += 1) await feed.reaches(await watcher.set('key', `${round}`));
      await feed.reaches((await watcher.write({ type: 'delete', key: 'key' })).version);
      await feed.reaches((await watcher.write({ type: 'clear' }, { type: 'set', key: 'key', json: '4' })).version);
    });

    test('goes on behind the cursor of a commit of its own', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const first = await FeedReader.fromLoad(watcher);
      await first.reaches(await watcher.set('own', '1'));
      first.unsubscribe();
      const second = new FeedReader(watcher, first.commits.at(-1)?.cursor ?? { version: -1 });
      const version = await writer.set('other', '2');
      await second.reaches(version);
      equal(second.commits.map(({ cursor }) => cursor.version), [version], 'the versions of the commits');
    });

    test('tells what another session wrote over a commit of its own', async bench => {
      const [watcher, writer] = await openTwo(bench);
      const feed = await FeedReader.fromLoad(watcher);
      await watcher.write({ type: 'set', key: 'changed', json: '"own"' }, { type: 'set', key: 'deleted', json: '"own"' });
      await writer.set('changed', '"other"');
      await feed.reaches((await writer.write({ type: 'delete', key: 'deleted' })).version);
      equal(feed.texts.get('changed'), '"other"', 'the value that the other session set');
      isTrue(feed.commits.at(-1)?.deleted.includes('deleted') === true, 'the delete of the other session is told', feed.commits.at(-1));
    });
  },
};

async function openTwo(bench: Bench): Promise<readonly [OpenDictionary, OpenDictionary]> {
  return [await bench.open(), await bench.open('dictionary', bench.anotherProvider())];
}
