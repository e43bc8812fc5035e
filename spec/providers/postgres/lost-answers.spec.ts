import type { ProviderError } from 'rx-persistify';
import { describe, expect, it } from 'vitest';

import { numberedSets, set, type OpenDictionary } from '../../support/open-dictionary.ts';
import type { Proxy } from '../../support/network/proxy.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

/** What a commit in one message, and one in steps, can be told by on the wire. */
const ways = [
  { way: 'in one message', call: 'rx_persistify_commit', mutations: [set('key', '"first"'), set('other')] },
  { way: 'in steps', call: 'COMMIT\0', mutations: [set('key', '"first"'), ...numberedSets(10_001)] },
] as const;

async function throughProxy(statementTimeoutMs = 30_000): Promise<{ readonly proxy: Proxy; readonly near: OpenDictionary; readonly far: OpenDictionary; readonly schema: string }> {
  const schema = database.freshSchema();
  const proxy = await database.proxy();
  // First, so that the tables are not made within a timeout that is meant for something else.
  const far = await database.open({ schema });
  const near = await database.open({ connection: database.server.url({ port: proxy.port }), schema, statementTimeoutMs, connectTimeoutMs: 1_000 });
  return { proxy, near, far, schema };
}

const unknown = { code: 'PROVIDER', kind: 'retry', outcomeUnknown: true } satisfies Partial<ProviderError>;

describe.each(ways)('a commit $way whose answer is lost', ({ call, mutations }) => {
  it('is answered as settled when it comes again, and is not doubled', async () => {
    const { proxy, near, far, schema } = await throughProxy();
    const batch = near.batch(...mutations, { type: 'set', key: 'absent', json: '1', expect: 7 });
    // One with a condition that does not hold goes in steps.
    void proxy.at('COMMIT\0', 'cut');
    await expect(near.send(batch)).rejects.toMatchObject(unknown);
    expect((await far.texts()).get('key')).toBe('"first"');
    const answer = await near.send(batch);
    expect(answer).toMatchObject({ version: 1, leftOut: [{ index: mutations.length, reason: 'conflict' }] });
    expect(await near.send(batch)).toEqual(answer);
    expect(await database.sql(`SELECT version, number FROM ${schema}.rx_persistify_log`)).toEqual([{ version: '1', number: '1' }]);
  });

  it('does not overwrite what another process has written meanwhile', async () => {
    const { proxy, near, far } = await throughProxy();
    await near.write(set('before'));
    const struck = proxy.at(call, 'cut');
    const batch = near.batch(...mutations);
    await expect(near.send(batch)).rejects.toMatchObject(unknown);
    await struck;
    expect((await far.texts()).get('key')).toBe('"first"');
    expect((await far.write(set('key', '"second"'), { type: 'delete', key: 'other' })).version).toBe(3);
    expect(await near.send(batch)).toEqual({ version: 2, leftOut: [] });
    const texts = await near.texts();
    expect([texts.get('key'), texts.has('other')]).toEqual(['"second"', false]);
    expect(await near.write(set('on'))).toEqual({ version: 4, leftOut: [] });
  });
});

describe('a request that is lost', () => {
  it('has stored nothing, and its retry does', async () => {
    const { proxy, near, far } = await throughProxy();
    const batch = near.batch(set('key'));
    void proxy.at('rx_persistify_commit', 'drop');
    await expect(near.send(batch)).rejects.toMatchObject(unknown);
    expect(await far.texts()).toEqual(new Map());
    expect(await near.send(batch)).toEqual({ version: 1, leftOut: [] });
  });

  it.each(['BEGIN', 'SAVEPOINT'])('in steps, at %s, is known to have stored nothing', async (text) => {
    const { proxy, near, far } = await throughProxy();
    const batch = near.batch(...numberedSets(10_001));
    void proxy.at(text, 'drop');
    await expect(near.send(batch)).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: false });
    expect(await far.texts()).toEqual(new Map());
    expect(await near.send(batch)).toEqual({ version: 1, leftOut: [] });
  });
});

