import { connect } from 'node:net';

import { memory, OptionsError, persistify } from 'rx-persistify';
import { serveFeed, type FeedOptions, type FeedServer } from 'rx-persistify/server';
import { describe, expect, it, onTestFinished } from 'vitest';

import { listen, openStore, serve } from './scene.ts';

interface Asked {
  readonly method?: string;
  readonly query?: string;
  readonly headers?: Record<string, string>;
}

async function ask(feed: FeedServer, { method = 'GET', query = '', headers = {} }: Asked = {}): Promise<Response> {
  const response = await feed.fetch(new Request(`http://test/feed${query}`, { method, headers }));
  await response.body?.cancel();
  return response;
}

async function feedWith(options: FeedOptions = {}): Promise<FeedServer> {
  return serve(await openStore({ a: 1 }), options);
}

describe('a request', () => {
  it.each<[string, Asked, number]>([
    ['by POST', { method: 'POST' }, 405],
    ['by OPTIONS where no other origin is allowed', { method: 'OPTIONS', headers: { Origin: 'https://a.example', 'Access-Control-Request-Method': 'GET' } }, 405],
    ['for HTML', { headers: { Accept: 'text/html, application/json;q=0.9' } }, 406],
    ['for anything', { headers: { Accept: 'text/html, */*;q=0.1' } }, 200],
    ['by HEAD', { method: 'HEAD' }, 200],
    ['by HEAD for what there is not', { method: 'HEAD', query: '?store=other' }, 404],
    ['for events', { headers: { Accept: 'text/event-stream' } }, 200],
    ['with a rate of nothing', { query: '?rate=0' }, 400],
    ['with a rate that is no number', { query: '?rate=often' }, 400],
    ['for a store that there is not', { query: '?store=other' }, 404],
  ])('%s is answered as HTTP has it', async (_what, asked, status) => {
    expect((await ask(await feedWith(), asked)).status).toBe(status);
  });

  it('may be refused: 401 to who has shown nothing, 403 to who has, before it is told what there is', async () => {
    const wanted: unknown[] = [];
    const feed = await feedWith({
      authorize: async (request, what) => {
        wanted.push(what);
        return Promise.resolve(request.headers.get('Authorization') === 'Bearer good');
      },
    });
    const nobody = await ask(feed, { query: '?store=other&prefix=a' });
    expect([nobody.status, nobody.headers.get('WWW-Authenticate')]).toEqual([401, 'Bearer']);
    expect((await ask(feed, { headers: { Authorization: 'Bearer bad' } })).status).toBe(403);
    expect((await ask(feed, { headers: { Cookie: 'session=1' } })).status).toBe(403);
    expect((await ask(feed, { headers: { Authorization: 'Bearer good' } })).status).toBe(200);
    expect(wanted[0]).toEqual({ store: 'other', prefix: 'a' });
  });

  it('is refused by whatever is not true, and what it is refused with says nothing of what there is', async () => {
    const store = await openStore({ secret: 'secret' }, 'hidden');
    for (const answer of [undefined, 'no', { allowed: false }, 1]) {
      const feed = serve(store, { authorize: () => answer as never });
      const refused = await feed.fetch(new Request('http://test/', { headers: { Authorization: 'x' } }));
      expect([refused.status, refused.headers.get('Content-Type'), await refused.text()]).toEqual([403, 'text/plain; charset=utf-8', 'Not allowed.']);
    }
  });

  it('by HEAD has the headers of a feed, and nobody who reads it', async () => {
    const feed = await feedWith();
    const { url } = await listen(feed);
    for (const response of [await fetch(url, { method: 'HEAD' }), await feed.fetch(new Request(url, { method: 'HEAD' }))]) {
      expect([response.status, response.headers.get('Content-Type'), await response.text()]).toEqual([200, 'text/event-stream; charset=utf-8', '']);
    }
    expect(feed.readers).toBe(0);
  });

  it.each([
    ['by TRACE', 'TRACE /feed HTTP/1.1\r\nHost: test'],
    ['to a host that is none', 'GET /feed?store=sensors&prefix=b HTTP/1.1\r\nHost: a b'],
    ['to a host with a password', 'GET /feed HTTP/1.1\r\nHost: a:b@test'],
    ['to a host with a path', 'GET /feed HTTP/1.1\r\nHost: test/path'],
    ['to a host with a query', 'GET /feed HTTP/1.1\r\nHost: test?'],
  ])('%s is answered, and troubles nobody', async (_what, text) => {
    const errors: unknown[] = [];
    const feed = await feedWith({ report: (error) => errors.push(error) });
    const { port } = await listen(feed);
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    socket.end(`${text}\r\nConnection: close\r\n\r\n`);
    const answer = (await socket.toArray()).join('');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(errors).toEqual([]);
  });

  it.each([
    ['/feed?prefix=a', 'http://test/feed?prefix=a'],
    ['//trusted/feed', 'http://test//trusted/feed'],
    ['/\\trusted/feed', 'http://test//trusted/feed'],
    ['//', 'http://test//'],
    ['http://other/feed', 'http://other/feed'],
    ['*', 'http://test/*'],
  ])('for %s is of the host that it names', async (target, url) => {
    const asked: string[] = [];
    const feed = await feedWith({ authorize: (request) => asked.push(request.url) === 0 });
    const { port } = await listen(feed);
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    socket.end(`GET ${target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`);
    await socket.toArray();
    expect(asked).toEqual([url]);
  });

  it('is refused where it cannot be found out whether it is allowed', async () => {
    const errors: unknown[] = [];
    const feed = await feedWith({ authorize: () => Promise.reject(new Error('no answer')), report: (error) => errors.push(error) });
    expect((await ask(feed)).status).toBe(500);
    expect(errors).toMatchObject([{ message: 'no answer' }]);
  });

  it('of a page of another origin is allowed where that is told, and the browser may ask beforehand', async () => {
    const feed = await feedWith({ cors: ['https://a.example'], authorize: () => false });
    const headers = { Origin: 'https://a.example', 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'last-event-id' };
    const before = await ask(feed, { method: 'OPTIONS', headers });
    expect(before.status).toBe(204);
    expect(Object.fromEntries(before.headers)).toMatchObject({ 'access-control-allow-origin': 'https://a.example', 'access-control-allow-headers': 'last-event-id', vary: 'Origin' });
    const refused = await ask(feed, { headers: { Origin: 'https://a.example' } });
    expect([refused.status, refused.headers.get('Access-Control-Allow-Origin')]).toEqual([401, 'https://a.example']);
    expect((await ask(feed, { headers: { Origin: 'https://b.example' } })).headers.has('Access-Control-Allow-Origin')).toBe(false);
    expect((await ask(await feedWith({ cors: '*' }), { headers: { Origin: 'https://b.example' } })).headers.get('Access-Control-Allow-Origin')).toBe('*');
  });

  it('that nobody waits for any more is not answered, and nothing is left of it', async () => {
    let allow: (isAllowed: boolean) => void = () => undefined;
    const feed = await feedWith({ authorize: () => new Promise((resolve) => (allow = resolve)) });
    const { url, server } = await listen(feed);
    const closed = new Promise((resolve) => server.on('request', (_, response) => response.on('close', () => resolve(undefined))));
    const ending = new AbortController();
    const answer = fetch(url, { signal: ending.signal }).catch(() => 'gone');
    await expect.poll(() => allow.length).toBe(1); // it was asked
    ending.abort();
    expect(await answer).toBe('gone');
    await closed;
    allow(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(feed.readers).toBe(0);
  });

  it('that comes behind others on its connection is answered when they are, and leaves nothing behind if that ends before', async () => {
    const feed = await feedWith();
    const { port } = await listen(feed);
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    const request = (query: string): string => `GET /feed${query} HTTP/1.1\r\nHost: test\r\n\r\n`;
    socket.write(request('?store=other') + request('') + request('?prefix=b').repeat(20));
    let told = '';
    socket.on('data', (text) => (told += String(text)));
    await expect.poll(() => told).toMatch(/^HTTP\/1\.1 404 .*HTTP\/1\.1 200 .*\["a",1\].*event: live/s);
    expect(feed.readers).toBe(1);
    socket.destroy();
    await expect.poll(() => feed.readers).toBe(0);
  });
});

describe('serveFeed', () => {
  it.each<[string, unknown, RegExp]>([
    ['a misspelled option', { heartbeat: 5 }, /there is no option heartbeat\. Did you mean heartbeatMs\?/],
    ['an origin that no browser sends', { cors: ['https://a.example/'] }, /cors must be '\*', or an array of origins/],
    ['a rate of nothing', { rate: 0 }, /rate must be a number above 0, not 0/],
    ['a word that is no function', { authorize: 'yes' }, /authorize must be a function, not "yes"/],
  ])('refuses %s', async (_what, options, message) => {
    const store = await openStore();
    expect(() => serveFeed(store, options as FeedOptions)).toThrow(OptionsError);
    expect(() => serveFeed(store, options as FeedOptions)).toThrow(message);
  });

  it('refuses what is no store, such as a cache, which has not all in memory', async () => {
    const cache = await persistify(memory()).openCache('cache');
    onTestFinished(() => cache.close());
    expect(() => serveFeed([cache] as never)).toThrow(/each must be an open store/);
    expect(() => serveFeed(undefined as never)).toThrow(OptionsError);
  });

  it('takes a store of any type', async () => {
    const store = await persistify(memory()).open<{ theme: 'dark' | 'light'; size: number }>('prefs');
    onTestFinished(() => store.close());
    expect((await ask(serve(store))).status).toBe(200);
  });
});
