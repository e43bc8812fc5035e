import { asyncScheduler } from 'rxjs';
import { ProviderError, type Mutation } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { openCache, row } from '../support/cache-storage.ts';
import { recorded, settled } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

const hour = 3_600_000;

/** Lets timers fire and what they begin be done. */
async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await settled();
}

beforeEach(() => {
  useVirtualTime();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('an entry of a cache', () => {
  it('ends at its millisecond, in memory and in storage, which is told', async () => {
    const { cache, storage } = await openCache({}, (stores) => stores.withTtl({ ms: 10_000, mode: 'absolute' }));
    const changes = recorded(cache.changes$);
    await cache.setAndSave('a', 1);
    await cache.setAndSave('own', 2, { ttlMs: 20_000 });
    await cache.setAndSave('ever', 3, { ttlMs: Infinity });
    await settled();
    await pass(9_999);
    expect([cache.peek('a'), await cache.get('a')]).toEqual([1, 1]); // absolute: reading prolongs nothing
    vi.setSystemTime(Date.now() + 1); // no timer has fired yet
    expect([cache.peek('a'), await cache.get('a'), cache.expiresAt('a')]).toEqual([undefined, undefined, undefined]);
    await pass(1_000);
    expect(changes.at(-1)).toMatchObject({ type: 'expire', key: 'a', previous: 1 });
    expect(Object.keys(await storage.stored())).toEqual(['own', 'ever']);
    await pass(10_000);
    expect(Object.keys(await storage.stored())).toEqual(['ever']);
    expect([await cache.count(), cache.expiresAt('ever')]).toEqual([1, undefined]);
    await cache.close();
  });

  it('keeps its deadline through leaving memory and being read again', async () => {
    const { cache, storage } = await openCache({ maxEntries: 1 }, (stores) => stores.withTtl({ ms: 10_000, mode: 'absolute' }));
    const endsAt = Date.now() + 10_000;
    await cache.setAndSave('a', 1);
    await cache.setAndSave('b', 2, { ttlMs: Infinity });
    expect([cache.expiresAt('a'), await storage.deadline('a')]).toEqual([undefined, endsAt]);
    await pass(5_000);
    await cache.get('a');
    expect(cache.expiresAt('a')).toBe(endsAt);
    const heard = recorded(cache.get$('a'));
    await pass(5_000);
    expect(heard).toEqual([1, undefined]);
    await cache.close();
  });

  it('that has ended in storage is not read, and is removed there', async () => {
    const { cache, storage } = await openCache();
    await storage.put(row('a', 1, Date.now() + 1_000), row('b', 2, Date.now() + 1_000));
    await pass(999);
    expect(await cache.get('b')).toBe(2);
    await pass(1);
    const changes = recorded(cache.changes$);
    expect([await cache.get('a'), cache.peek('a')]).toEqual([undefined, undefined]);
    await cache.flush();
    expect([await storage.stored(), changes.filter((change) => change.type !== 'clear' && change.key === 'a')]).toEqual([{}, []]);
    await cache.close();
  });

  it('that has ended in storage is absent for add, update and getOrSet', async () => {
    const { cache, storage } = await openCache<Record<string, number>>();
    await storage.put(...['a', 'b', 'c'].map((key) => row(key, 1, Date.now() + 1_000)));
    await pass(1_000);
    expect([await cache.add('a', 2), await cache.update('b', (value = 10) => value + 1), await cache.getOrSet('c', () => 3)]).toEqual([true, 11, 3]);
    await cache.flush();
    expect(await storage.stored()).toEqual({ a: '2', b: '11', c: '3' });
    await cache.close();
  });

  it('another process has prolonged is there for it too', async () => {
    const { cache, storage } = await openCache();
    await storage.put(row('a', 1, Date.now() + 1_000));
    await cache.get('a');
    storage.onWrite = () => storage.put({ type: 'touch', key: 'a', expiresAt: Date.now() + 60_000 });
    await pass(1_000);
    await pass(200);
    expect([await cache.get('a'), await storage.stored()]).toEqual([1, { a: '1' }]);
    await cache.close();
  });
});

describe('a sliding time to live', () => {
  const sliding = { ms: 10_000, mode: 'sliding' } as const;

  it('begins anew with get, of memory and of storage, with set, touch and getOrSet, and not with peek, get$, keys and an add that adds nothing', async () => {
    const { cache } = await openCache<Record<string, number>>({}, (stores) => stores.withTtl(sliding));
    const prolonging = { get: () => cache.get('a'), touch: () => cache.touch('a'), getOrSet: () => cache.getOrSet('a', () => 1), set: () => cache.setAndSave('a', 1), update: () => cache.update('a', () => 2) };
    const others = { peek: () => cache.peek('a'), get$: () => cache.get$('a').subscribe().unsubscribe(), count: () => cache.count(), add: () => cache.add('a', 5), update: () => cache.update('a', () => undefined) };
    await cache.setAndSave('a', 1);
    for (const [name, step] of Object.entries(prolonging)) {
      await pass(5_000);
      await step();
      expect(cache.expiresAt('a'), name).toBe(Date.now() + 10_000);
    }
    const endsAt = Date.now() + 10_000;
    for (const [name, step] of Object.entries(others)) {
      await pass(1_000);
      await step();
      expect(cache.expiresAt('a'), name).toBe(endsAt);
    }
    await cache.close();
  });

  it('is not prolonged by get$, add or update of what only storage has either', async () => {
    const { cache, storage } = await openCache<Record<string, number>>({}, (stores) => stores.withTtl(sliding));
    const endsAt = Date.now() + 10_000;
    await storage.put(...['a', 'b', 'c', 'd'].map((key) => row(key, 1, endsAt)));
    await pass(5_000);
    cache.get$('a').subscribe();
    await Promise.all([cache.add('b', 2), cache.update('c', () => undefined), cache.get('d')]);
    expect(['a', 'b', 'c', 'd'].map((key) => cache.expiresAt(key))).toEqual([endsAt, endsAt, endsAt, endsAt + 5_000]);
    await cache.close();
  });

  it('touch resolves to whether the key is there, be it in storage alone', async () => {
    const { cache, storage } = await openCache({}, (stores) => stores.withTtl(sliding));
    await storage.put(row('a', 1, Date.now() + 1_000));
    expect([await cache.touch('a'), await cache.touch('x'), cache.expiresAt('a')]).toEqual([true, false, Date.now() + 10_000]);
    await cache.close();
  });

  it('is saved when the entry leaves memory, however little it slid', async () => {
    for (const leaving of ['pushed out', 'unused'] as const) {
      const { cache, storage } = await openCache({ maxEntries: 1, keepMs: 2_000 }, (stores) => stores.withTtl(sliding));
      await cache.setAndSave('a', 1);
      await pass(500);
      await cache.get('a'); // too little to be saved for itself
      const endsAt = Date.now() + 10_000;
      await pass(300);
      expect(await storage.deadline('a')).toBe(endsAt - 500);
      if (leaving === 'pushed out') await cache.setAndSave('b', 2);
      else await pass(1_700);
      await pass(100);
      expect([cache.peek('a'), await storage.deadline('a')]).toEqual([undefined, endsAt]);
      await cache.close();
    }
  });

  it('keeps what is used alive for ever, in memory or not, and ends what is not', async () => {
    const { cache, storage } = await openCache({ maxEntries: 1 }, (stores) => stores.withTtl(sliding));
    for (const key of ['a', 'b', 'c']) await cache.setAndSave(key, 1);
    for (let round = 0; round < 20; round++) {
      await pass(4_000);
      expect([await cache.get('a'), await cache.get('b')]).toEqual([1, 1]);
    }
    expect(await cache.get('c')).toBeUndefined();
    await cache.flush();
    expect(Object.keys(await storage.stored())).toEqual(['a', 'b']);
    await cache.close();
  });
});

describe('the sweep', () => {
  const ttl = { ms: 10_000, mode: 'absolute' } as const;

  it('removes from storage what has ended there and is in nobody’s memory: after a minute, and each hour', async () => {
    const { cache, storage } = await openCache({}, (stores) => stores.withTtl(ttl));
    const changes = recorded(cache.changes$);
    await storage.put(row('early', 1, Date.now() + 30_000), row('late', 2, Date.now() + 90_000), row('alive', 3, Date.now() + 3 * hour), row('ever', 4));
    await settled();
    await pass(59_999);
    expect(Object.keys(await storage.stored())).toEqual(['early', 'late', 'alive', 'ever']);
    await pass(1);
    await pass(200);
    expect(Object.keys(await storage.stored())).toEqual(['late', 'alive', 'ever']);
    await pass(hour);
    await pass(200);
    expect(Object.keys(await storage.stored())).toEqual(['alive', 'ever']);
    await pass(hour);
    await pass(hour);
    await pass(200);
    expect(Object.keys(await storage.stored())).toEqual(['ever']);
    expect(changes).toEqual([]);
    await cache.close();
    expect([vi.getTimerCount(), storage.late]).toEqual([0, []]);
  });

  it('has no more unsaved at a time than a page, however much has ended', async () => {
    const { cache, storage } = await openCache({}, (stores) => stores.withTtl(ttl));
    await storage.put(...Array.from({ length: 5_000 }, (_, index): Mutation => row(`k${index}`, 1, Date.now() + 1_000)));
    storage.onWrite = () => settled(3);
    let most = 0;
    cache.status$.subscribe(({ pending }) => (most = Math.max(most, pending)));
    await settled();
    await pass(60_000);
    for (let turn = 0; turn < 20; turn++) await pass(100);
    expect(await storage.stored()).toEqual({});
    expect(storage.batches.length).toBeGreaterThanOrEqual(5);
    expect(most).toBeLessThanOrEqual(1_000);
    await cache.close();
  });

  it('spares what is in memory and lives, whose longer life storage does not know yet', async () => {
    const { cache, storage } = await openCache({}, (stores) => stores.withTtl({ ms: hour + 50_000, mode: 'sliding' }));
    await cache.setAndSave('a', 1);
    const storedEnd = Date.now() + hour + 50_000;
    await settled();
    await pass(60_000); // the first sweep
    await cache.get('a');
    expect(await storage.deadline('a')).toBe(storedEnd); // too little later to be told
    await pass(hour); // the second
    expect([storage.loads, storedEnd < Date.now(), cache.peek('a'), await storage.stored()]).toEqual([3, true, 1, { a: '1' }]);
    expect(storage.batches.flatMap(({ mutations }) => mutations).map(({ type }) => type)).not.toContain('expire');
    await cache.close();
  });

  it('does not look where nothing ever ends, nor after the cache is closed', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } });
    await settled();
    await pass(5 * hour);
    expect(storage.loads).toBe(1);
    await cache.setAndSave('a', 1, { ttlMs: 10 * hour });
    await pass(hour);
    expect(storage.loads).toBe(2);
    await cache.close();
    await pass(5 * hour);
    expect(storage.loads).toBe(2);
  });

  it('in an outage tells nobody, and makes up for it an hour later', async () => {
    const { cache, storage } = await openCache({}, (stores) => stores.withTtl(ttl));
    const errors = recorded(cache.errors$);
    await storage.put(row('a', 1, Date.now() + 1_000));
    storage.onLoad = () => new ProviderError('no luck', { kind: 'halt' });
    await settled();
    await pass(60_000);
    storage.onLoad = () => undefined;
    await pass(hour);
    await pass(200);
    expect([await storage.stored(), errors]).toEqual([{}, []]);
    await cache.close();
  });
});

