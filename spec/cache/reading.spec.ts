import { CorruptDataError, LoadError, ProviderError, StoreClosedError } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { badRow, openCache, row } from '../support/cache-storage.ts';
import { gate, recorded, settled } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

const busy = (): ProviderError => new ProviderError('busy', { kind: 'retry' });

beforeEach(() => {
  useVirtualTime();
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});

afterEach(() => {
  vi.useRealTimers();
});

describe('get', () => {
  it('reads from storage what memory has not, once, and from memory then', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } });
    expect(cache.peek('a')).toBeUndefined();
    expect([await cache.get('a'), await cache.get('a'), cache.peek('a')]).toEqual([1, 1, 1]);
    expect(storage.reads).toEqual([['a']]);
    await cache.close();
  });

  it('gives undefined for what is nowhere, and asks again each time, as another process may have set it', async () => {
    const { cache, storage } = await openCache();
    expect(await cache.get('a')).toBeUndefined();
    await storage.put(row('a', 1));
    expect(await cache.get('a')).toBe(1);
    expect(storage.reads).toEqual([['a'], ['a']]);
    await cache.close();
  });

  it('takes null for a value', async () => {
    const { cache, storage } = await openCache({ rows: { a: null } });
    expect([await cache.get('a'), await cache.get('a'), cache.peek('a')]).toEqual([null, null, null]);
    expect(storage.reads).toHaveLength(1);
    await cache.close();
  });

  it('is one reading for all who ask for a key meanwhile, and gives them one object', async () => {
    const { cache, storage } = await openCache({ rows: { a: { deep: 1 } } });
    const { opened, open } = gate();
    storage.onRead = () => opened;
    const early = [cache.get('a'), cache.get('a')];
    await settled();
    const late = cache.get('a');
    open();
    const [first, second, third] = await Promise.all([...early, late]);
    expect(first).toEqual({ deep: 1 });
    expect([second === first, third === first, cache.peek('a') === first]).toEqual([true, true, true]);
    expect(storage.reads).toEqual([['a']]);
    await cache.close();
  });

  it('asks storage in one call for all keys of one turn, present or not, and in another for those of the next', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1, b: 2, c: 3 } });
    const answers = Promise.all([cache.get('a'), cache.get('b'), cache.get('x'), cache.get('a')]);
    expect(await answers).toEqual([1, 2, undefined, 1]);
    await cache.get('c');
    expect(storage.reads).toEqual([['a', 'b', 'x'], ['c']]);
    await cache.close();
  });

  it('gives all of a turn their values, though memory has room for one', async () => {
    const { cache } = await openCache({ rows: { a: 1, b: 2 }, maxEntries: 1 });
    expect(await Promise.all([cache.get('a'), cache.get('b'), cache.get('a'), cache.get('b')])).toEqual([1, 2, 1, 2]);
    await cache.close();
  });

  it('begins before storage is written to, and so sees the newest all the same', async () => {
    const { cache, storage } = await openCache({ rows: { a: 'old', b: 'old', c: 'old', d: 'old' }, maxEntries: 1 });
    const { opened, open } = gate();
    storage.onRead = () => opened;
    const asked = [cache.get('a'), cache.get('b'), cache.get('c')];
    await settled();
    cache.set('a', 'new');
    cache.delete('b');
    await cache.setAndSave('c', 'new');
    await cache.setAndSave('d', 'new'); // `a` and `c` are saved, and leave memory for it
    expect([cache.peek('a'), cache.peek('c'), cache.peek('d')]).toEqual([undefined, undefined, 'new']);
    storage.onRead = () => undefined;
    open();
    expect(await Promise.all(asked)).toEqual(['new', undefined, 'new']);
    expect(cache.peek('b')).toBeUndefined();
    await cache.close();
  });

  it('sees a clear that came while it read, be it saved by then or not', async () => {
    for (const isSaved of [false, true]) {
      const { cache, storage } = await openCache({ rows: { a: 1 } });
      const { opened, open } = gate();
      storage.onRead = () => opened;
      const asked = cache.get('a');
      await settled();
      cache.clear();
      if (isSaved) await cache.flush();
      open();
      expect([await asked, cache.peek('a')]).toEqual([undefined, undefined]);
      await cache.close();
    }
  });

  it('takes in what another process set while it read', async () => {
    const { cache, storage } = await openCache({ rows: { a: 'old' } });
    const { opened, open } = gate();
    storage.onRead = () => (storage.reads.length === 1 ? opened : undefined);
    const asked = cache.get('a');
    await settled();
    await storage.put(row('a', 'new'));
    await settled();
    open();
    expect([await asked, cache.peek('a')]).toEqual(['new', 'new']);
    await cache.close();
  });

  it('ends with a StoreClosedError when the cache closes meanwhile, and nothing is asked of a provider that is closed', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } });
    const { opened, open } = gate();
    storage.onRead = () => opened;
    const asked = cache.get('a').catch((error: unknown) => error);
    await settled();
    cache.delete('a'); // the reading would have to be begun anew
    const unread = cache.get('b').catch((error: unknown) => error);
    const closing = cache.close();
    expect(await asked).toBeInstanceOf(StoreClosedError);
    expect(await unread).toBeInstanceOf(StoreClosedError);
    await settled();
    expect(storage.closes).toBe(0); // it waits for the answer
    open();
    await closing;
    await vi.advanceTimersByTimeAsync(60_000);
    expect([storage.closes, storage.late, storage.reads]).toEqual([1, [], [['a']]]);
  });

  it('keeps a close waiting for a second at most, which does not cost what is unsaved its last attempts', async () => {
    const { cache, storage } = await openCache();
    storage.onRead = () => new Promise(() => undefined);
    const asked = cache.get('a').catch((error: unknown) => error);
    await settled();
    cache.set('b', 1);
    const closing = cache.close({ deadlineMs: 2_000 });
    expect(await asked).toBeInstanceOf(StoreClosedError);
    await vi.advanceTimersByTimeAsync(1_000);
    await closing;
    expect(await storage.stored()).toEqual({ b: '1' });
  });

  it('after close answers from memory, and for what is not there throws', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1, b: 2 } });
    await cache.get('a');
    await cache.close();
    expect([await cache.get('a'), cache.peek('a')]).toEqual([1, 1]);
    await expect(cache.get('b')).rejects.toThrow(/The store "cache" is closed.*openCache\("cache"\)/);
    expect(storage.late).toEqual([]);
  });

  it('with a signal already aborted reads nothing; aborted later, this one alone ends waiting', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } });
    await expect(cache.get('a', { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    await settled();
    expect(storage.reads).toEqual([]);
    const controller = new AbortController();
    const { opened, open } = gate();
    storage.onRead = () => opened;
    const [mine, theirs] = [cache.get('a', { signal: controller.signal }), cache.get('a')];
    controller.abort(new Error('enough'));
    await expect(mine).rejects.toThrow('enough');
    open();
    expect(await theirs).toBe(1);
    await cache.close();
  });

  it('refuses keys that are none', async () => {
    const { cache } = await openCache();
    await expect(cache.get('')).rejects.toMatchObject({ code: 'INVALID_KEY' });
    await cache.close();
  });
});