describe('an attempt that commits after its retry did', () => {
  it('is not applied again', async () => {
    const { proxy, near, far } = await throughProxy(100);
    await near.write(set('before'));
    const abort = new AbortController();
    const held = proxy.at('rx_persistify_commit', 'hold');
    const batch = near.batch(set('key', '"mine"'));
    const first = near.send(batch, abort.signal);
    await held;
    abort.abort();
    await expect(first).rejects.toMatchObject(unknown);
    expect(await near.send(batch)).toEqual({ version: 2, leftOut: [] });
    expect(await far.write(set('key', '"theirs"'))).toEqual({ version: 3, leftOut: [] });
    const applied = await commitsOnServer();
    void proxy.release();
    // The call of the first attempt has come to the server and is done when the server has answered a further commit.
    await expect.poll(commitsOnServer).toBeGreaterThan(applied);
    expect(await far.texts()).toEqual(new Map([['before', '1'], ['key', '"theirs"']]));
    expect(await near.write(set('on'))).toEqual({ version: 4, leftOut: [] });
  });

  it('has its retry wait for it, while it is under way', async () => {
    const { near, far, schema } = await throughProxy();
    await near.write(set('before'));
    // The attempt is at the head row, behind a lock of a third one.
    const other = await database.program();
    await other.query(`BEGIN; SELECT FROM ${schema}.rx_persistify_dictionaries FOR UPDATE`);
    const abort = new AbortController();
    const batch = near.batch(set('key', '"mine"'));
    const first = near.send(batch, abort.signal);
    await expect.poll(() => waitingFor('Lock')).toBe(1);
    abort.abort();
    await expect(first).rejects.toMatchObject(unknown);
    const retry = near.send(batch);
    await expect.poll(() => waitingFor('Lock')).toBe(2);
    const third = far.write(set('key', '"theirs"'));
    await expect.poll(() => waitingFor('Lock')).toBe(3);
    await other.query('ROLLBACK');
    expect(await retry).toEqual({ version: 2, leftOut: [] });
    expect((await third).version).toBe(3);
    expect((await far.texts()).get('key')).toBe('"theirs"');
  });
});

describe('a connection that is dead without a sign', () => {
  it('is given up after the time for a statement, and what was asked on it is settled on another one', async () => {
    const { proxy, near, far } = await throughProxy(100);
    await near.write(set('before'));
    void proxy.at('rx_persistify_commit', 'swallow');
    const batch = near.batch(set('key'));
    await expect(near.send(batch)).rejects.toMatchObject(unknown);
    expect((await far.texts()).get('key')).toBe('1');
    expect(await near.send(batch)).toEqual({ version: 2, leftOut: [] });
  });

  it('is cut when the write is aborted', async () => {
    const { proxy, near } = await throughProxy();
    await near.write(set('before'));
    const abort = new AbortController();
    const struck = proxy.at('rx_persistify_commit', 'swallow');
    const batch = near.batch(set('key'));
    const lost = near.send(batch, abort.signal);
    await struck;
    abort.abort();
    await expect(lost).rejects.toMatchObject(unknown);
    expect(await near.send(batch)).toEqual({ version: 2, leftOut: [] });
  });

  it('lets nobody wait longer than it takes to find none that works', async () => {
    const { proxy, near } = await throughProxy(100);
    await near.write(set('before'));
    proxy.blackhole();
    const batch = near.batch(set('key'));
    for (const attempt of [1, 2]) await expect(near.send(batch), `attempt ${attempt}`).rejects.toMatchObject({ kind: 'retry' });
    await expect(near.pages()).rejects.toMatchObject({ kind: 'retry' });
    await expect(near.session.read?.(['key'])).rejects.toMatchObject({ kind: 'retry' });
    proxy.mend();
    expect((await near.send(batch)).version).toBe(2);
  });

  it('does not hold up closing', async () => {
    const { proxy, near } = await throughProxy(100);
    await near.write(set('before'));
    await expect.poll(() => proxy.statements.some((text) => text.includes('pg_notify'))).toBe(true);
    // The answer to the commit comes, and no answer to the bell behind it.
    const struck = proxy.at('pg_notify', 'swallow');
    await near.write(set('key'));
    await struck;
    await near.close();
  });
});

describe('opening', () => {
  it('does not wait for ever on a connection that is dead without a sign', async () => {
    const proxy = await database.proxy();
    void proxy.at('server_version_num', 'swallow');
    const options = { connection: database.server.url({ port: proxy.port }), schema: database.freshSchema(), statementTimeoutMs: 100 };
    await expect(database.open(options)).rejects.toMatchObject({ code: 'PROVIDER', kind: 'retry' });
  });
});

async function waitingFor(event: string): Promise<number> {
  const [row] = await database.sql("SELECT count(*)::integer AS count FROM pg_stat_activity WHERE wait_event_type = $1 AND query LIKE '%rx_persistify_commit%'", [event]);
  return Number(row?.['count']);
}

/** How many transactions have ended. */
async function commitsOnServer(): Promise<number> {
  const [row] = await database.sql("SELECT (xact_commit + xact_rollback)::integer AS count FROM pg_stat_database WHERE datname = 'postgres'");
  return Number(row?.['count']);
}
