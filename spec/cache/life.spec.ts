import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memory, OptionsError, persistify, ProviderError, SaveError, StoreClosedError } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { sqlite } from 'rx-persistify/sqlite';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';

import { cacheStorage, openCache, row } from '../support/cache-storage.ts';
import { gate, settled } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

async function allOf<T>(source: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of source) values.push(value);
  return values;
}

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return []; // that of the directory itself is closed by now
    }
  });
}

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rx-persistify-cache-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

beforeEach(() => {
  useVirtualTime();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('openCache', () => {
  it('loads nothing', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } });
    await settled();
    expect([cache.name, cache.peek('a'), storage.reads, cache.unsaved, cache.status.state]).toEqual(['cache', undefined, [], [], 'idle']);
    await cache.close();
  });

  it('of an open name gives the same cache, also at once; with other options it is refused, and so is open', async () => {
    const stores = persistify(cacheStorage());
    const [first, second] = await Promise.all([stores.openCache('a', { maxEntries: 5 }), stores.openCache('a', { maxEntries: 5 })]);
    expect(await stores.openCache('a', { maxEntries: 5 })).toBe(first);
    expect(second).toBe(first);
    for (const other of [stores.openCache('a', { maxEntries: 6 }), stores.openCache('a', { maxEntries: 5, keepMs: 1 }), stores.withBatch({ size: 1 }).openCache('a', { maxEntries: 5 }), stores.open('a')]) {
      await expect(other).rejects.toBeInstanceOf(OptionsError);
    }
    await first.close();
    const store = await stores.open('a');
    await expect(stores.openCache('a')).rejects.toThrow(/"a" is open as a store/);
    await store.close();
    await (await stores.openCache('a')).close();
  });

  it('refuses wrong options by name', async () => {
    const stores = persistify(memory());
    const refused: readonly (readonly [object, RegExp])[] = [
      [{ maxEntries: 0 }, /openCache: maxEntries must be a number of at least 1, not 0\./],
      [{ maxEntries: Number.NaN }, /maxEntries/],
      [{ keepMs: -1 }, /openCache: keepMs must be a number of milliseconds of at least 1, not -1\./],
      [{ keepMs: '5 min' }, /keepMs.*not "5 min"/],
      [{ maxEntrys: 5 }, /there is no option maxEntrys\. Did you mean maxEntries\?/],
    ];
    for (const [options, message] of refused) {
      const opening = stores.openCache('a', options);
      await expect(opening).rejects.toBeInstanceOf(OptionsError);
      await expect(opening).rejects.toThrow(message);
    }
    await expect(stores.openCache('')).rejects.toMatchObject({ code: 'INVALID_KEY' });
    await (await stores.openCache('a', { maxEntries: Infinity, keepMs: Infinity })).close();
  });

  it('refuses a provider that cannot read single keys, naming those that can, and leaves it closed', async () => {
    vi.useRealTimers();
    const stores = persistify(jsonFile({ directory: await directory() }));
    const opening = stores.openCache('prefs');
    await expect(opening).rejects.toBeInstanceOf(OptionsError);
    await expect(opening).rejects.toThrow(/openCache\("prefs"\): the provider json-file cannot read single keys.*sqlite.*open\("prefs"\)/);
    await (await stores.open('prefs')).close();
  });

  it('with a signal already aborted opens nothing', async () => {
    await expect(persistify(memory()).openCache('a', { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('rejects with a LoadError where storage cannot be read, and can be asked anew', async () => {
    const storage = cacheStorage();
    storage.onLoad = () => new ProviderError('no permission', { kind: 'halt' });
    const stores = persistify(storage);
    await expect(stores.openCache('cache')).rejects.toMatchObject({ code: 'LOAD_FAILED' });
    storage.onLoad = () => undefined;
    await (await stores.openCache('cache')).close();
    expect(storage.closes).toBe(2);
  });
});

describe('keys and count', () => {
  it('ask storage, beside what is unsaved, deleted, and ended', async () => {
    const { cache, storage } = await openCache({ rows: { stored: 1, known: 2, deleted: 3, gone: 4 } }, (stores) => stores.withBatch({ intervalMs: 60_000 }));
    await storage.put(row('ended', 5, Date.now() + 1_000), row('alive', 6, Date.now() + 5_000));
    await cache.get('known');
    cache.set('new', 7);
    cache.set('short', 8, { ttlMs: 1_000 });
    cache.set('known', 22);
    cache.delete('deleted');
    await cache.get('gone');
    cache.delete('gone');
    expect([(await allOf(cache.keys())).sort(), await cache.count()]).toEqual([['alive', 'ended', 'known', 'new', 'short', 'stored'], 6]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([(await allOf(cache.keys())).sort(), await cache.count()]).toEqual([['alive', 'known', 'new', 'stored'], 4]);
    cache.clear();
    cache.set('last', 1);
    expect([await allOf(cache.keys()), await cache.count()]).toEqual([['last'], 1]);
    await cache.flush();
    expect([await allOf(cache.keys()), await cache.count()]).toEqual([['last'], 1]);
    await cache.close();
  });

  it('tell each key once, also what is saved while they are told', async () => {
    const { cache } = await openCache({ rows: { a: 1, b: 2 } }, (stores) => stores.withBatch({ intervalMs: 60_000 }));
    cache.set('c', 3);
    cache.set('a', 11);
    const told: string[] = [];
    for await (const key of cache.keys()) {
      told.push(key);
      await cache.flush();
    }
    expect(told.sort()).toEqual(['a', 'b', 'c']);
    await cache.close();
  });

  it('read nothing into memory, and can be left early', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1, b: 2 } });
    for await (const key of cache.keys()) {
      expect(key).toBe('a');
      break;
    }
    expect([cache.peek('a'), storage.reads]).toEqual([undefined, []]);
    await cache.close();
  });

  it('throw a LoadError where storage cannot be read, and a StoreClosedError when the cache is closed', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } });
    storage.onLoad = () => new ProviderError('no permission', { kind: 'halt' });
    await expect(allOf(cache.keys())).rejects.toMatchObject({ code: 'LOAD_FAILED' });
    await expect(cache.count()).rejects.toMatchObject({ code: 'LOAD_FAILED' });
    const { opened, open } = gate();
    storage.onLoad = () => opened;
    const counting = cache.count().catch((error: unknown) => error);
    await settled();
    await cache.close();
    open();
    expect(await counting).toBeInstanceOf(StoreClosedError);
    await expect(cache.count()).rejects.toBeInstanceOf(StoreClosedError);
    await expect(allOf(cache.keys())).rejects.toBeInstanceOf(StoreClosedError);
    expect(storage.late).toEqual([]);
  });
});

