import { describe, expect, it } from 'vitest';

import { set, type OpenDictionary } from '../../support/open-dictionary.ts';
import type { Proxy } from '../../support/network/proxy.ts';
import { Told } from '../../support/told.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

/** Tells a connection that looks or listens, by what it asked last. */
const isFeed = "query LIKE 'LISTEN%' OR query LIKE 'SELECT d.head, (SELECT w.number%'";

interface Following {
  readonly schema: string;
  readonly proxy: Proxy;
  /** Listens through the proxy; everything else goes past it. */
  readonly watcher: OpenDictionary;
  readonly writer: OpenDictionary;
  readonly told: Told;
}

async function following(pollMs = 60_000, connectTimeoutMs = 5_000): Promise<Following> {
  const schema = database.freshSchema();
  const proxy = await database.proxy();
  const watcher = await database.open({ schema, listen: database.server.url({ port: proxy.port }), pollMs, connectTimeoutMs });
  const writer = await database.open({ schema });
  const told = new Told(watcher);
  await writer.write(set('key', '1'));
  await told.reaches(1);
  return { schema, proxy, watcher, writer, told };
}

describe('a look without LISTEN', () => {
  it('that hangs, as the server does, does not hold up closing', async () => {
    const schema = database.freshSchema();
    const proxy = await database.proxy();
    const watcher = await database.open({ schema, connection: database.server.url({ port: proxy.port }), listen: false, pollMs: 20 });
    await watcher.write(set('key'));
    const looking = proxy.at('rx_persistify_log', 'swallow');
    const told = new Told(watcher);
    await looking;
    const before = performance.now();
    await watcher.close();
    expect(performance.now() - before).toBeLessThan(5_000);
    expect([told.isComplete, told.errors]).toEqual([true, []]);
  });

  it('that hangs is cut with the last subscription only', async () => {
    const schema = database.freshSchema();
    const proxy = await database.proxy();
    const watcher = await database.open({ schema, connection: database.server.url({ port: proxy.port }), listen: false, pollMs: 20 });
    const held = proxy.at('rx_persistify_log', 'hold');
    const [left, stays] = [new Told(watcher), new Told(watcher)];
    await held;
    left.leave();
    void proxy.release();
    await watcher.write(set('key'));
    await stays.reaches(1);
    expect([left.commits, stays.errors]).toEqual([[], []]);
  });
});

describe('the connection of the feed', () => {
  it('is one for all dictionaries of a provider, and is closed with the last subscription', async () => {
    const schema = database.freshSchema();
    const proxy = await database.proxy();
    const openAt = database.opener({ schema, listen: database.server.url({ port: proxy.port }), pollMs: 60_000 });
    const writer = await database.open({ schema }, 'a');
    const dictionaries = [await openAt('a'), await openAt('a'), await openAt('b')];
    const told = dictionaries.map((dictionary) => new Told(dictionary));
    await writer.write(set('key'));
    for (const one of told.slice(0, 2)) await one.reaches(1);
    expect(proxy.connections).toBe(1);
    expect(proxy.statements.filter((text) => text.startsWith('LISTEN'))).toEqual(['LISTEN rx_persistify']);
    expect(await database.sql(`SELECT FROM pg_stat_activity WHERE ${isFeed}`)).toHaveLength(1);
    for (const one of told) one.leave();
    await expect.poll(async () => (await database.sql(`SELECT FROM pg_stat_activity WHERE ${isFeed}`)).length).toBe(0);
    const again = new Told(dictionaries[0] ?? writer);
    await again.reaches(1);
    expect(proxy.connections).toBe(2);
  });

  it('listens before it looks, so that nothing falls between', async () => {
    const schema = database.freshSchema();
    const proxy = await database.proxy();
    const watcher = await database.open({ schema, listen: database.server.url({ port: proxy.port }), pollMs: 60_000 });
    const writer = await database.open({ schema });
    // The look itself waits; what is committed while it does is rung for.
    const held = proxy.at('rx_persistify_log', 'hold');
    const told = new Told(watcher);
    await held;
    await writer.write(set('key'));
    void proxy.release();
    await told.reaches(1);
  });

  it('that is lost is told at once, and what was committed meanwhile is told on the next one', async () => {
    const { proxy, watcher, writer, told } = await following();
    proxy.cutAll();
    await expect(told.until(() => false)).rejects.toMatchObject({ code: 'PROVIDER', kind: 'retry', message: expect.stringMatching(/^Watching "prefs" in PostgreSQL at 127.0.0.1:\d+\/postgres failed: /) as string });
    await writer.write(set('key', '2'));
    const again = new Told(watcher, told.cursor);
    await again.reaches(2);
    expect(again.lines).toEqual(['2 key=2']);
  });

  it('that the server ends is told, too', async () => {
    const { watcher, writer, told } = await following();
    await database.sql(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE ${isFeed}`);
    await expect(told.until(() => false)).rejects.toMatchObject({ kind: 'retry', message: expect.stringContaining('57P01') as string });
    const again = new Told(watcher, told.cursor);
    await writer.write(set('key', '2'));
    await again.reaches(2);
  });

  it('that is dead without a sign is noticed by its next look, and given up', async () => {
    const { proxy, watcher, writer, told } = await following(50, 200);
    proxy.blackhole();
    await expect(told.until(() => false)).rejects.toMatchObject({ kind: 'retry', message: expect.stringContaining('Query read timeout') as string });
    await writer.write(set('key', '2'));
    const blind = new Told(watcher, told.cursor);
    await expect(blind.until(() => false)).rejects.toMatchObject({ kind: 'retry' });
    proxy.mend();
    const again = new Told(watcher, told.cursor);
    await again.reaches(2);
    expect(again.lines).toEqual(['2 key=2']);
  });

  it('that is dead without a sign does not hold up closing', async () => {
    const { proxy, watcher, told } = await following();
    proxy.blackhole();
    await watcher.close();
    expect(told.isComplete).toBe(true);
  });

  it('that cannot be had is told for each subscription', async () => {
    const { proxy, watcher, told } = await following();
    const port = proxy.port;
    await proxy.close();
    await expect(told.until(() => false)).rejects.toMatchObject({ kind: 'retry' });
    const again = new Told(watcher, told.cursor);
    await expect(again.until(() => false)).rejects.toMatchObject({ kind: 'retry', message: expect.stringContaining(`ECONNREFUSED 127.0.0.1:${port}`) as string });
  });
});
