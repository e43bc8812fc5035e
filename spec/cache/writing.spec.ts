import { LimitError, persistify, ProviderError, SaveError } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { badRow, openCache, row } from '../support/cache-storage.ts';
import { gate, recorded, settled } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

type Counters = Record<string, number>;

beforeEach(() => {
  useVirtualTime();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('set', () => {
  it('is in memory at once, saved with the next batch, and its twin resolves then', async () => {
    const { cache, storage } = await openCache();
    cache.set('a', 1);
    expect([cache.peek('a'), await cache.get('a'), cache.unsaved]).toEqual([1, 1, ['a']]);
    expect(storage.reads).toEqual([]);
    expect(await cache.setAndSave('b', 2)).toBe(true);
    expect(await storage.stored()).toEqual({ a: '1', b: '2' });
    expect(cache.unsaved).toEqual([]);
    await cache.close();
  });
});

describe('delete', () => {
  it('deletes what only storage has: it is absent at once, and saved with the next batch', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1, b: 2 } });
    cache.delete('a');
    expect([cache.peek('a'), await cache.get('a'), cache.unsaved]).toEqual([undefined, undefined, ['a']]);
    expect(storage.reads).toEqual([]);
    await cache.flush();
    expect(await storage.stored()).toEqual({ b: '2' });
    expect(await cache.get('a')).toBeUndefined();
    await cache.close();
  });

  it('is told where memory had it, and only there', async () => {
    const { cache } = await openCache({ rows: { known: 1, unknown: 2 } });
    await cache.get('known');
    const changes = recorded(cache.changes$);
    cache.delete('unknown');
    cache.delete('known');
    cache.delete('known');
    expect(changes).toMatchObject([{ type: 'delete', key: 'known', previous: 1, seq: 1 }]);
    await cache.close();
  });

  it('has a twin that resolves to true once it is saved, whatever was there', async () => {
    const { cache, storage } = await openCache({ rows: { stored: 1, known: 2 } });
    await cache.get('known');
    cache.set('new', 3);
    expect(await Promise.all(['stored', 'known', 'new', 'nowhere'].map((key) => cache.deleteAndSave(key)))).toEqual([true, true, true, true]);
    expect(await storage.stored()).toEqual({});
    storage.onWrite = () => new ProviderError('disk full', { kind: 'halt' });
    cache.errors$.subscribe();
    await expect(cache.deleteAndSave('stored')).rejects.toBeInstanceOf(SaveError);
    storage.onWrite = () => undefined;
    await cache.close();
  });
});

describe('clear', () => {
  it('makes everything absent at once, in storage when it is saved, and tells what memory had', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1, b: 2 } });
    await cache.get('a');
    const changes = recorded(cache.changes$);
    cache.clear();
    expect([cache.peek('a'), await cache.get('a'), await cache.get('b'), await cache.count()]).toEqual([undefined, undefined, undefined, 0]);
    cache.set('c', 3);
    expect(changes.map(({ type }) => type)).toEqual(['clear', 'set']);
    expect(changes.map((change) => (change.type === 'clear' ? [...change.previous] : change.key))).toEqual([[['a', 1]], 'c']);
    await cache.flush();
    expect(await storage.stored()).toEqual({ c: '3' });
    await cache.close();
  });

  it('clears what only storage has, and then tells nothing', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } });
    const changes = recorded(cache.changes$);
    expect(await cache.clearAndSave()).toBe(true);
    expect([await storage.stored(), changes, await cache.get('a')]).toEqual([{}, [], undefined]);
    await cache.close();
  });
});

describe('add', () => {
  it('decides by what only storage has, and by what is in memory', async () => {
    const { cache, storage } = await openCache({ rows: { stored: 1, deleted: 1 } });
    cache.delete('deleted');
    expect(await Promise.all([cache.add('stored', 2), cache.add('new', 2), cache.add('deleted', 2)])).toEqual([false, true, true]);
    expect(await Promise.all([cache.addAndSave('stored', 3), cache.addAndSave('new', 3), cache.addAndSave('newer', 3)])).toEqual([false, false, true]);
    expect(await storage.stored()).toEqual({ stored: '1', new: '2', deleted: '2', newer: '3' });
    await cache.close();
  });

  it('lets one of many that ask at once do it', async () => {
    const { cache } = await openCache({ maxEntries: 1 });
    const added = await Promise.all(Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? cache.add('a', index) : cache.addAndSave('a', index))));
    expect([added.filter(Boolean).length, await cache.get('a')]).toEqual([1, added.indexOf(true)]);
    await cache.close();
  });

  it('refuses what is stored and no value, and changes nothing if storage cannot be read', async () => {
    const { cache, storage } = await openCache();
    await storage.put(badRow('bad'));
    for (const write of [() => cache.add('bad', 1), () => cache.addAndSave('bad', 1), () => cache.update('bad', () => 1), () => cache.updateAndSave('bad', () => 1), () => cache.touch('bad')]) {
      await expect(write()).rejects.toMatchObject({ code: 'CORRUPT_DATA', key: 'bad' });
    }
    storage.onRead = () => new ProviderError('no permission', { kind: 'halt' });
    for (const write of [() => cache.add('a', 1), () => cache.addAndSave('a', 1), () => cache.update('a', () => 1), () => cache.updateAndSave('a', () => 1), () => cache.touch('a')]) {
      await expect(write()).rejects.toMatchObject({ code: 'LOAD_FAILED' });
    }
    expect([cache.unsaved, storage.batches]).toEqual([[], []]);
    await cache.setAndSave('bad', 7); // who sets it need not read it
    expect(await storage.stored()).toEqual({ bad: '7' });
    await cache.close();
  });
});

