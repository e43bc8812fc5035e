import { describe, expect, it } from 'vitest';

import { inspect, open, rows, set, temporaryFile } from './bench.ts';

const hour = 3_600_000;

/** Gives a dictionary a past of `count` commits, the newest of which was made `agoMs` ago, and one a second. */
function makePast(file: string, count: number, agoMs: number, everyMs = 1_000): void {
  inspect(file)
    .prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       INSERT INTO rx_persistify_log (dictionary, version, writer, number, committed_at, keys) SELECT 'prefs', i, 'past', i, ? - (? - i) * ?, '[]' FROM n`,
    )
    .run(count, Date.now() - agoMs, count, everyMs);
  inspect(file).prepare("UPDATE rx_persistify_dictionaries SET head = ? WHERE name = 'prefs'").run(count);
}

async function commit(file: string, count: number): Promise<void> {
  const dictionary = await open({ file, worker: false, durability: 'normal' });
  for (let index = 0; index < count; index++) await dictionary.write(set('key', String(index)));
  await dictionary.close();
}

function logged(file: string): { readonly count: number; readonly oldest: number } {
  return rows(file, "SELECT count(*) AS count, min(version) AS oldest FROM rx_persistify_log WHERE dictionary = 'prefs'")[0] as { count: number; oldest: number };
}

describe('the log', () => {
  it('loses what is beyond 10,000 rows and an hour', async () => {
    const file = temporaryFile();
    await (await open({ file, worker: false })).close();
    makePast(file, 10_500, 2 * hour);
    await commit(file, 100);
    expect(logged(file).count).toBeLessThanOrEqual(10_000 + 64);
    expect(logged(file).count).toBeGreaterThanOrEqual(10_000);
  });

  it('keeps 10,000 rows however old they are', async () => {
    const file = temporaryFile();
    await (await open({ file, worker: false })).close();
    makePast(file, 9_000, 24 * hour);
    await commit(file, 100);
    expect(logged(file)).toEqual({ count: 9_100, oldest: 1 });
  });

  it('keeps the rows of an hour however many they are', async () => {
    const file = temporaryFile();
    await (await open({ file, worker: false })).close();
    makePast(file, 20_000, 0, 100);
    await commit(file, 100);
    expect(logged(file)).toEqual({ count: 20_100, oldest: 1 });
  });

  it('never keeps more than 100,000 rows', async () => {
    const file = temporaryFile();
    await (await open({ file, worker: false })).close();
    makePast(file, 100_200, 0, 1);
    await commit(file, 100);
    expect(logged(file).count).toBeLessThanOrEqual(100_064);
  });

  it('is pruned for its own dictionary alone', async () => {
    const file = temporaryFile();
    await (await open({ file, worker: false }, 'other')).close();
    await (await open({ file, worker: false })).close();
    inspect(file).exec("INSERT INTO rx_persistify_log VALUES ('other', 1, 'w', 1, 0, '[]')");
    makePast(file, 10_500, 2 * hour);
    await commit(file, 100);
    expect(rows(file, "SELECT version FROM rx_persistify_log WHERE dictionary = 'other'")).toEqual([{ version: 1 }]);
  });
});

describe('the settling rows', () => {
  it('of writers that have been silent for a week go when a new writer comes', async () => {
    const file = temporaryFile();
    await (await open({ file, worker: false })).close();
    const insert = inspect(file).prepare("INSERT INTO rx_persistify_writers VALUES (?, ?, 1, 1, '[]', ?)");
    insert.run('prefs', 'old', Date.now() - 8 * 24 * hour);
    insert.run('prefs', 'silent', Date.now() - 6 * 24 * hour);
    insert.run('other', 'old', Date.now() - 8 * 24 * hour);
    await commit(file, 1);
    const writers = rows(file, "SELECT writer FROM rx_persistify_writers WHERE writer NOT LIKE 'writer %' ORDER BY dictionary, writer");
    expect(writers).toEqual([{ writer: 'old' }, { writer: 'silent' }]);
  });

  it('do not become more than some thousands, save those of the last hour', async () => {
    const file = temporaryFile();
    await (await open({ file, worker: false })).close();
    inspect(file)
      .prepare(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
         INSERT INTO rx_persistify_writers SELECT 'prefs', 'w' || i, 1, 1, '[]', ? - i * 1000 FROM n`,
      )
      .run(Date.now() - 2 * hour);
    await commit(file, 1);
    const [row] = rows(file, 'SELECT count(*) AS count FROM rx_persistify_writers') as { count: number }[];
    expect(row?.count).toBeLessThanOrEqual(10_001);
    expect(row?.count).toBeGreaterThanOrEqual(10_000);
  });
});
