import { statSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { numberedSets, open, rows, set, temporaryFile } from './bench.ts';

const pageBytes = 4_096 + 24;

/** The bytes that one commit of one mutation adds to the write-ahead log of a dictionary of `count` keys. */
async function bytesOfOneSet(count: number): Promise<number> {
  const file = temporaryFile();
  const dictionary = await open({ file, worker: false });
  const sets = numberedSets(count);
  for (let start = 0; start < count; start += 10_000) await dictionary.write(...sets.slice(start, start + 10_000));
  await dictionary.write(set('key 000050', '"warm"'));
  rows(file, 'PRAGMA wal_checkpoint(TRUNCATE)');
  await dictionary.write(set('key 000050', '"once"'));
  const first = statSync(`${file}-wal`).size;
  await dictionary.write(set('key 000050', '"more"'));
  return statSync(`${file}-wal`).size - first;
}

describe('one set', () => {
  it('writes as much beside 100,000 keys as beside 100, and not more than some pages', async () => {
    const [few, many] = [await bytesOfOneSet(100), await bytesOfOneSet(100_000)];
    expect(Math.abs(many - few)).toBeLessThanOrEqual(2 * pageBytes);
    expect(many).toBeLessThanOrEqual(6 * pageBytes);
  });
});

describe('a commit', () => {
  it.each([['full', 2], ['normal', 1]] as const)('is as durable as "%s" says on each open, not only on the first', async (durability, level) => {
    const file = temporaryFile();
    const { openForWriting } = await import('../../../lib/providers/sqlite/connection.ts');
    const { loadDriver } = await import('../../../lib/providers/sqlite/driver.ts');
    const { checkOptions } = await import('../../../lib/providers/sqlite/options.ts');
    await (await open({ file, durability })).close();
    for (let round = 0; round < 3; round++) {
      const database = openForWriting(await loadDriver(), checkOptions({ file, durability }));
      expect(database.prepare('PRAGMA synchronous').pluck().get()).toBe(level);
      database.exec('CREATE TABLE IF NOT EXISTS t (a); INSERT INTO t VALUES (1)');
      expect(database.prepare('PRAGMA synchronous').pluck().get()).toBe(level);
      database.close();
    }
  });

  it.each([['full', 'power'], ['normal', 'process']] as const)('with durability "%s" is told to outlive: %s', async (durability, told) => {
    const dictionary = await open({ file: temporaryFile(), durability });
    expect(dictionary.session.capabilities).toEqual({ shared: true, durability: told, maxValueBytes: 500_000_000 });
  });
});
