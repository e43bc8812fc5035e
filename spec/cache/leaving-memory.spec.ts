import { ProviderError, type Mutation } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { inMemory, openCache, row } from '../support/cache-storage.ts';
import { gate, recorded, settled } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

const letters = { a: 1, b: 2, c: 3, d: 4, e: 5 };
const keys = Object.keys(letters);

beforeEach(() => {
  useVirtualTime();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('maxEntries', () => {
  it('keeps those that were read last, exactly, and storage keeps all', async () => {
    const { cache, storage } = await openCache({ rows: letters, maxEntries: 3 });
    for (const key of ['a', 'b', 'c', 'a', 'd']) await cache.get(key);
    expect(inMemory(cache, keys)).toEqual(['a', 'c', 'd']);
    await cache.get('e');
    expect(inMemory(cache, keys)).toEqual(['a', 'd', 'e']);
    expect(Object.keys(await storage.stored())).toEqual(keys);
    expect(await cache.get('b')).toBe(2);
    expect(inMemory(cache, keys)).toEqual(['b', 'd', 'e']);
    await cache.close();
  });

  it('takes a write for a use, and neither peek nor keys', async () => {
    const { cache } = await openCache({ rows: letters, maxEntries: 2 });
    await cache.get('a');
    await cache.get('b');
    cache.peek('a');
    for await (const key of cache.keys()) expect(keys).toContain(key);
    await cache.get('c');
    expect(inMemory(cache, keys)).toEqual(['b', 'c']);
    await cache.setAndSave('b', 22);
    await cache.get('d');
    expect(inMemory(cache, keys)).toEqual(['b', 'd']);
    await cache.close();
  });

  it('tells nothing of what leaves, or is read', async () => {
    const { cache } = await openCache({ rows: letters, maxEntries: 1 });
    const changes = recorded(cache.changes$);
    for (const key of keys) await cache.get(key);
    await cache.setAndSave('a', 11);
    await cache.get('b');
    expect(changes).toMatchObject([{ type: 'set', key: 'a', previous: undefined, seq: 1 }]);
    await cache.close();
  });

  it('never lets go of what is unsaved, and does when it is saved', async () => {
    const { cache, storage } = await openCache({ maxEntries: 2 }, (stores) => stores.withBatch({ intervalMs: 1_000 }));
    for (const [key, value] of Object.entries(letters)) cache.set(key, value);
    expect(inMemory(cache, keys)).toEqual(keys);
    await vi.advanceTimersByTimeAsync(999);
    expect(inMemory(cache, keys)).toEqual(keys);
    await vi.advanceTimersByTimeAsync(1);
    await settled();
    expect(inMemory(cache, keys)).toEqual(['d', 'e']);
    expect(await storage.stored()).toEqual({ a: '1', b: '2', c: '3', d: '4', e: '5' });
    await cache.close();
  });

  it('never lets go of it in an outage either, however long, and what is read meanwhile goes first', async () => {
    const { cache, storage } = await openCache({ rows: { x: 1, y: 2 }, maxEntries: 2, keepMs: 1_000 });
    cache.errors$.subscribe();
    storage.onWrite = () => new ProviderError('disk full', { kind: 'halt' });
    for (const [key, value] of Object.entries(letters)) cache.set(key, value);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect([await cache.get('x'), await cache.get('y')]).toEqual([1, 2]);
    expect(inMemory(cache, [...keys, 'x', 'y'])).toEqual(keys);
    expect(cache.status.state).toBe('failing');
    storage.onWrite = () => undefined;
    await cache.flush();
    expect(inMemory(cache, keys)).toEqual([]); // an hour ago they were used
    expect(await cache.get('c')).toBe(3);
    await cache.close();
  });

  it('keeps what get$ follows, until nobody does', async () => {
    const { cache } = await openCache({ rows: letters, maxEntries: 1, keepMs: 1_000 });
    const heard: unknown[] = [];
    const following = cache.get$('a').subscribe((value) => heard.push(value));
    const second = cache.get$('a').subscribe();
    await settled();
    for (const key of ['b', 'c', 'd']) await cache.get(key);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(inMemory(cache, keys)).toEqual(['a']);
    await cache.setAndSave('a', 11);
    following.unsubscribe();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([heard, inMemory(cache, keys)]).toEqual([[1, 11], ['a']]);
    second.unsubscribe();
    expect(inMemory(cache, keys)).toEqual([]);
    await cache.close();
  });

  it.each(['transaction', 'transactionAndSave'] as const)('lets go of what was deleted in a %s that was undone', async (name) => {
    const { cache } = await openCache({ rows: letters, maxEntries: 2 });
    await cache.get('a');
    const fail = (): void => {
      cache.delete('a');
      throw new Error('undo');
    };
    await expect(Promise.resolve().then(() => cache[name](fail))).rejects.toThrow('undo');
    expect(inMemory(cache, keys)).toEqual(['a']);
    await cache.get('b');
    await cache.get('c');
    expect(inMemory(cache, keys)).toEqual(['b', 'c']);
    await cache.close();
  });

  it('lets go of what storage refused to delete', async () => {
    const { cache, storage } = await openCache({ rows: letters, maxEntries: 2 });
    cache.errors$.subscribe();
    await cache.get('a');
    storage.refuses = ({ type }) => type === 'delete';
    cache.delete('a');
    await expect(cache.setAndSave('b', 22)).resolves.toBe(true);
    expect(inMemory(cache, keys)).toEqual(['a', 'b']);
    storage.refuses = () => false;
    await cache.setAndSave('c', 33);
    await cache.get('d');
    await cache.get('e');
    expect(inMemory(cache, keys)).toEqual(['d', 'e']);
    await cache.close();
  });

  it('holds for what another process changes too, and what leaves while that is read is not told', async () => {
    const { cache, storage } = await openCache({ rows: letters, maxEntries: 2 });
    const changes = recorded(cache.changes$);
    await cache.get('a');
    await cache.get('b');
    const { opened, open } = gate();
    storage.onRead = (asked) => (asked.length === 2 ? opened : undefined);
    await storage.put(row('b', 22));
    await settled();
    await cache.get('c'); // `a` leaves, which was asked for
    open();
    await settled();
    expect(changes).toMatchObject([{ type: 'set', key: 'b', value: 22, previous: 2, origin: 'remote' }]);
    expect(inMemory(cache, keys)).toEqual(['b', 'c']);
    await cache.get('d');
    await cache.get('e');
    expect(inMemory(cache, keys)).toEqual(['d', 'e']);
    await cache.close();
  });

  it('is met though many are unsaved that came first', async () => {
    const { cache, storage } = await openCache({ maxEntries: 10 });
    const { opened, open } = gate();
    storage.onWrite = () => opened;
    for (let index = 0; index < 1_000; index++) cache.set(`unsaved ${index}`, index);
    await storage.put(...Array.from({ length: 100 }, (_, index): Mutation => row(`stored ${index}`, index)));
    for (let index = 0; index < 100; index++) await cache.get(`stored ${index}`);
    const stored = Array.from({ length: 100 }, (_, index) => `stored ${index}`);
    expect(inMemory(cache, stored).length).toBeLessThanOrEqual(10);
    open();
    await cache.flush();
    expect(inMemory(cache, [...stored, ...Array.from({ length: 1_000 }, (_, index) => `unsaved ${index}`)]).length).toBeLessThanOrEqual(10);
    await cache.close();
  });
});

describe('keepMs', () => {
  it('lets an entry go exactly so long after it was used last, by get and set, not by peek', async () => {
    const { cache } = await openCache({ rows: letters, keepMs: 1_000 });
    await cache.get('a');
    await cache.setAndSave('b', 22);
    await cache.get('c');
    await vi.advanceTimersByTimeAsync(600);
    await cache.get('a');
    await cache.setAndSave('b', 222);
    cache.peek('c');
    await vi.advanceTimersByTimeAsync(399);
    expect(inMemory(cache, keys)).toEqual(['a', 'b', 'c']);
    await vi.advanceTimersByTimeAsync(1);
    expect(inMemory(cache, keys)).toEqual(['a', 'b']);
    await vi.advanceTimersByTimeAsync(599);
    expect(inMemory(cache, keys)).toEqual(['a', 'b']);
    await vi.advanceTimersByTimeAsync(1);
    expect(inMemory(cache, keys)).toEqual([]);
    expect(await cache.get('b')).toBe(222);
    await cache.close();
  });

  it('needs one timer for any number of entries, none when there are none, and longer ones than a timer can be', async () => {
    const { cache } = await openCache({ keepMs: 40 * 86_400_000 });
    await settled();
    const idle = vi.getTimerCount();
    for (let index = 0; index < 100; index++) await cache.setAndSave(`k${index}`, index);
    expect(vi.getTimerCount()).toBe(idle + 1);
    vi.setSystemTime(Date.now() + 40 * 86_400_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(inMemory(cache, Array.from({ length: 100 }, (_, index) => `k${index}`))).toEqual([]);
    expect(vi.getTimerCount()).toBe(idle);
    await cache.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('lets what was unsaved in its time go once it is saved', async () => {
    const { cache, storage } = await openCache({ keepMs: 1_000 });
    cache.errors$.subscribe();
    storage.onWrite = () => new ProviderError('disk full', { kind: 'halt' });
    cache.set('a', 1);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(cache.peek('a')).toBe(1);
    storage.onWrite = () => undefined;
    await cache.flush();
    expect(cache.peek('a')).toBeUndefined();
    await cache.close();
  });
});

it('without either, ten thousand entries stay', async () => {
  const { cache, storage } = await openCache();
  await storage.put(...Array.from({ length: 10_001 }, (_, index): Mutation => row(`k${index}`, index)));
  await Promise.all(Array.from({ length: 10_000 }, (_, index) => cache.get(`k${index}`)));
  await vi.advanceTimersByTimeAsync(86_400_000);
  expect([cache.peek('k0'), cache.peek('k9999')]).toEqual([0, 9_999]);
  await cache.get('k10000');
  expect([cache.peek('k0'), cache.peek('k1')]).toEqual([undefined, 1]);
  await cache.close();
});

describe('A clear and a large batch behind it, while it is settled', () => {
  /** Just when a part of it is. */
  async function partlySettled(): Promise<Awaited<ReturnType<typeof openCache<Record<string, unknown>>>> & { readonly saved: Promise<unknown> }> {
    const opened = await openCache({ rows: { old: 1 }, maxEntries: 10 }, (stores) => stores.withBatch({ size: 1_000_000, intervalMs: 60_000 }));
    const { cache } = opened;
    cache.clear();
    for (let index = 0; index < 6_000; index++) cache.set(`key ${index}`, index);
    const saved = cache.flush();
    while (opened.storage.batches.length === 0) await settled(1);
    await settled(3);
    return { ...opened, saved };
  }

  it('leaves each of its keys there, for whoever asks for it', async () => {
    const { cache, saved } = await partlySettled();
    expect(cache.status.state).toBe('saving');
    const asked = await Promise.all([cache.count(), cache.get('key 0'), cache.getOrSet('key 1', () => 'loaded'), cache.add('key 2', 'added'), cache.update('key 3', (value) => [value])]);
    expect(asked).toEqual([6_000, 0, 1, false, [3]]);
    await saved;
    await cache.flush();
    expect(await Promise.all([0, 1, 2, 3].map((index) => cache.get(`key ${index}`)))).toEqual([0, 1, 2, [3]]);
    expect(await cache.get('old')).toBeUndefined();
    await cache.close();
  });
});