describe('when storage cannot be read', () => {
  it('get tries again with backoff what may pass, telling nobody', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } }, (stores) => stores.withRetry({ maxAttempts: 3, delayMs: 100 }));
    const errors = recorded(cache.errors$);
    storage.onRead = () => (storage.reads.length < 3 ? busy() : undefined);
    const asked = cache.get('a');
    await settled();
    expect(storage.reads).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(50);
    expect(storage.reads).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(100);
    expect([await asked, storage.reads.length, errors.length]).toEqual([1, 3, 0]);
    await cache.close();
  });

  it('get throws a LoadError to all who wait when the attempts are spent, or at once where they are no use; the next begins anew', async () => {
    for (const kind of ['retry', 'halt'] as const) {
      const { cache, storage } = await openCache({ rows: { a: 1 } }, (stores) => stores.withRetry({ maxAttempts: 2, delayMs: 10 }));
      storage.onRead = () => new ProviderError('no luck', { kind });
      const asked = Promise.allSettled([cache.get('a'), cache.get('a'), cache.get('b')]);
      await vi.advanceTimersByTimeAsync(100);
      for (const answer of await asked) {
        expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'LOAD_FAILED', cause: { message: 'no luck' } } });
        if (answer.status === 'rejected') expect(answer.reason).toBeInstanceOf(LoadError);
      }
      expect(storage.reads).toHaveLength(kind === 'retry' ? 2 : 1);
      storage.onRead = () => undefined;
      expect(await cache.get('a')).toBe(1);
      await cache.close();
    }
  });

  it('close does not wait for the next attempt, nor lets it happen', async () => {
    const { cache, storage } = await openCache({}, (stores) => stores.withRetry({ delayMs: 100_000, maxDelayMs: 100_000 }));
    storage.onRead = () => busy();
    const asked = cache.get('a').catch((error: unknown) => error);
    await settled();
    await cache.close();
    expect(await asked).toBeInstanceOf(StoreClosedError);
    expect(vi.getTimerCount()).toBe(0);
    expect(storage.late).toEqual([]);
  });

  it('get throws a CorruptDataError for a row that is no value, which stays as it is, and the others are read', async () => {
    const { cache, storage } = await openCache({ rows: { good: 1 } });
    await storage.put(badRow('bad'));
    const [bad, good] = await Promise.allSettled([cache.get('bad'), cache.get('good')]);
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'CORRUPT_DATA', key: 'bad' } });
    if (bad.status === 'rejected') expect(bad.reason).toBeInstanceOf(CorruptDataError);
    expect(good).toEqual({ status: 'fulfilled', value: 1 });
    await cache.setAndSave('good', 2);
    expect(await storage.stored()).toEqual({ good: '2', bad: '{broken' });
    await cache.close();
  });
});

describe('peek', () => {
  it('is what memory has: not what storage has, but what is unsaved, and not what is deleted', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } });
    expect(cache.peek('a')).toBeUndefined();
    cache.set('b', 2);
    expect(cache.peek('b')).toBe(2);
    cache.delete('b');
    expect(cache.peek('b')).toBeUndefined();
    await settled();
    expect(storage.reads).toEqual([]);
    await cache.close();
  });
});
