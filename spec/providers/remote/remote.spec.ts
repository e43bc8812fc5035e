import { firstValueFrom, skip, take, toArray } from 'rxjs';
import { LoadError, memory, OptionsError, persistify, ReadOnlyError, type Change, type Failure, type Status, type Store } from 'rx-persistify';
import { remote, type RemoteOptions } from 'rx-persistify/remote';
import type { FeedServer } from 'rx-persistify/server';
import { describe, expect, it, onTestFinished } from 'vitest';

import { listen, openStore, serve, type Anything } from '../../server/scene.ts';

/** A store that follows what `feed` serves, asked within this process. */
async function follow(feed: () => FeedServer, options: Partial<RemoteOptions> = {}): Promise<Store<Anything>> {
  const provider = remote({ url: 'http://test/feed', fetch: (request) => feed().fetch(request), ...options });
  const store = await persistify(provider).withRetry({ delayMs: 5, maxDelayMs: 20 }).open<Anything>('sensors');
  onTestFinished(() => store.close());
  return store;
}

function changesOf(store: Store<Anything>): Change[] {
  const changes: Change[] = [];
  store.changes$.subscribe((change) => changes.push(change));
  return changes;
}

/** A feed whose server can go and come again, and whose answers a test can spoil. */
async function restartable(entries: Readonly<Anything> = {}) {
  const store = await openStore(entries);
  const state = { feed: serve(store), answer: undefined as Response | undefined };
  const ask: RemoteOptions['fetch'] = (request) => (state.answer === undefined ? state.feed.fetch(request) : Promise.resolve(state.answer.clone()));
  return { store, state, ask };
}