describe('delete of what has ended in memory and was not told yet', () => {
  it('deletes what who hears of the end has set anew, and tells of it', async () => {
    const { cache } = await openCache<Record<string, number>>();
    await cache.setAndSave('a', 1, { ttlMs: 1_000 });
    const changes = recorded(cache.changes$);
    cache.changes$.subscribe(({ type }) => {
      if (type === 'expire') cache.set('a', 2);
    });
    vi.setSystemTime(Date.now() + 1_000);
    cache.delete('a');
    expect([changes.map(({ type }) => type), cache.peek('a')]).toEqual([['expire', 'set', 'delete'], undefined]);
    await cache.close();
  });

  it('resolves to true, and deletes what another process has prolonged', async () => {
    const { cache, storage } = await openCache();
    await storage.put(row('a', 1, Date.now() + 1_000));
    await cache.get('a');
    await storage.put({ type: 'touch', key: 'a', expiresAt: Date.now() + 60_000 });
    vi.setSystemTime(Date.now() + 1_000);
    expect(await cache.deleteAndSave('a')).toBe(true);
    expect(await storage.stored()).toEqual({});
    await cache.close();
  });

  it('keeps what a loader gives from being set', async () => {
    const { cache } = await openCache<Record<string, number>>();
    await cache.setAndSave('a', 1, { ttlMs: 1_000 });
    vi.setSystemTime(Date.now() + 1_000);
    let give: (value: number) => void = () => undefined;
    const asked = cache.getOrSet('a', () => new Promise<number>((resolve) => (give = resolve)));
    await settled();
    cache.delete('a');
    give(2);
    expect([await asked, cache.peek('a')]).toEqual([2, undefined]);
    await cache.close();
  });
});

