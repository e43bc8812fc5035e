import type pg from 'pg';
import { describe, expect, it } from 'vitest';

import type { Ending } from '../../../demos/support/embedded-server.ts';
import { set, type OpenDictionary } from '../../support/open-dictionary.ts';
import { Told } from '../../support/told.ts';
import { TestServer } from './server.ts';

const database = new TestServer({ settings: { fsync: 'on', max_connections: 12, superuser_reserved_connections: 1 } });

/** Sends the batch until it is stored. Returns the failures on the way. */
async function sendUntilStored(dictionary: OpenDictionary, batch = dictionary.batch(set('key'))): Promise<readonly unknown[]> {
  const failures: unknown[] = [];
  for (;;) {
    try {
      await dictionary.send(batch);
      return failures;
    } catch (error) {
      failures.push(error);
      if (failures.length > 200) throw error;
    }
  }
}

/** Ends the server's processes of other connections than the one that asks. */
async function terminate(condition = 'true'): Promise<void> {
  await database.sql(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND ${condition}`);
}

describe('a connection that the server ends', () => {
  it('while it is idle, is replaced', async () => {
    const dictionary = await database.open({ schema: database.freshSchema() });
    for (let round = 1; round <= 3; round++) {
      expect((await dictionary.write(set('key', String(round)))).version).toBe(round);
      await terminate();
      // Whether the end of it has been noticed yet, decides whether the first attempt fails.
      const failures = await sendUntilStored(dictionary, { number: round, writer: dictionary.writer, mutations: [set('key', String(round))] });
      for (const failure of failures) expect(failure).toMatchObject({ code: 'PROVIDER', kind: 'retry' });
    }
    expect(await dictionary.texts()).toEqual(new Map([['key', '3']]));
  });

  it('in the middle of a commit, fails it as one to be tried again', async () => {
    const schema = database.freshSchema();
    const dictionary = await database.open({ schema });
    await dictionary.write(set('before'));
    const other = await database.program();
    await other.query(`BEGIN; SELECT FROM ${schema}.rx_persistify_dictionaries FOR UPDATE`);
    const batch = dictionary.batch(set('key'));
    const sent = dictionary.send(batch);
    await expect.poll(async () => (await database.sql("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).length).toBe(1);
    const failed = expect(sent).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: true, message: expect.stringContaining('57P01') as string });
    await terminate("wait_event_type = 'Lock'");
    await failed;
    await other.query('ROLLBACK');
    expect((await dictionary.send(batch)).version).toBe(2);
  });

  it('in the very packet of its first answer, fails what it was made for, and no process ends by it', async () => {
    const proxy = await database.proxy();
    const schema = database.freshSchema();
    const dictionary = await database.open({ schema, connection: database.server.url({ port: proxy.port }) });
    await dictionary.write(set('key'));
    await terminate();
    const dismissed = proxy.at('c=biws', 'dismiss'); // the last message of the client's side of SCRAM
    const failures = await sendUntilStored(dictionary);
    await dismissed;
    expect(failures.length).toBeGreaterThan(0);
    for (const failure of failures) expect(failure).toMatchObject({ code: 'PROVIDER', kind: 'retry' });
  });

  it('in the middle of a load, fails it', async () => {
    const dictionary = await database.open({ schema: database.freshSchema() });
    await dictionary.write(...Array.from({ length: 7_000 }, (_, index) => set(`key ${index}`)));
    const load = dictionary.session.load()[Symbol.asyncIterator]();
    await load.next();
    await terminate();
    const rest = async (): Promise<void> => {
      while ((await load.next()).done !== true);
    };
    await expect(rest()).rejects.toMatchObject({ kind: 'retry' });
    expect((await dictionary.entries()).length).toBe(7_000);
  });
});

describe('a server that ends and comes back', () => {
  it.each<Ending>(['fast', 'immediate', 'kill'])('(%s) has everything that it acknowledged, and the open session goes on', async (ending) => {
    const schema = database.freshSchema();
    const dictionary = await database.open({ schema, pollMs: 20 });
    const told = new Told(await database.open({ schema, pollMs: 20 }));
    let acknowledged = 0;
    const writing = (async () => {
      for (;;) {
        await dictionary.write(set(`key ${acknowledged + 1}`));
        acknowledged++;
      }
    })();
    const failed = writing.catch((error: unknown) => error);
    await expect.poll(() => acknowledged).toBeGreaterThan(20);
    await database.server.stop(ending);
    expect(await failed).toMatchObject({ code: 'PROVIDER', kind: 'retry' });
    const batch = { number: acknowledged + 1, writer: dictionary.writer, mutations: [set(`key ${acknowledged + 1}`)] };
    await expect(dictionary.send(batch)).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: false, message: expect.stringContaining('ECONNREFUSED') as string });
    await expect(told.until(() => false)).rejects.toMatchObject({ code: 'PROVIDER', kind: 'retry' });
    await database.server.start();
    await sendUntilStored(dictionary, batch);
    const stored = await dictionary.texts();
    expect([...stored.keys()].sort()).toEqual(Array.from({ length: acknowledged + 1 }, (_, index) => `key ${index + 1}`).sort());
    const again = new Told(await database.open({ schema, pollMs: 20 }), told.cursor);
    await again.reaches(acknowledged + 1);
    expect(dictionary.reported).toEqual([]);
  });

  it('(suspended for longer than the time for a statement) settles what it was asked', async () => {
    const dictionary = await database.open({ schema: database.freshSchema(), statementTimeoutMs: 100, connectTimeoutMs: 200 });
    await dictionary.write(set('before'));
    await database.server.suspend();
    const batch = dictionary.batch(set('key'));
    try {
      // Whether it was sent depends on whether a connection was free at that moment.
      await expect(dictionary.send(batch)).rejects.toMatchObject({ kind: 'retry' });
      await expect(dictionary.send(batch)).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: false });
    } finally {
      await database.server.resume();
    }
    await sendUntilStored(dictionary, batch);
    expect(await dictionary.send(batch)).toEqual({ version: 2, leftOut: [] });
  });
});

describe('a server that is full', () => {
  it('is one to try again for, when there is room', async () => {
    await database.sql('SELECT 1');
    const schema = database.freshSchema();
    const dictionary = await database.open({ schema });
    const others: pg.Client[] = [];
    const fill = async (): Promise<void> => {
      for (;;) others.push(await database.program());
    };
    await expect(fill()).rejects.toMatchObject({ code: '53300' });
    await terminate("application_name = 'rx-persistify'");
    // Its place is taken before it is asked for.
    await expect(fill()).rejects.toMatchObject({ code: '53300' });
    const batch = dictionary.batch(set('key'));
    await expect.poll(() => dictionary.send(batch).catch((error: unknown) => error)).toMatchObject({ kind: 'retry', outcomeUnknown: false, message: expect.stringContaining('53300') as string });
    await others.at(-1)?.end();
    await sendUntilStored(dictionary, batch);
    expect((await others[0]?.query(`SELECT key FROM ${schema}.prefs`))?.rows).toEqual([{ key: 'key' }]);
  });
});