describe('a remote store', () => {
  it('reads as the one that is served, over HTTP, and hears its changes', async () => {
    const store = await openStore({ x: 1, y: { deep: ['two\nlines', '\u2028'] } });
    const { url } = await listen(serve(store));
    const there = await persistify(remote({ url })).open<Anything>('sensors');
    onTestFinished(() => there.close());
    expect(Object.fromEntries(there)).toEqual({ x: 1, y: { deep: ['two\nlines', '\u2028'] } });
    expect([there.size, there.get('x'), there.has('z'), there.expiresAt('x')]).toEqual([2, 1, false, undefined]);
    const xs = firstValueFrom(there.get$('x').pipe(take(3), toArray()));
    const changes = firstValueFrom(there.changes$.pipe(take(4), toArray()));
    store.set('x', 2);
    await expect.poll(() => there.get('x')).toBe(2);
    store.set('x', 3);
    await expect.poll(() => there.get('x')).toBe(3);
    expect(await xs).toEqual([1, 2, 3]);
    store.delete('y');
    await expect.poll(() => there.has('y')).toBe(false);
    store.set('short', 1, { ttlMs: 50 });
    expect(await changes).toMatchObject([
      { type: 'set', key: 'x', value: 2, previous: 1, origin: 'remote' },
      { type: 'set', key: 'x', value: 3, previous: 2 },
      { type: 'delete', key: 'y' },
      { type: 'set', key: 'short', value: 1 },
    ]);
    expect(await firstValueFrom(there.changes$)).toMatchObject({ type: 'expire', key: 'short', previous: 1, origin: 'remote' });
    expect(() => there.set('x', 4)).toThrow(ReadOnlyError);
    store.set('a', 1);
    store.clear();
    await expect.poll(() => there.size).toBe(0);
  });

  it('has rich values by the same codec', async () => {
    const codec = { encode: (date: Date) => date.toISOString(), decode: (text: string) => new Date(text) };
    const store = await persistify(memory()).withCodec(codec).open('dates');
    onTestFinished(() => store.close());
    store.set('a', new Date(0));
    const feed = serve(store);
    const there = await persistify(remote({ url: 'http://test/', fetch: feed.fetch })).withCodec(codec).open('dates');
    onTestFinished(() => there.close());
    expect(there.get('a')).toEqual(new Date(0));
    store.set('b', new Date(1));
    expect(await firstValueFrom(there.get$('b').pipe(skip(1)))).toEqual(new Date(1));
  });

  it('has only what it asked for', async () => {
    const store = await openStore({ 'cpu.1': 1, 'disk.1': 1 });
    const feed = serve(store);
    const there = await follow(() => feed, { prefix: 'cpu.', rate: 1_000 });
    store.set('disk.2', 1);
    store.set('cpu.2', 1);
    await expect.poll(() => Object.fromEntries(there)).toEqual({ 'cpu.1': 1, 'cpu.2': 1 });
  });

  it('has the status of the store that is served', async () => {
    const { store, ask } = await restartable();
    const there = await follow(() => serve(store), { fetch: ask });
    const seen: Status[] = [];
    there.status$.subscribe((status) => seen.push(status));
    store.set('a', 1);
    await expect.poll(() => seen.map(({ state }) => state)).toContain('pending');
    await store.flush();
    await expect.poll(() => there.status).toEqual({ ...store.status, connection: { state: 'connected' } });
    await there.close();
    expect(there.status).toMatchObject({ state: 'closed' });
    expect(there.status.connection).toBeUndefined();
  });

  it('tells that it is cut off, since when what it has may be old, and what it missed when it is back: nothing twice', async () => {
    const { store, state, ask } = await restartable({ kept: 1, changed: 1, gone: 1 });
    const there = await follow(() => state.feed, { fetch: ask });
    const changes = changesOf(there);
    const failures: Failure[] = [];
    there.errors$.subscribe((failure) => failures.push(failure));
    const before = Date.now();
    state.answer = new Response('not now', { status: 503 });
    state.feed.close();
    await expect.poll(() => failures.length).toBeGreaterThan(3);
    const { connection } = there.status;
    expect(connection?.state).toBe('reconnecting');
    expect(connection?.state === 'reconnecting' && connection.staleSince).toBeLessThanOrEqual(before + 1_000);
    expect(failures.at(-1)).toMatchObject({ operation: 'watch', error: { code: 'PROVIDER', kind: 'retry' } });
    expect(failures.at(-1)?.error.message).toBe('http://test/feed answers with status 503.');
    store.set('changed', 2);
    store.delete('gone');
    store.set('new', 1);
    expect(there.get('gone')).toBe(1);
    state.feed = serve(store);
    state.answer = undefined;
    await expect.poll(() => there.status.connection).toEqual({ state: 'connected' });
    expect(Object.fromEntries(there)).toEqual({ kept: 1, changed: 2, new: 1 });
    expect(changes.map(({ type, origin, ...rest }) => [type, 'key' in rest ? rest.key : '', origin]).sort()).toEqual([
      ['delete', 'gone', 'remote'],
      ['set', 'changed', 'remote'],
      ['set', 'new', 'remote'],
    ]);
  });

  it('goes on behind what it knows where the server is the same, and reads nothing anew', async () => {
    const { store, state } = await restartable({ a: 1 });
    const { server, url } = await listen(state.feed);
    const asked: (string | null)[] = [];
    const there = await follow(() => state.feed, { url, fetch: (request) => (asked.push(request.headers.get('Last-Event-ID')), fetch(request)) });
    const changes = changesOf(there);
    store.set('a', 2);
    await expect.poll(() => changes.length).toBe(1);
    for (let round = 3; round < 6; round++) {
      server.closeAllConnections();
      store.set('a', round);
      await expect.poll(() => there.get('a')).toBe(round);
    }
    expect(changes.map((change) => change.type === 'set' && [change.previous, change.value])).toEqual([[1, 2], [2, 3], [3, 4], [4, 5]]);
    expect(asked[0]).toBeNull();
    expect(asked.slice(1).every((id) => /:\d+$/.test(id ?? ''))).toBe(true);
  });

  it('is refused for good where it may not be opened, and at once', async () => {
    const { state, ask } = await restartable();
    for (const [answer, message] of [
      [new Response('', { status: 403 }), /status 403/],
      [new Response('<html>', { headers: { 'Content-Type': 'text/html' } }), /answers with text\/html, and not with a feed/],
      [new Response('event: entries\ndata: {"a":1}\n\n', { headers: { 'Content-Type': 'text/event-stream' } }), /no feed of rx-persistify/],
      [new Response('event: reset\ndata: {}\n\n', { headers: { 'Content-Type': 'text/event-stream' } }), /ended the connection/],
    ] as const) {
      state.answer = answer;
      const opening = follow(() => state.feed, { fetch: ask });
      await expect(opening).rejects.toThrow(LoadError);
      await expect(opening).rejects.toThrow(message);
    }
  });

  it('sends headers that are made anew for each connection, and tells no secret of its URL', async () => {
    const store = await openStore({ a: 1 });
    const feed = serve(store, { authorize: ({ headers }) => headers.get('Authorization') === 'token 2' });
    let count = 0;
    const headers = (): Promise<Record<string, string>> => Promise.resolve({ Authorization: `token ${++count}` });
    const refused: unknown = await follow(() => feed, { url: 'http://test/feed?key=secret', headers }).catch((error: unknown) => error);
    expect(String(refused)).toContain('http://test/feed answers with status 403');
    expect(String(refused)).not.toContain('secret');
    expect((await follow(() => feed, { headers })).get('a')).toBe(1);
  });

  it('tells no header that cannot be sent', async () => {
    const feed = serve(await openStore());
    const refused: unknown = await follow(() => feed, { headers: { Authorization: 'Bearer\nsecret' } }).catch((error: unknown) => error);
    expect(String(refused)).toMatch(/header that remote is to send has a name or value that HTTP does not allow/);
    for (let error: unknown = refused; error instanceof Error; error = error.cause) expect(String(error)).not.toContain('secret');
  });

  it('waits for headers and for an answer no longer than for anything else, and leaves one that comes too late', async () => {
    const feed = serve(await openStore());
    const never = new Promise<never>(() => undefined);
    await expect(persistify(remote({ url: 'http://test/', timeoutMs: 20, headers: () => never })).withRetry({ maxAttempts: 1 }).open('sensors')).rejects.toThrow(/Nothing was heard of http:\/\/test\/ for 20 ms/);
    let answer: () => void = () => undefined;
    const late = new Promise<Response>((resolve) => (answer = () => resolve(feed.fetch(new Request('http://test/')))));
    await expect(persistify(remote({ url: 'http://test/', timeoutMs: 20, fetch: () => late })).withRetry({ maxAttempts: 1 }).open('sensors')).rejects.toThrow(/Nothing was heard/);
    answer();
    await late;
    await expect.poll(() => feed.readers).toBe(0);
  });

  it('takes a server of which nothing is heard for gone, and tries again', async () => {
    const store = await openStore({ a: 1 });
    const feed = serve(store, { heartbeatMs: 60_000 });
    const there = await follow(() => feed, { timeoutMs: 50 });
    expect((await firstValueFrom(there.errors$)).error.message).toBe('Nothing was heard of http://test/feed for 50 ms.');
    await expect.poll(() => there.status.connection?.state).toBe('connected');
    expect(feed.readers).toBeLessThanOrEqual(2);
  });

  it('is read anew without a change where nothing has, and leaves no reader behind when it is closed', async () => {
    const store = await openStore({ a: 1 });
    const feed = serve(store);
    const there = await follow(() => feed);
    const changes = changesOf(there);
    await there.reload();
    await expect.poll(() => feed.readers).toBe(1);
    store.set('a', 2);
    await expect.poll(() => changes.length).toBe(1);
    await there.close();
    await expect.poll(() => feed.readers).toBe(0);
    expect([...there]).toEqual([['a', 2]]);
  });

  it('may be served itself, and then says that what it follows is cut off', async () => {
    const { store, state, ask } = await restartable({ a: 1 });
    const relay = await follow(() => state.feed, { fetch: ask });
    const relayed = serve(relay);
    const there = await follow(() => relayed);
    store.set('a', 2);
    await expect.poll(() => there.get('a')).toBe(2);
    state.answer = new Response('', { status: 503 });
    state.feed.close();
    await expect.poll(() => there.status.connection?.state).toBe('reconnecting');
    await store.flush();
  });

  it.each<[RemoteOptions, RegExp]>([
    [{ url: '/feed' }, /url must be a whole URL where there is no page/],
    [{ url: 'ftp://test/feed' }, /url must begin with http: or https:, not with ftp:/],
    [{ url: 'https://user:secret@test/feed' }, /^(?!.*secret).*must have no user and password/],
    [{ url: '//?key=secret' }, /^(?!.*secret).*must be a whole URL/],
    [{ url: 'http://test', head: {} } as RemoteOptions, /there is no option head/],
    [{ url: 'http://test', rate: 0 }, /rate must be a number above 0/],
    [{ url: 'http://test', headers: { a: 1 } } as never, /headers must be an object of headers/],
  ])('refuses the options %o', (options, message) => {
    expect(() => remote(options)).toThrow(OptionsError);
    expect(() => remote(options)).toThrow(message);
  });
});
