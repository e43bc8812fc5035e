import { once } from 'node:events';
import { connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';

import { memory, persistify } from 'rx-persistify';
import { describe, expect, it, onTestFinished } from 'vitest';

import { EventReader, inShort, listen, openStore, read, serve } from './scene.ts';

describe('a feed', () => {
  it('begins with everything there is, and goes on with what changes, over HTTP', async () => {
    const store = await openStore({ x: 1, text: 'two\nlines' });
    const { url } = await listen(serve(store));
    const response = await fetch(url);
    expect(Object.fromEntries(response.headers)).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store, no-transform' });
    expect(response.headers.has('access-control-allow-origin')).toBe(false);
    const reader = new EventReader(response);
    expect(inShort(await reader.upTo('live'))).toEqual([['reset', {}], ['entries', [['x', 1], ['text', 'two\nlines']]], ['live', {}]]);
    store.set('x', 2);
    store.delete('text');
    store.set('x', 3);
    expect(inShort(await reader.upTo('changes'))).toEqual([['changes', [{ type: 'delete', key: 'text' }, { type: 'set', key: 'x', value: 3 }]]]);
    store.clear();
    store.set('y', null);
    expect(inShort(await reader.upTo('changes'))).toEqual([['changes', [{ type: 'clear' }, { type: 'set', key: 'y', value: null }]]]);
    store.set('short', 1, { ttlMs: 1_000 });
    await reader.upTo('changes');
    expect(inShort(await reader.upTo('changes'))).toEqual([['changes', [{ type: 'expire', key: 'short' }]]]);
  });

  it('sends values as the codec of the store has them in JSON', async () => {
    const store = await persistify(memory())
      .withCodec({ encode: (date: Date) => date.toISOString(), decode: (text: string) => new Date(text) })
      .open('dates');
    onTestFinished(() => store.close());
    store.set('saved', new Date(0));
    await store.flush();
    const reader = await read(serve(store));
    expect(inShort(await reader.upTo('entries'))).toContainEqual(['entries', [['saved', '1970-01-01T00:00:00.000Z']]]);
    await reader.upTo('live');
    store.set('unsaved', new Date(1));
    expect(inShort(await reader.upTo('changes'))).toEqual([['changes', [{ type: 'set', key: 'unsaved', value: '1970-01-01T00:00:00.001Z' }]]]);
  });

  it('goes on behind the last event that was told: with the latest of each key that changed since, or with a clear', async () => {
    const store = await openStore({ a: 1, b: 1, c: 1 });
    const feed = serve(store);
    const first = await read(feed);
    const id = (await first.upTo('live')).at(-1)?.id ?? '';
    await first.leave();
    for (const value of [2, 3, 4]) store.set('a', value);
    store.delete('b');
    const second = await read(feed, '', { 'Last-Event-ID': id });
    expect(inShort(await second.upTo('live'))).toEqual([['changes', [{ type: 'set', key: 'a', value: 4 }, { type: 'delete', key: 'b' }]], ['live', {}]]);
    store.clear();
    store.set('d', 1);
    const third = await read(feed, '', { 'Last-Event-ID': id });
    expect(inShort(await third.upTo('live'))).toEqual([['changes', [{ type: 'clear' }, { type: 'set', key: 'd', value: 1 }]], ['live', {}]]);
  });

  it('begins anew where the last event is of another run, none at all, or further back than its history', async () => {
    const store = await openStore({ a: 1 });
    const old = (await (await read(serve(store))).upTo('live')).at(-1)?.id ?? '';
    const feed = serve(store, { history: 2 });
    const id = (await (await read(feed)).upTo('live')).at(-1)?.id ?? '';
    for (const unknown of [old, 'nonsense', `${id.replace(/:.*/, '')}:99`]) {
      expect((await (await read(feed, '', { 'Last-Event-ID': unknown })).upTo('live'))[0]?.name, unknown).toBe('reset');
    }
    store.set('b', 1);
    store.set('c', 1);
    expect((await (await read(feed, '', { 'Last-Event-ID': id })).upTo('live'))[0]?.name).toBe('changes');
    store.set('d', 1);
    expect((await (await read(feed, '', { 'Last-Event-ID': id })).upTo('live'))[0]?.name).toBe('reset');
  });

  it('has only keys of the prefix, and a clear if they were cleared', async () => {
    const store = await openStore({ 'cpu.1': 1, 'disk.1': 1 });
    const reader = await read(serve(store), '?prefix=cpu.');
    expect(inShort(await reader.upTo('live'))).toEqual([['reset', {}], ['entries', [['cpu.1', 1]]], ['live', {}]]);
    store.set('disk.1', 2);
    await store.flush();
    store.delete('disk.1');
    store.set('cpu.2', 2);
    expect(inShort(await reader.upTo('changes'))).toEqual([['changes', [{ type: 'set', key: 'cpu.2', value: 2 }]]]);
  });

  it('tells how saving stands, so that what is shown is known to be saved or not', async () => {
    const store = await openStore();
    const reader = await read(serve(store));
    expect(inShort(await reader.upTo('status')).at(-1)).toMatchObject(['status', { state: 'idle', pending: 0 }]);
    store.set('a', 1);
    expect(inShort(await reader.upTo('status'))).toMatchObject([['live', {}], ['changes', [{ key: 'a' }]], ['status', { state: 'pending', pending: 1 }]]);
    await store.flush();
    for (;;) {
      const [status] = (await reader.upTo('status')).slice(-1);
      if (JSON.stringify(status?.data).includes('"idle"')) break;
    }
  });

  it('is whole where it has more entries than fit in one event, and the store changes while they are sent', async () => {
    const entries = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`key ${index}`, 'x'.repeat(100)]));
    const store = await openStore(entries);
    const reader = await read(serve(store));
    const map = new Map<string, unknown>();
    for (let count = 0; ; count++) {
      const event = await reader.next();
      if (event?.name === 'entries') for (const [key, value] of event.data as [string, unknown][]) map.set(key, value);
      if (event?.name === 'changes') {
        expect(event.id, 'of what is no place to go on from').toBeUndefined();
        for (const each of event.data as { type: string; key: string; value?: unknown }[]) {
          if (each.type === 'set') map.set(each.key, each.value);
          else map.delete(each.key);
        }
      }
      store.set(`key ${count}`, count);
      store.delete(`key ${4_999 - count}`);
      if (event?.name === 'live') break;
      if (event === undefined) throw new Error('it ended');
      expect(count).toBeLessThan(500);
    }
    // What changed behind `live` comes as changes.
    const upTo = await reader.upTo('changes');
    for (const each of upTo.at(-1)?.data as { type: string; key: string; value?: unknown }[]) {
      if (each.type === 'set') map.set(each.key, each.value);
      else map.delete(each.key);
    }
    expect(Object.fromEntries(map)).toEqual(Object.fromEntries(store));
  });

  it('says that the store was closed, and is asked in vain from then on', async () => {
    const store = await openStore({ a: 1 });
    const feed = serve([store]);
    const reader = await read(feed);
    await reader.upTo('live');
    store.set('a', 2);
    await store.close();
    expect(inShort(await reader.upTo('closed'))).toEqual([['changes', [{ type: 'set', key: 'a', value: 2 }]], ['closed', {}]]);
    expect(await reader.next()).toBeUndefined();
    expect(feed.readers).toBe(0);
    expect((await feed.fetch(new Request('http://test/'))).status).toBe(503);
  });

  it('serves a store that was opened later, and the one that was asked for', async () => {
    const stores = new Set([await openStore({ a: 1 }, 'one')]);
    const feed = serve(stores);
    stores.add(await openStore({ b: 1 }, 'another & more'));
    const reader = await read(feed, `?store=${encodeURIComponent('another & more')}`);
    expect(inShort(await reader.upTo('entries'))).toContainEqual(['entries', [['b', 1]]]);
    expect((await feed.fetch(new Request('http://test/'))).status).toBe(400);
    expect((await feed.fetch(new Request('http://test/?store=none'))).status).toBe(404);
  });

  it('is of the store that is open where one of its name was closed and opened anew', async () => {
    const old = await openStore({ a: 1 });
    const stores = [old];
    const feed = serve(stores);
    await old.close();
    stores.push(await openStore({ a: 2 }));
    expect(inShort(await (await read(feed, '?store=sensors')).upTo('entries'))).toContainEqual(['entries', [['a', 2]]]);
  });

  it('ends when the request is aborted, be it before it began', async () => {
    let allow: (isAllowed: boolean) => void = () => undefined;
    const feed = serve(await openStore({ a: 1 }), { authorize: () => new Promise((resolve) => (allow = resolve)) });
    for (const isEarly of [true, false]) {
      const ending = new AbortController();
      const answer = feed.fetch(new Request('http://test/', { signal: ending.signal }));
      if (isEarly) ending.abort();
      allow(true);
      await answer;
      expect(feed.readers).toBe(isEarly ? 0 : 1);
      ending.abort();
      expect(feed.readers).toBe(0);
    }
  });

  it('is read over HTTP/2 as well, and left before it began', async () => {
    const store = await openStore({ a: 1 });
    const errors: unknown[] = [];
    const questions: ((isAllowed: boolean) => void)[] = [];
    const feed = serve(store, { authorize: () => new Promise((resolve) => questions.push(resolve)), report: (error) => errors.push(error) });
    const server = createServer(feed.handle).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    onTestFinished(() => {
      client.destroy();
      server.close();
    });
    const gone = client.request({ ':path': '/' });
    await expect.poll(() => questions.length).toBe(1);
    gone.close();
    await once(gone, 'close');
    const asked = client.request({ ':path': '/' }).setEncoding('utf8');
    await expect.poll(() => questions.length).toBe(2);
    for (const answer of questions) answer(true);
    let text = '';
    asked.on('data', (chunk: string) => (text += chunk));
    await expect.poll(() => text).toContain('event: live');
    expect(feed.readers).toBe(1);
    asked.close();
    await expect.poll(() => feed.readers).toBe(0);
    expect(errors).toEqual([]);
  });

  it('is left by a reader without a trace, and ended by the server for all', async () => {
    const store = await openStore({ a: 1 });
    const feed = serve(store);
    const { url } = await listen(feed);
    const [one, other] = [new EventReader(await fetch(url)), new EventReader(await fetch(url))];
    await Promise.all([one.upTo('live'), other.upTo('live')]);
    expect(feed.readers).toBe(2);
    await one.leave();
    await expect.poll(() => feed.readers).toBe(1);
    feed.close();
    await other.upTo('closed');
    expect(await other.next()).toBeUndefined();
    expect(feed.readers).toBe(0);
    expect((await fetch(url)).status).toBe(503);
    store.set('a', 2); // and it goes on
    expect(await store.flush()).toBe(true);
  });

  it('ends for a reader whose value cannot be read, and for nobody else', async () => {
    const store = await openStore({ good: 1 });
    const errors: unknown[] = [];
    const feed = serve(store, { report: (error) => errors.push(error) });
    const other = await read(feed, '?prefix=good');
    await other.upTo('live');
    const bad = { n: 1 };
    await store.setAndSave('bad', bad);
    Object.assign(bad, { n: () => 1 }); // a change in place, which is not allowed
    const reader = await read(feed);
    await expect(reader.upTo('live')).rejects.toThrow();
    expect(errors).toMatchObject([{ code: 'INVALID_VALUE' }]);
    store.set('good', 2);
    expect(inShort(await other.upTo('changes'))).toEqual([['changes', [{ type: 'set', key: 'good', value: 2 }]]]);
    store.delete('bad');
  });
});