describe('update', () => {
  it('hands over what only storage has, resolves to the new value when it is applied, and its twin when it is saved', async () => {
    const { cache, storage } = await openCache<Counters>({ rows: { a: 1 } });
    expect(await cache.update('a', (value = 0) => value + 1)).toBe(2);
    expect(await storage.stored()).toEqual({ a: '1' });
    expect(await cache.updateAndSave('b', (value = 10) => value + 1)).toBe(11);
    expect(await storage.stored()).toEqual({ a: '2', b: '11' });
    await cache.close();
  });

  it('whose fn gives undefined changes nothing, and resolves to what is there', async () => {
    const { cache } = await openCache<Counters>({ rows: { a: 1 } });
    expect([await cache.update('a', () => undefined), await cache.updateAndSave('x', () => undefined), cache.unsaved]).toEqual([1, undefined, []]);
    await cache.close();
  });

  it('rejects with what fn throws, and leaves the key free to leave memory', async () => {
    const { cache } = await openCache<Counters>({ rows: { a: 1, b: 2 }, maxEntries: 1 });
    await expect(cache.update('a', () => {
      throw new Error('no');
    })).rejects.toThrow('no');
    await cache.get('b');
    expect([cache.peek('a'), cache.peek('b')]).toEqual([undefined, 2]);
    await cache.close();
  });

  it('counts exactly, a hundred at a time, with room for one entry and storage that is slow', async () => {
    const { cache, storage } = await openCache<Counters>({ rows: { a: 1_000, b: 2_000 }, maxEntries: 1 });
    storage.onRead = () => settled(2);
    storage.onWrite = () => settled(2);
    for (let round = 0; round < 3; round++) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          await settled(index % 5);
          for (const key of ['a', 'b', 'c']) await cache.updateAndSave(key, (value = 0) => value + 1);
        }),
      );
      await cache.get('d');
    }
    expect(await storage.stored()).toEqual({ a: '1300', b: '2300', c: '300' });
    expect(await Promise.all([cache.get('a'), cache.get('b'), cache.get('c')])).toEqual([1_300, 2_300, 300]);
    await cache.close();
  });

  it('counts exactly beside another process too, which counts the same key', async () => {
    const { cache, storage } = await openCache<Counters>({ maxEntries: 1 });
    const other = await persistify(storage).openCache<Counters>('cache', { maxEntries: 1 });
    const count = (counter: typeof cache) => counter.updateAndSave('a', (value = 0) => value + 1);
    await Promise.all(Array.from({ length: 100 }, (_, index) => count(index % 2 === 0 ? cache : other)));
    expect(await storage.stored()).toEqual({ a: '100' });
    await other.close();
    await cache.close();
  });

  it('with a signal already aborted does nothing; aborted while it reads, nothing either', async () => {
    const { cache, storage } = await openCache<Counters>({ rows: { a: 1 } });
    const fn = vi.fn(() => 2);
    await expect(cache.update('a', fn, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    expect(storage.reads).toEqual([]);
    const controller = new AbortController();
    const updating = cache.updateAndSave('a', fn, { signal: controller.signal });
    controller.abort();
    await expect(updating).rejects.toMatchObject({ name: 'AbortError' });
    await settled();
    expect([fn.mock.calls, cache.unsaved]).toEqual([[], []]);
    await cache.close();
  });
});

it('withLimits: plain writes beyond it throw or reject with LimitError, and their twins wait', async () => {
  const { cache, storage } = await openCache<Counters>({}, (stores) => stores.withLimits({ pendingKeys: 1 }));
  const { opened, open } = gate();
  storage.onWrite = () => opened;
  cache.set('a', 1);
  expect(() => cache.set('b', 1)).toThrow(LimitError);
  expect(() => cache.delete('b')).toThrow(LimitError);
  await expect(cache.add('b', 1)).rejects.toBeInstanceOf(LimitError);
  await expect(cache.update('b', () => 1)).rejects.toBeInstanceOf(LimitError);
  const waiting = [cache.setAndSave('b', 1), cache.updateAndSave('c', () => 1), cache.addAndSave('d', 1), cache.deleteAndSave('e')];
  await settled();
  expect(cache.unsaved).toEqual(['a']);
  open();
  expect(await Promise.all(waiting)).toEqual([true, 1, true, true]);
  await cache.close();
});

it('what storage refuses shows what was there before', async () => {
  const { cache, storage } = await openCache<Counters>({ rows: { a: 1, b: 2 } });
  cache.errors$.subscribe();
  await cache.get('a');
  storage.refuses = (mutation) => mutation.type !== 'clear' && mutation.key !== 'c';
  for (const key of ['a', 'b']) await expect(cache.setAndSave(key, 100)).rejects.toMatchObject({ outcome: 'refused' });
  expect([await cache.get('a'), await cache.get('b')]).toEqual([1, 2]);
  await storage.put(row('b', 22));
  await settled();
  expect(await cache.get('b')).toBe(22);
  await cache.close();
});
