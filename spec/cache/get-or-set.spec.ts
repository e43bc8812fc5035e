import { ProviderError, StoreClosedError } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import { badRow, openCache, row } from '../support/cache-storage.ts';
import { gate, recorded, settled } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

type Numbers = Record<string, number>;

/** A loader that is slow. */
function slowLoader(value = 1): { readonly loader: () => Promise<number>; readonly calls: () => number; readonly open: () => void } {
  const { opened, open } = gate();
  let calls = 0;
  const loader = async (): Promise<number> => {
    calls++;
    await opened;
    return value;
  };
  return { loader, calls: () => calls, open };
}

beforeEach(() => {
  useVirtualTime();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('getOrSet', () => {
  it('gives what memory or storage has, and asks no loader', async () => {
    const { cache } = await openCache<Numbers>({ rows: { a: 1 } });
    const loader = vi.fn(() => 2);
    cache.set('b', 3);
    expect(await Promise.all([cache.getOrSet('a', loader), cache.getOrSet('b', loader), cache.getOrSet('a', loader)])).toEqual([1, 3, 1]);
    expect(loader).not.toHaveBeenCalled();
    await cache.close();
  });

  it('takes null for what is there, and for what a loader may give', async () => {
    const { cache } = await openCache({ rows: { a: null } });
    const loader = vi.fn(() => null);
    expect([await cache.getOrSet('a', () => 1), await cache.getOrSet('b', loader), await cache.getOrSet('b', loader)]).toEqual([null, null, null]);
    expect(loader).toHaveBeenCalledTimes(1);
    await cache.close();
  });

  it('sets what the loader gives, synchronous or not, and has it saved', async () => {
    const { cache, storage } = await openCache<Numbers>();
    expect([await cache.getOrSet('a', () => 1), await cache.getOrSet('b', () => Promise.resolve(2)), cache.peek('a')]).toEqual([1, 2, 1]);
    await cache.flush();
    expect(await storage.stored()).toEqual({ a: '1', b: '2' });
    await cache.close();
  });

  it('runs one loader for a thousand who ask at once, and for those who ask while it runs', async () => {
    const { cache, storage } = await openCache<Numbers>({ maxEntries: 1 });
    const { loader, calls, open } = slowLoader();
    const early = Array.from({ length: 500 }, () => cache.getOrSet('a', loader));
    await settled();
    const late = Array.from({ length: 500 }, () => cache.getOrSet('a', loader));
    await settled();
    open();
    expect(new Set(await Promise.all([...early, ...late]))).toEqual(new Set([1]));
    expect([calls(), storage.batches.length]).toEqual([1, 0]);
    await cache.close();
  });

  it('runs it once, at whatever moment the second asks', async () => {
    for (let ticks = 0; ticks < 40; ticks++) {
      const { cache } = await openCache<Numbers>();
      cache.delete('a'); // so that nothing is read, and all goes as fast as it can
      const loader = vi.fn(() => 1);
      const asked = [cache.getOrSet('a', loader)];
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      asked.push(cache.getOrSet('a', loader));
      expect(await Promise.all(asked)).toEqual([1, 1]);
      expect(loader, `after ${ticks} ticks`).toHaveBeenCalledTimes(1);
      await cache.close();
    }
  });

  it('fails for all who ask meanwhile when the loader does, throwing or rejecting, and the next asks anew', async () => {
    const { cache } = await openCache<Numbers>();
    const throwing = (): number => {
      throw new Error('down');
    };
    for (const failing of [throwing, () => Promise.reject<number>(new Error('down'))]) {
      const loader = vi.fn(failing);
      const outcomes = await Promise.allSettled([cache.getOrSet('a', loader), cache.getOrSet('a', loader)]);
      for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { message: 'down' } });
      expect([loader.mock.calls.length, cache.peek('a'), cache.unsaved]).toEqual([1, undefined, []]);
    }
    expect(await cache.getOrSet('a', () => 1)).toBe(1);
    await cache.close();
  });

  it('refuses what a loader gives and is no value', async () => {
    const { cache } = await openCache();
    for (const bad of [undefined, Number.NaN, new Date(0)]) await expect(cache.getOrSet('a', () => bad)).rejects.toMatchObject({ code: 'INVALID_VALUE' });
    expect([await cache.get('a'), cache.unsaved]).toEqual([undefined, []]);
    await cache.close();
  });

  it('gives way to what is set while it runs, be it out of memory again by then', async () => {
    const { cache } = await openCache<Numbers>({ maxEntries: 1, keepMs: 1_000 });
    const { loader, open } = slowLoader();
    const asked = cache.getOrSet('a', loader);
    await settled();
    await cache.setAndSave('a', 2);
    await cache.setAndSave('b', 3);
    await vi.advanceTimersByTimeAsync(2_000);
    open();
    expect([await asked, await cache.get('a')]).toEqual([2, 2]);
    await cache.get('b');
    expect(cache.peek('a')).toBeUndefined(); // nothing holds it in memory any more
    await cache.close();
  });

  it('sets nothing if the key is deleted, or everything cleared, while it runs; who asked gets the value', async () => {
    for (const removal of ['delete', 'clear'] as const) {
      const { cache, storage } = await openCache<Numbers>();
      const [first, second] = [slowLoader(1), slowLoader(2)];
      const early = cache.getOrSet('a', first.loader);
      await settled();
      if (removal === 'delete') cache.delete('a');
      else cache.clear();
      const late = cache.getOrSet('a', second.loader); // has one of its own
      await settled();
      first.open();
      expect([await early, cache.peek('a')]).toEqual([1, undefined]);
      second.open();
      expect([await late, cache.peek('a')]).toEqual([2, 2]);
      await cache.flush();
      expect(await storage.stored()).toEqual({ a: '2' });
      await cache.close();
    }
  });

  it('gives who asked what the schema makes of it, also when it is not set', async () => {
    const storage = await openCache({}, (stores) => stores.withSchema(z.string().transform(String).or(z.number().transform((value) => `${value}!`))));
    const { cache } = storage;
    const { loader, open } = slowLoader(1);
    const asked = cache.getOrSet('a', loader);
    await settled();
    cache.delete('a');
    open();
    expect([await asked, await cache.getOrSet('b', () => 2)]).toEqual(['1!', '2!']);
    await cache.close();
  });

  it('lets the signal of one who asks end his waiting alone, even of the first', async () => {
    const { cache } = await openCache<Numbers>();
    const { loader, calls, open } = slowLoader();
    await expect(cache.getOrSet('a', loader, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    const controller = new AbortController();
    const first = cache.getOrSet('a', loader, { signal: controller.signal });
    const second = cache.getOrSet('a', loader);
    await settled();
    controller.abort();
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    open();
    expect([await second, calls(), cache.peek('a')]).toEqual([1, 1, 1]);
    await cache.close();
  });

  it('gives what it sets the ttlMs', async () => {
    const { cache, storage } = await openCache<Numbers>();
    await expect(cache.getOrSet('a', () => 1, { ttlMs: 0 })).rejects.toMatchObject({ code: 'OPTIONS' });
    await cache.getOrSet('a', () => 1, { ttlMs: 1_000 });
    expect(cache.expiresAt('a')).toBe(Date.now() + 1_000);
    await cache.flush();
    await vi.advanceTimersByTimeAsync(999);
    expect(await cache.getOrSet('a', () => 2)).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await settled();
    expect(await cache.getOrSet('a', () => 3)).toBe(3);
    await cache.flush();
    expect(await storage.stored()).toEqual({ a: '3' });
    await cache.close();
  });

  it('waits for room where withLimits leaves none', async () => {
    const { cache, storage } = await openCache<Numbers>({}, (stores) => stores.withLimits({ pendingKeys: 1 }));
    const { opened, open } = gate();
    storage.onWrite = () => opened;
    cache.set('a', 1);
    const asked = cache.getOrSet('b', () => 2);
    await settled();
    expect([cache.peek('b'), cache.unsaved]).toEqual([undefined, ['a']]);
    open();
    expect([await asked, cache.peek('b')]).toEqual([2, 2]);
    await cache.close();
  });

  it('replaces what is stored and is no value, and tells it once on errors$', async () => {
    const { cache, storage } = await openCache<Numbers>();
    await storage.put(badRow('a'));
    const errors = recorded(cache.errors$);
    const loader = vi.fn(() => 1);
    expect(await Promise.all(Array.from({ length: 10 }, () => cache.getOrSet('a', loader)))).toEqual(Array.from({ length: 10 }, () => 1));
    expect(errors).toMatchObject([{ operation: 'load', keys: ['a'], fatal: false, error: { code: 'CORRUPT_DATA' } }]);
    await cache.flush();
    expect([loader.mock.calls.length, await storage.stored()]).toEqual([1, { a: '1' }]);
    await cache.close();
  });

  it('rejects with a LoadError where storage cannot be read, and asks no loader: the value may be there', async () => {
    const { cache, storage } = await openCache<Numbers>();
    storage.onRead = () => new ProviderError('no permission', { kind: 'halt' });
    const loader = vi.fn(() => 1);
    await expect(cache.getOrSet('a', loader)).rejects.toMatchObject({ code: 'LOAD_FAILED' });
    expect(loader).not.toHaveBeenCalled();
    await cache.close();
  });

  it('ends when the cache closes: while it reads, while the loader runs, while it waits for room, and afterwards', async () => {
    const { cache, storage } = await openCache<Numbers>({ rows: { d: 1 } }, (stores) => stores.withLimits({ pendingKeys: 1 }));
    const late = slowLoader(5);
    const loading = cache.getOrSet('b', late.loader);
    const hanging = cache.getOrSet('c', () => new Promise<number>(() => undefined));
    const { opened, open } = gate();
    storage.onWrite = () => opened;
    cache.set('a', 1);
    const roomless = cache.getOrSet('f', () => 1);
    await settled();
    storage.onRead = () => opened;
    const reading = cache.getOrSet('d', () => 1);
    await settled();
    const outcomes = Promise.allSettled([loading, hanging, roomless, reading]);
    const closing = cache.close();
    await settled();
    open();
    late.open();
    await closing;
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'STORE_CLOSED' } });
    const loader = vi.fn(() => 1);
    await expect(cache.getOrSet('a', loader)).rejects.toBeInstanceOf(StoreClosedError);
    expect(loader).not.toHaveBeenCalled();
    expect([await storage.stored(), storage.late]).toEqual([{ a: '1', d: '1' }, []]);
  });

  it('runs no loader for who asked before the close and was still reading', async () => {
    const { cache } = await openCache<Numbers>();
    cache.delete('a');
    const loader = vi.fn(() => 1);
    const asked = cache.getOrSet('a', loader).catch((error: unknown) => error);
    await cache.close();
    expect(await asked).toBeInstanceOf(StoreClosedError);
    expect(loader).not.toHaveBeenCalled();
  });

  it('finds what another process has saved since', async () => {
    const { cache, storage } = await openCache<Numbers>();
    await storage.put(row('a', 7));
    expect(await cache.getOrSet('a', () => 1)).toBe(7);
    await cache.close();
  });
});
