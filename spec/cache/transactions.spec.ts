import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { openCache } from '../support/cache-storage.ts';
import { recorded } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

type Counters = Record<string, number>;

beforeEach(() => {
  useVirtualTime();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a transaction', () => {
  it('sees its own writes by peek, tells them when it is done, and is saved as one', async () => {
    const { cache, storage } = await openCache<Counters>({ rows: { a: 1, b: 2 } });
    await cache.get('a');
    const changes = recorded(cache.changes$);
    const result = await cache.transactionAndSave(() => {
      cache.set('a', (cache.peek('a') ?? 0) + 10);
      cache.delete('b');
      cache.set('c', 3);
      expect([cache.peek('a'), changes.length]).toEqual([11, 0]);
      return 'done';
    });
    expect([result, changes.map(({ type }) => type)]).toEqual(['done', ['set', 'set']]);
    expect(storage.batches).toHaveLength(1);
    expect(await storage.stored()).toEqual({ a: '11', c: '3' });
    await cache.close();
  });

  it('that throws is undone: what it deleted, cleared and set is as it was, in memory and in storage', async () => {
    for (const isCleared of [false, true]) {
      const { cache, storage } = await openCache<Counters>({ rows: { a: 1, b: 2 } });
      await cache.get('a');
      expect(() =>
        cache.transaction(() => {
          cache.set('a', 11);
          cache.delete('b');
          if (isCleared) cache.clear();
          cache.set('c', 3);
          throw new Error('undo');
        }),
      ).toThrow('undo');
      expect([cache.peek('a'), await cache.get('b'), await cache.get('c'), cache.unsaved]).toEqual([1, 2, undefined, []]);
      expect(storage.batches).toEqual([]);
      await cache.close();
    }
  });

  it('has nothing that waits in it', async () => {
    const { cache } = await openCache<Counters>();
    const waiting: Promise<unknown>[] = [];
    cache.transaction(() => {
      waiting.push(cache.add('a', 1), cache.update('a', () => 1), cache.touch('a'), cache.setAndSave('a', 1), cache.deleteAndSave('a'), cache.getOrSet('a', () => 1));
    });
    for (const outcome of await Promise.allSettled(waiting)) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'OPTIONS' } });
    expect(cache.unsaved).toEqual([]);
    await cache.close();
  });
});
