import { providerConformance } from 'rx-persistify/conformance';
import { postgres } from 'rx-persistify/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { numberedSets, set } from '../../support/open-dictionary.ts';
import { Told } from '../../support/told.ts';
import { hasPooler, Pooler } from './pooler.ts';
import { TestServer } from './server.ts';

describe.skipIf(!hasPooler)('through PgBouncer in transaction mode (skipped where pgbouncer is not installed)', () => {
  const database = new TestServer();
  let pooler: Pooler | undefined;

  beforeAll(async () => {
    pooler = await Pooler.start(database.url, { serverConnections: 2 });
  });
  afterAll(() => pooler?.stop());

  const connection = (): string => database.server.url({ port: pooler?.port ?? 0 });

  providerConformance({
    name: 'postgres with `pooler: true`',
    runner: { describe, it },
    capabilities: { shared: true, durability: 'power', persistent: true, read: true, watch: true },
    createStorage: () => {
      const schema = database.freshSchema();
      return Promise.resolve({
        provider: () => postgres({ connection: connection(), pooler: true, pollMs: 20, schema }),
        remove: async () => {
          await database.sql(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
        },
      });
    },
  });

  it('several sessions write, load and watch at once on two connections of the server', async () => {
    const schema = database.freshSchema();
    const providers = Array.from({ length: 4 }, () => database.opener({ connection: connection(), pooler: true, pollMs: 20, schema }));
    const dictionaries = await Promise.all(providers.map((open) => open()));
    const told = dictionaries.map((dictionary) => new Told(dictionary));
    await Promise.all(dictionaries.map(async (dictionary, index) => {
      for (let round = 0; round < 20; round++) await dictionary.write(set(`key ${index}`, String(round)), { type: 'set', key: 'shared', json: '1', expect: 0 });
      await dictionary.entries();
    }));
    for (const one of told) await one.reaches(80);
    expect(await dictionaries[0]?.texts()).toEqual(new Map([...[0, 1, 2, 3].map((index) => [`key ${index}`, '19'] as const), ['shared', '1']]));
    const [row] = await database.sql("SELECT count(*)::integer AS count FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()");
    expect(row?.['count']).toBeLessThanOrEqual(2);
  });

  it('leaves nothing in the sessions of the server that others come to', async () => {
    const dictionary = await database.open({ connection: connection(), pooler: true, schema: database.freshSchema(), durability: 'normal' });
    await dictionary.write(set('a'));
    await dictionary.write(...numberedSets(10_001));
    await dictionary.entries();
    const other = await database.program(connection());
    for (const name of ['synchronous_commit', 'lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout']) {
      const [here, direct] = [await other.query<Record<string, string>>(`SHOW ${name}`), await database.sql(`SHOW ${name}`)];
      expect(here.rows).toEqual(direct);
    }
    expect((await other.query('SELECT FROM pg_prepared_statements')).rows).toEqual([]);
  });

  it('hears of commits at once by a connection that leads past it', async () => {
    const options = { connection: connection(), pooler: true, listen: database.url, pollMs: 60_000, schema: database.freshSchema() };
    const [watcher, writer] = [await database.open(options), await database.open(options)];
    const told = new Told(watcher);
    for (const version of [1, 2, 3]) {
      await writer.write(set('key', String(version)));
      await told.reaches(version);
    }
    expect(told.lines).toEqual(['1 key=1', '2 key=2', '3 key=3']);
  });

  it('without `pooler: true` fails with the advice to give it', async () => {
    const opening = database.open({ connection: connection(), schema: database.freshSchema() });
    await expect(opening).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('a pooler in transaction mode in between needs `pooler: true`') as string });
  });
});
