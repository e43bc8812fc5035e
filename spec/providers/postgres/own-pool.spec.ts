import pg from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';

import { numberedSets, set } from '../../support/open-dictionary.ts';
import { Process } from '../../support/process.ts';
import { Told } from '../../support/told.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

function makePool(config: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: database.url, max: 3, ...config });
  pool.on('error', () => undefined);
  onTestFinished(() => pool.end());
  return pool;
}

describe('a pool of the user’s own', () => {
  it('serves commits of all kinds, loads, reads and the feed, and is not ended', async () => {
    const pool = makePool();
    const openAt = database.opener({ pool, schema: database.freshSchema(), pollMs: 60_000 });
    const [watcher, writer] = [await openAt(), await openAt()];
    const told = new Told(watcher);
    await writer.write(set('a'));
    await told.reaches(1);
    await writer.write(...numberedSets(10_001), { type: 'set', key: 'a', json: '2', expect: 9 });
    await told.reaches(2);
    expect((await watcher.entries()).length).toBe(10_002);
    expect(await watcher.session.read?.(['a'])).toMatchObject([{ json: '1' }]);
    for (const dictionary of [watcher, writer]) await dictionary.close();
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('lends the feed one client, which is given back with the last subscription', async () => {
    const pool = makePool();
    const dictionary = await database.open({ pool, schema: database.freshSchema() });
    const inUse = (): number => pool.totalCount - pool.idleCount;
    const told = [new Told(dictionary), new Told(dictionary)];
    await dictionary.write(set('a'));
    for (const one of told) await one.reaches(1);
    await expect.poll(inUse).toBe(1);
    for (const one of told) one.leave();
    await expect.poll(inUse).toBe(0);
    const again = new Told(dictionary);
    await again.reaches(1);
    await dictionary.close();
    expect([inUse(), pool.waitingCount]).toEqual([0, 0]);
  });

  it('gets its clients back as they were, without a listener, a setting or a transaction of ours', async () => {
    const pool = makePool({ max: 1 });
    const dictionary = await database.open({ pool, listen: false, schema: database.freshSchema(), durability: 'normal' });
    await dictionary.write(set('a'));
    await dictionary.write(...numberedSets(10_001));
    await dictionary.write(set('b'), { type: 'set', key: 'c', json: '1', expect: 7 });
    await dictionary.entries();
    const told = new Told(dictionary);
    await told.reaches(3);
    await dictionary.close();
    const client = await pool.connect();
    expect(client.listenerCount('error')).toBe(0);
    const settings = await client.query<Record<string, string>>("SELECT current_setting('synchronous_commit') AS commit, current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement, now() = statement_timestamp() AS fresh");
    expect(settings.rows).toEqual([{ commit: 'on', lock: '0', statement: '0', fresh: true }]);
    client.release();
  });

  it('that is exhausted has a write fail in time, as one to be tried again', async () => {
    const pool = makePool({ max: 1 });
    const dictionary = await database.open({ pool, listen: false, connectTimeoutMs: 100, schema: database.freshSchema() });
    const client = await pool.connect();
    const batch = dictionary.batch(set('a'));
    await expect(dictionary.send(batch)).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: false, message: expect.stringContaining('timeout exceeded when trying to connect') as string });
    client.release();
    expect((await dictionary.send(batch)).version).toBe(1);
    await expect.poll(() => pool.idleCount).toBe(1);
  });

  it('may hand out a client that is left in a broken transaction: it is tried again on another', async () => {
    const pool = makePool({ max: 1 });
    const dictionary = await database.open({ pool, listen: false, schema: database.freshSchema() });
    const client = await pool.connect();
    await client.query('BEGIN');
    await expect(client.query('SELECT 1 / 0')).rejects.toThrow('division by zero');
    client.release();
    const batch = dictionary.batch(set('a'));
    await expect(dictionary.send(batch)).rejects.toMatchObject({ kind: 'retry', message: expect.stringContaining('25P02') as string });
    expect((await dictionary.send(batch)).version).toBe(1);
  });
});

describe('a process', () => {
  const program = (schema: string, options: string): string => `
    import pg from 'pg';
    import { persistify } from 'rx-persistify';
    import { postgres } from 'rx-persistify/postgres';
    const connectionString = ${JSON.stringify(database.url)};
    const store = await persistify(postgres({ schema: '${schema}', ${options} })).open('prefs');
    store.changes$.subscribe(() => undefined);
    await store.setAndSave('key', 1);
    console.log('saved');`;

  it.each([
    ['its built-in pool', 'connection: connectionString'],
    ['a pool of its own with allowExitOnIdle', 'pool: new pg.Pool({ connectionString, allowExitOnIdle: true })'],
    ['no LISTEN', 'connection: connectionString, listen: false'],
  ])('with an open, idle store and %s ends by itself', async (_, options) => {
    const child = new Process(program(database.freshSchema(), options));
    expect(await child.line(0)).toBe('saved');
    expect(await child.ended).toEqual({ code: 0, signal: null });
  });

  it('ends by itself, too, where the connection is dead without a sign', async () => {
    const proxy = await database.proxy();
    const child = new Process(program(database.freshSchema(), `connection: ${JSON.stringify(database.server.url({ port: proxy.port }))}`).replace("console.log('saved');", "setTimeout(() => undefined, 500); console.log('saved');"));
    expect(await child.line(0)).toBe('saved');
    proxy.blackhole();
    expect(await child.ended).toEqual({ code: 0, signal: null });
  });
});
