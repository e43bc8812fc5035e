import { describe, expect, it, vi } from 'vitest';

import { numberedSets, set } from '../../support/open-dictionary.ts';
import { Told } from '../../support/told.ts';
import { freshDatabase, inspect, tab } from './scene.ts';

/** So slow that what is heard before was heard by the bell. */
const byBellAlone = { pollMs: 60_000 };

describe('the feed between tabs', () => {
  it('rings at once, and tells each commit in order', async () => {
    const database = freshDatabase();
    const [watcher, writer] = [await tab(database, byBellAlone)(), await tab(database, byBellAlone)()];
    const told = new Told(watcher);
    await writer.write(set('a', '1'), set('b', '1'));
    await told.reaches(1);
    await writer.write(set('a', '2'), { type: 'delete', key: 'b' });
    await told.reaches(2);
    await writer.write({ type: 'clear' }, set('c', '3'));
    await told.reaches(3);
    expect(told.lines).toEqual(['1 a=1 b=1', '2 a=2 -b', '3 clear c=3']);
    expect(told.cursor).toEqual({ version: 3, writer: writer.writer, number: 3 });
  });

  it('finds by itself what no bell tells of', async () => {
    vi.stubGlobal('BroadcastChannel', undefined);
    const database = freshDatabase();
    const [watcher, writer] = [await tab(database, { pollMs: 10 })(), await tab(database)()];
    const told = new Told(watcher);
    await writer.write(set('a'));
    await told.reaches(1);
    await writer.write(set('b'));
    await told.reaches(2);
    expect(told.lines).toEqual(['1 a=1', '2 b=1']);
  });

  it('is of its own dictionary and database', async () => {
    const database = freshDatabase();
    const openIn = tab(database, byBellAlone);
    const [watcher, other] = [await openIn('prefs'), await openIn('other')];
    const elsewhere = await tab(freshDatabase(), byBellAlone)('prefs');
    const told = new Told(watcher);
    await other.write(set('a'));
    await elsewhere.write(set('b'));
    await (await tab(database)('prefs')).write(set('c'));
    await told.reaches(1);
    expect(told.lines).toEqual(['1 c=1']);
  });

  it('tells of its own commits the cursor alone', async () => {
    const own = await tab(freshDatabase(), byBellAlone)();
    const told = new Told(own);
    await own.write({ type: 'clear' }, set('a'));
    await own.write(set('b'));
    await told.reaches(2);
    expect(told.lines).toEqual(['1', '2']);
  });

  it('tells a commit of 20,000 keys as one, and many small ones all', async () => {
    const database = freshDatabase();
    const [watcher, writer] = [await tab(database)(), await tab(database)()];
    await writer.write(...numberedSets(20_000));
    for (let round = 0; round < 450; round++) await writer.write(set('count', String(round)));
    const told = new Told(watcher);
    await told.reaches(451);
    expect(told.commits[0]?.entries).toHaveLength(20_000);
    expect(told.versions).toEqual(Array.from({ length: 451 }, (_, index) => index + 1));
  });

  it('holds up nobody when it is left while it reads', async () => {
    const database = freshDatabase();
    const [watcher, writer] = [await tab(database)(), await tab(database)()];
    await writer.write(...numberedSets(5_000));
    const told = new Told(watcher);
    await Promise.resolve();
    told.leave();
    await writer.write(set('a'));
    await watcher.close();
    expect(told.lines).toEqual([]);
  });
});

describe('the log', () => {
  it('keeps the newest thousand commits and those of an hour; who comes from before them is to load again', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const database = freshDatabase();
      const writer = await tab(database)();
      for (let round = 1; round <= 1_100; round++) await writer.write(set('count', String(round)));
      const all = await inspect(database);
      expect(await all.count('log')).toBe(1_100);
      vi.setSystemTime(Date.now() + 3_700_000);
      for (let round = 1; round <= 64; round++) await writer.write(set('count', String(round)));
      const rows = await all.count('log');
      expect(rows).toBeGreaterThanOrEqual(1_000);
      expect(rows).toBeLessThan(1_064);
      await new Told(writer, { version: 20 }).resets();
      const told = new Told(writer, { version: 600 });
      await told.reaches(1_164);
      expect(told.versions[0]).toBe(601);
    } finally {
      vi.useRealTimers();
    }
  });

  it('forgets writers that are gone for a week', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const database = freshDatabase();
      const old = await tab(database)();
      await old.write(set('a'));
      vi.setSystemTime(Date.now() + 6 * 24 * 3_600_000);
      await (await tab(database)()).write(set('b'));
      const all = await inspect(database);
      expect(await all.count('writers')).toBe(2);
      vi.setSystemTime(Date.now() + 2 * 24 * 3_600_000);
      await (await tab(database)()).close();
      expect(await all.count('writers')).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });
});
