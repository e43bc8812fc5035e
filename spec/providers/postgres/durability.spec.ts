import { describe, expect, it } from 'vitest';

import { numberedSets, set } from '../../support/open-dictionary.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

const hour = 3_600_000;

/** How the server was to commit each entry, as a trigger of the table saw it. */
async function observe(schema: string): Promise<void> {
  await database.sql(`
    CREATE TABLE ${schema}.seen (key text PRIMARY KEY, setting text);
    CREATE FUNCTION ${schema}.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO ${schema}.seen VALUES (NEW.key, current_setting('synchronous_commit')) ON CONFLICT (key) DO UPDATE SET setting = excluded.setting; RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER see AFTER INSERT OR UPDATE ON ${schema}.prefs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ${schema}.see()`);
}

describe('an acknowledged commit', () => {
  it.each([
    ['full', 'off', 'on'],
    ['full', 'on', 'on'],
    ['full', 'local', 'local'],
    ['full', 'remote_apply', 'remote_apply'],
    ['full', 'remote_write', 'remote_write'],
    ['normal', 'on', 'off'],
    ['normal', 'remote_apply', 'off'],
  ] as const)('of durability %s has a synchronous_commit of %s taken as %s', async (durability, ofRole, expected) => {
    const schema = database.freshSchema();
    await (await database.open({ schema })).close();
    await observe(schema);
    const connection = `${database.url}?options=-c%20synchronous_commit%3D${ofRole}`;
    const dictionary = await database.open({ schema, connection, durability });
    expect(dictionary.session.capabilities.durability).toBe(durability === 'full' ? 'power' : 'process');
    await dictionary.write(set('at once'));
    await dictionary.write(set('in steps'), { type: 'set', key: 'left out', json: '1', expect: 7 });
    expect(await database.sql(`SELECT key, setting FROM ${schema}.seen ORDER BY key`)).toEqual([{ key: 'at once', setting: expected }, { key: 'in steps', setting: expected }]);
  });

  it('is the same whatever isolation the role has by default', async () => {
    const schema = database.freshSchema();
    for (const level of ['serializable', 'repeatable read']) {
      const connection = `${database.url}?options=${encodeURIComponent(`-c default_transaction_isolation=${level.replace(' ', '\\ ')}`)}`;
      const openAt = database.opener({ schema, connection });
      const dictionaries = [await openAt(level), await openAt(level), await openAt(level)];
      await Promise.all(dictionaries.map(async (dictionary) => {
        for (let round = 0; round < 10; round++) await dictionary.write(set('key', String(round)), set(dictionary.writer));
      }));
      expect((await dictionaries[0]?.pages())?.[0]?.version).toBe(30);
    }
  });
});

/** Gives a dictionary a past of `count` commits, the newest of which was made `agoMs` ago. */
async function makePast(schema: string, count: number, agoMs: number, everyMs = 1_000, name = 'prefs'): Promise<void> {
  await database.sql(
    `INSERT INTO ${schema}.rx_persistify_log (dictionary, version, writer, number, committed_at, keys)
      SELECT d.id, i, 'past', i, $2::bigint - ($1::bigint - i) * $3::bigint, '{}' FROM ${schema}.rx_persistify_dictionaries AS d, generate_series(1, $1::bigint) AS i WHERE d.name = $4`,
    [count, Date.now() - agoMs, everyMs, name],
  );
  await database.sql(`UPDATE ${schema}.rx_persistify_dictionaries SET head = $1 WHERE name = $2`, [count, name]);
}

async function logged(schema: string): Promise<{ readonly count: number; readonly oldest: number }> {
  const [row] = await database.sql(`SELECT count(*)::integer AS count, min(version)::integer AS oldest FROM ${schema}.rx_persistify_log AS l JOIN ${schema}.rx_persistify_dictionaries AS d ON d.id = l.dictionary WHERE d.name = 'prefs'`);
  return { count: Number(row?.['count']), oldest: Number(row?.['oldest']) };
}

/** Commits until the log is looked at: each 64 versions. */
async function commit(schema: string, count: number): Promise<void> {
  const dictionary = await database.open({ schema, durability: 'normal' });
  for (let index = 0; index < count; index++) await dictionary.write(set('key', String(index)));
  await dictionary.close();
}

describe('the log', () => {
  it.each([
    ['loses what is beyond 10,000 rows and an hour', 10_500, 2 * hour, 1_000, { least: 10_000, most: 10_063 }],
    ['keeps 10,000 rows however old they are', 9_000, 24 * hour, 1_000, { least: 9_070, most: 9_070 }],
    ['keeps the rows of an hour however many they are', 20_000, 0, 100, { least: 20_070, most: 20_070 }],
    ['never keeps more than 100,000 rows', 100_200, 0, 1, { least: 100_000, most: 100_063 }],
  ])('%s', async (_, count, agoMs, everyMs, { least, most }) => {
    const schema = database.freshSchema();
    await (await database.open({ schema }, 'other')).close();
    await (await database.open({ schema })).close();
    await makePast(schema, 1, 1_000 * hour, 1, 'other');
    await makePast(schema, count, agoMs, everyMs);
    await commit(schema, 70);
    const { count: kept } = await logged(schema);
    expect(kept).toBeLessThanOrEqual(most);
    expect(kept).toBeGreaterThanOrEqual(least);
    expect((await database.sql(`SELECT count(*)::integer AS count FROM ${schema}.rx_persistify_log`))[0]?.['count'], 'the other dictionary keeps its own').toBe(kept + 1);
  });

  it('is pruned by commits in steps, too', async () => {
    const schema = database.freshSchema();
    const dictionary = await database.open({ schema, durability: 'normal' });
    await makePast(schema, 10_559, 2 * hour); // 10,560 is divisible by 64
    await dictionary.write(...numberedSets(10_001));
    expect((await logged(schema)).count).toBe(10_000);
  });
});

describe('the settling rows', () => {
  it('of writers that have been silent for a week go when a new writer comes', async () => {
    const schema = database.freshSchema();
    await (await database.open({ schema }, 'other')).close();
    await (await database.open({ schema })).close();
    for (const [name, writer, days] of [['prefs', 'old', 8], ['prefs', 'silent', 6], ['other', 'old of another', 8]] as const) {
      await database.sql(`INSERT INTO ${schema}.rx_persistify_writers SELECT id, $2, 1, 1, '[]', $3 FROM ${schema}.rx_persistify_dictionaries WHERE name = $1`, [name, writer, Date.now() - days * 24 * hour]);
    }
    await commit(schema, 2);
    expect(await database.sql(`SELECT writer FROM ${schema}.rx_persistify_writers WHERE writer NOT LIKE 'writer %' ORDER BY writer`)).toEqual([{ writer: 'old of another' }, { writer: 'silent' }]);
  });
});
