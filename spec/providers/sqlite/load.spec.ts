import { describe, expect, it } from 'vitest';

import { inspect, modes, numberedSets, open, rows, set, temporaryFile } from './bench.ts';

describe.each(modes)('a load, $mode', ({ worker }) => {
  it('gives one empty page of an empty dictionary', async () => {
    const dictionary = await open({ file: temporaryFile(), worker });
    expect(await dictionary.pages()).toEqual([{ entries: [], version: 0 }]);
  });

  it.each([999, 1_000, 1_001, 2_500])('gives each of %i entries once, in pages of at most 1,000 and one version', async count => {
    const dictionary = await open({ file: temporaryFile(), worker });
    await dictionary.write(...numberedSets(count));
    const pages = await dictionary.pages();
    expect(pages.every(({ entries, version }) => entries.length <= 1_000 && version === 1)).toBe(true);
    expect(new Set(pages.flatMap(({ entries }) => entries.map(({ key }) => key))).size).toBe(count);
  });

  it('is one moment, whatever is committed meanwhile', async () => {
    const dictionary = await open({ file: temporaryFile(), worker });
    await dictionary.write(...numberedSets(3_000, '"old"'));
    const pages = [];
    for await (const page of dictionary.session.load()) {
      pages.push(page);
      await dictionary.write({ type: 'clear' }, ...numberedSets(10, '"new"'));
    }
    const entries = pages.flatMap(page => page.entries);
    expect(entries).toHaveLength(3_000);
    expect(entries.every(({ json, version }) => json === '"old"' && version === 1)).toBe(true);
    expect(pages.every(({ version }) => version === 1)).toBe(true);
    expect((await dictionary.texts()).size).toBe(10);
  });

  it('lets timers through between its pages', async () => {
    const dictionary = await open({ file: temporaryFile(), worker });
    await dictionary.write(...numberedSets(5_000));
    let ticks = 0;
    const timer = setInterval(() => ticks++, 0);
    for await (const page of dictionary.session.load()) expect(page.version).toBe(1);
    clearInterval(timer);
    expect(ticks).toBeGreaterThanOrEqual(2);
  });

  it('that is left early holds nothing back', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(...numberedSets(3_000));
    for await (const page of dictionary.session.load()) {
      expect(page.entries).toHaveLength(1_000);
      break;
    }
    // Truncating a log takes that no reader is in it.
    expect(rows(file, 'PRAGMA wal_checkpoint(TRUNCATE)')).toEqual([{ busy: 0, log: 0, checkpointed: 0 }]);
  });

  it('tells of rows that no store can have written, and gives the rest', async () => {
    const file = temporaryFile();
    inspect(file).exec('CREATE TABLE prefs (key TEXT PRIMARY KEY, value TEXT, created_at INT, updated_at INT, version INT, expires_at INT)');
    const dictionary = await open({ file, worker });
    await dictionary.write(set('a'));
    inspect(file).exec("INSERT INTO prefs (key, value) VALUES (x'00ff', '1'), (NULL, '2'), ('b', x'3132'), ('c', NULL), ('d', 'no JSON')");
    expect(await dictionary.texts()).toEqual(new Map([['a', '1'], ['b', '12'], ['c', ''], ['d', 'no JSON']]));
    expect(dictionary.reported).toMatchObject([{ code: 'CORRUPT_DATA', location: file, message: expect.stringContaining('2 rows') as string }]);
    expect(await dictionary.write({ type: 'set', key: 'd', json: '5', expect: 1 })).toMatchObject({ leftOut: [] });
  });
});

describe.each(modes)('a read, $mode', ({ worker }) => {
  it('gives the entries of the keys that are there, as they were committed last', async () => {
    const dictionary = await open({ file: temporaryFile(), worker });
    expect(await dictionary.session.read?.(['a'])).toEqual([]);
    await dictionary.write(set('a'), { type: 'set', key: 'b', json: '2', expiresAt: 5 });
    expect(await dictionary.session.read?.(['b', 'absent', 'a'])).toEqual([{ key: 'b', json: '2', version: 1, expiresAt: 5 }, { key: 'a', json: '1', version: 1 }]);
    await dictionary.write(set('a', '2'));
    expect(await dictionary.session.read?.(['a'])).toEqual([{ key: 'a', json: '2', version: 2 }]);
  });

  it('takes any number of keys', async () => {
    const dictionary = await open({ file: temporaryFile(), worker });
    await dictionary.write(...numberedSets(2_000));
    const keys = (await dictionary.entries()).map(({ key }) => key);
    expect(await dictionary.session.read?.(keys)).toHaveLength(2_000);
    expect(await dictionary.session.read?.([])).toEqual([]);
  });
});