describe('close', () => {
  it('saves what is pending, holds no timer, and is the same however often it is called', async () => {
    const { cache, storage } = await openCache({ keepMs: 1_000 }, (stores) => stores.withTtl({ ms: 10_000, mode: 'sliding' }));
    cache.set('a', 1);
    await Promise.all([cache.close(), cache.close()]);
    await cache.close();
    expect([await storage.stored(), storage.closes, vi.getTimerCount(), cache.status.state]).toEqual([{ a: '1' }, 1, 0, 'closed']);
    for (const write of [() => cache.set('a', 2), () => cache.delete('a'), () => cache.clear(), () => cache.transaction(() => 1)]) expect(write).toThrow(StoreClosedError);
    for (const write of [cache.setAndSave('a', 2), cache.add('b', 1), cache.update('a', () => 1), cache.deleteAndSave('a'), cache.touch('a'), cache.clearAndSave()]) {
      await expect(write).rejects.toBeInstanceOf(StoreClosedError);
    }
  });

  it('rejects with the keys that could not be saved', async () => {
    const { cache, storage } = await openCache();
    cache.errors$.subscribe();
    storage.onWrite = () => new ProviderError('disk full', { kind: 'halt' });
    cache.set('a', 1);
    const closing = cache.close().catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(31_000);
    expect(await closing).toBeInstanceOf(SaveError);
    expect(await closing).toMatchObject({ keys: ['a'] });
  });

  it('that is refused leaves the cache open, and keys can be read', async () => {
    const { cache } = await openCache({ rows: { a: 1 } });
    await expect(cache.close({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    expect(await cache.get('a')).toBe(1);
    {
      await using same = cache;
      same.set('b', 2);
    }
    expect(() => cache.set('c', 1)).toThrow(StoreClosedError);
  });
});

describe('over SQLite', () => {
  it('has more than memory, and finds it again', async () => {
    vi.useRealTimers();
    const path = await directory();
    const stores = persistify(sqlite({ file: join(path, 'cache.sqlite') }));
    const cache = await stores.openCache<Record<string, number>>('numbers', { maxEntries: 100 });
    for (let index = 0; index < 2_000; index++) cache.set(`k${index}`, index);
    await cache.flush();
    expect([cache.peek('k0'), cache.peek('k1999'), await cache.count()]).toEqual([undefined, 1_999, 2_000]);
    await cache.close();
    const again = await stores.openCache<Record<string, number>>('numbers', { maxEntries: 100 });
    const values = await Promise.all(Array.from({ length: 2_000 }, (_, index) => again.get(`k${index}`)));
    expect(values).toEqual(Array.from({ length: 2_000 }, (_, index) => index));
    const reading = Promise.allSettled(Array.from({ length: 2_000 }, (_, index) => again.get(`k${index}`)));
    await Promise.resolve(); // more keys than are read at a stretch
    await again.close();
    expect((await reading).some(({ status }) => status === 'rejected')).toBe(true);
    await settled();
    if (existsSync('/proc/self/fd')) expect(openFiles().filter((file) => file.startsWith(path))).toEqual([]);
  });
});
