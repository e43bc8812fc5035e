import fc from 'fast-check';
import { persistify } from 'rx-persistify';
import { remote } from 'rx-persistify/remote';
import { serveFeed, type FeedServer } from 'rx-persistify/server';
import { describe, expect, it } from 'vitest';

import { openStore, type Anything } from '../../server/scene.ts';

const key = fc.constantFrom('a.1', 'a.2', 'a.__proto__', '__proto__', 'constructor', 'a.\u2028 "ü\u{1f600}', 'b');
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ type: fc.constantFrom('set', 'delete', 'short', 'several'), key }) },
  { weight: 3, arbitrary: fc.constantFrom({ type: 'turn' }, { type: 'wait' }) },
  { weight: 2, arbitrary: fc.constantFrom({ type: 'clear' }, { type: 'break' }, { type: 'restart' }, { type: 'reload' }) },
);

interface Step {
  readonly type: string;
  readonly key?: string;
}

describe('a remote store', () => {
  it('has what is served, whatever changes and breaks, and its changes alone tell it: none is missed, and none told twice', async () => {
    const courses = fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.constantFrom('', 'a.'), fc.constantFrom(Infinity, 500), fc.constantFrom(2, 1_000), async (steps: readonly Step[], prefix, rate, history) => {
      const store = await openStore({ 'a.1': 'first', b: 'first' });
      let feed: FeedServer = serveFeed(store, { history });
      const connections = new Set<AbortController>();
      /** Over a connection that can break. */
      const ask = async (request: Request): Promise<Response> => {
        const connection = new AbortController();
        connections.add(connection);
        return feed.fetch(new Request(request, { signal: AbortSignal.any([request.signal, connection.signal]) }));
      };
      const there = await persistify(remote({ url: 'http://test/', fetch: ask, prefix, rate })).withRetry({ delayMs: 1, maxDelayMs: 2 }).open<Anything>('sensors');
      const model = new Map<string, unknown>(there);
      const wrong: string[] = [];
      there.changes$.subscribe((change) => {
        if (change.type === 'clear') {
          model.clear();
          return;
        }
        if (model.get(change.key) !== change.previous) wrong.push(`${change.key} was ${String(model.get(change.key))}, and not ${String(change.previous)}`);
        if (change.type === 'set' && change.value === change.previous) wrong.push(`${change.key} is told twice`);
        if (change.type !== 'set' && !model.has(change.key)) wrong.push(`${change.key} is gone twice`);
        if (change.type === 'set') model.set(change.key, change.value);
        else model.delete(change.key);
      });
      let count = 0;
      const act = async ({ type, key: of = 'a.1' }: Step): Promise<void> => {
        if (type === 'set') store.set(of, ++count);
        else if (type === 'short') store.set(of, ++count, { ttlMs: 2 });
        else if (type === 'delete') store.delete(of);
        else if (type === 'clear') store.clear();
        else if (type === 'several') {
          store.transaction(() => {
            store.delete(of);
            store.set('a.2', ++count);
            store.set(of, { deep: JSON.parse('{"__proto__":1}') as unknown, count: ++count });
          });
        } else if (type === 'turn') await new Promise((resolve) => setImmediate(resolve));
        else if (type === 'wait') await new Promise((resolve) => setTimeout(resolve, 3));
        else if (type === 'break') for (const connection of connections) connection.abort();
        else if (type === 'restart') {
          feed.close();
          feed = serveFeed(store, { history });
        } else there.reload().catch(() => undefined); // it may fall into a time without a server
      };
      for (const each of steps) await act(each);
      store.set('a.last', true);
      const served = (): unknown => Object.entries(Object.fromEntries(store)).filter(([name]) => name.startsWith(prefix)).sort();
      await expect.poll(() => there.get('a.last')).toBe(true);
      await expect.poll(() => Object.entries(Object.fromEntries(there)).sort(), { interval: 5 }).toEqual(served());
      expect(wrong).toEqual([]);
      expect(Object.fromEntries(model)).toEqual(Object.fromEntries(there));
      await there.close();
      await expect.poll(() => feed.readers, { interval: 5 }).toBe(0);
      feed.close();
      await store.close();
    });
    await fc.assert(courses, { numRuns: 60 });
  });
});