it('the sweep tells nothing of what another process has just prolonged, and takes none of it into memory', async () => {
  const { cache, storage } = await openCache({}, (stores) => stores.withTtl({ ms: 10_000, mode: 'absolute' }));
  const changes = recorded(cache.changes$);
  await storage.put(row('a', 1, Date.now() + 1_000));
  storage.onWrite = () => storage.put({ type: 'touch', key: 'a', expiresAt: Date.now() + hour });
  await settled();
  await pass(60_000);
  await pass(200);
  expect([changes, cache.peek('a'), await cache.get('a'), await storage.stored()]).toEqual([[], undefined, 1, { a: '1' }]);
  await cache.close();
});

it('what storage would not end is not asked for again once the key was set anew, though memory has let go of it', async () => {
  const ahead = Object.create(asyncScheduler, { now: { value: () => Date.now() + 3_000 } }) as typeof asyncScheduler;
  const { cache, storage } = await openCache({ maxEntries: 1 }, (stores) => stores.withScheduler(ahead).withBatch({ intervalMs: 300 }));
  await cache.setAndSave('k', 1, { ttlMs: 50 });
  await pass(60);
  expect(await cache.get('k')).toBeUndefined();
  await cache.flush();
  await cache.setAndSave('k', 'new');
  await cache.setAndSave('other', 1);
  expect(cache.peek('k')).toBeUndefined();
  storage.batches.length = 0;
  for (let second = 0; second < 5; second++) {
    await pass(1_000);
    expect(await cache.get('k')).toBe('new');
    await cache.get('other');
  }
  expect(storage.batches).toEqual([]);
  await cache.close();
});
