import { ProviderError } from 'rx-persistify';
import { finalize, merge, type Observable } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { badRow, openCache, row } from '../support/cache-storage.ts';
import { gate, recorded, settled } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

beforeEach(() => {
  useVirtualTime();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('get$', () => {
  it('reads, and then follows: what is set, deleted and cleared, here and elsewhere, each value once', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } });
    const heard = recorded(cache.get$('a'));
    expect(heard).toEqual([]);
    await settled();
    cache.set('a', 1);
    cache.set('a', 2);
    cache.delete('a');
    cache.set('a', 3);
    cache.clear();
    cache.set('a', 4);
    await cache.flush();
    await storage.put(row('a', 5));
    await settled();
    expect(heard).toEqual([1, 2, undefined, 3, undefined, 4, 5]);
    expect(storage.reads[0]).toEqual(['a']);
    await cache.close();
  });

  it('of what is absent follows it too: another process sets it, deletes it, and sets it again', async () => {
    const { cache, storage } = await openCache();
    const heard = recorded(cache.get$('a'));
    const changes = recorded(cache.changes$);
    await settled();
    await storage.put(row('a', 1));
    await settled();
    await storage.put({ type: 'delete', key: 'a' });
    await settled();
    await storage.put(row('a', 2));
    await settled();
    expect(heard).toEqual([undefined, 1, undefined, 2]);
    expect(changes.map(({ type, origin }) => `${type} ${origin}`)).toEqual(['set remote', 'delete remote', 'set remote']);
    await cache.close();
  });

  it('hears what somebody else reads before word of it has come, and then not again', async () => {
    const { cache, storage } = await openCache();
    const heard = recorded(cache.get$('a'));
    await settled();
    const { opened, open } = gate();
    storage.onFeed = () => opened;
    await storage.put(row('a', 1));
    await settled();
    expect(heard).toEqual([undefined]);
    expect([await cache.get('a'), heard]).toEqual([1, [undefined, 1]]);
    open();
    await settled();
    expect(heard).toEqual([undefined, 1]);
    await cache.close();
  });

  it('of what is deleted and unsaved stays deleted when another process changes something', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } }, (stores) => stores.withBatch({ intervalMs: 10_000 }));
    const heard = recorded(cache.get$('a'));
    await settled();
    for (const remove of [() => cache.delete('a'), () => cache.clear()]) {
      remove();
      await storage.put(row('b', 1), row('a', 2));
      await settled();
      expect([heard.at(-1), cache.peek('a'), await cache.get('a')]).toEqual([undefined, undefined, undefined]);
      cache.set('a', 3);
    }
    await cache.close();
  });

  it('tells those who follow one key nothing of another, and reads for many at once', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1, b: 2 } });
    const heard = [recorded(cache.get$('a')), recorded(cache.get$('a')), recorded(cache.get$('b'))];
    await settled();
    cache.set('b', 22);
    expect([heard, storage.reads]).toEqual([[[1], [1], [2, 22]], [['a', 'b']]]);
    await cache.close();
  });

  it('of what is set while it reads begins with that', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } });
    const { opened, open } = gate();
    storage.onRead = () => opened;
    const heard = recorded(cache.get$('a'));
    await settled();
    cache.set('a', 2);
    open();
    await settled();
    expect(heard).toEqual([2]);
    await cache.close();
  });

  it('tells what cannot be read on errors$, is undefined then, and has the value when it can be read', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } });
    await storage.put(badRow('bad'));
    const errors = recorded(cache.errors$);
    storage.onRead = () => new ProviderError('no permission', { kind: 'halt' });
    const heard = [recorded(cache.get$('a'))];
    await settled();
    storage.onRead = () => undefined;
    heard.push(recorded(cache.get$('bad')));
    await settled();
    expect(heard).toEqual([[undefined], [undefined]]);
    expect(errors).toMatchObject([
      { operation: 'load', keys: ['a'], fatal: false, error: { code: 'LOAD_FAILED' } },
      { operation: 'load', keys: ['bad'], fatal: false, error: { code: 'CORRUPT_DATA' } },
    ]);
    await cache.get('a');
    cache.set('bad', 2);
    expect(heard).toEqual([[undefined, 1], [undefined, 2]]);
    await cache.close();
  });

  it('completes when the cache closes, also while it reads, telling no error', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } });
    const told: string[] = [];
    const tell = (name: string) => ({ next: (value: unknown) => told.push(`${name} ${String(value)}`), complete: () => told.push(`${name} completed`) });
    const errors = recorded(cache.errors$);
    cache.get$('a').subscribe(tell('followed'));
    await settled();
    const { opened, open } = gate();
    storage.onRead = () => opened;
    cache.get$('b').subscribe(tell('reading'));
    await settled();
    const closing = cache.close();
    await settled();
    open();
    await closing;
    cache.get$('a').subscribe(tell('late'));
    await settled();
    expect(told).toEqual(['followed 1', 'reading undefined', 'followed completed', 'reading completed', 'late 1', 'late completed']);
    expect(errors).toEqual([]);
  });

  it('unsubscribed while it reads leaves nothing behind', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1, b: 2 }, maxEntries: 1 });
    const { opened, open } = gate();
    storage.onRead = () => opened;
    const heard: unknown[] = [];
    cache.get$('a').subscribe((value) => heard.push(value)).unsubscribe();
    open();
    await settled();
    await cache.get('b');
    expect([heard, cache.peek('a')]).toEqual([[], undefined]);
    await cache.close();
  });
});

describe('the streams', () => {
  it('changes$ tells what others change of what memory has, and of nothing else', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1, b: 2, c: 3 } });
    await cache.get('a');
    await cache.get('b');
    const changes = recorded(cache.changes$);
    await storage.put(row('a', 11), { type: 'delete', key: 'b' }, row('c', 33), row('d', 44));
    await settled();
    expect(changes).toMatchObject([
      { type: 'delete', key: 'b', previous: 2, origin: 'remote' },
      { type: 'set', key: 'a', value: 11, previous: 1, origin: 'remote' },
    ]);
    expect(await Promise.all(['a', 'b', 'c', 'd'].map((key) => cache.get(key)))).toEqual([11, undefined, 33, 44]);
    await cache.close();
  });

  it('what is unsaved stays above what others set', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } }, (stores) => stores.withBatch({ intervalMs: 10_000 }));
    cache.set('a', 2);
    await storage.put(row('a', 3));
    await settled();
    expect(cache.peek('a')).toBe(2);
    await cache.flush();
    expect(await storage.stored()).toEqual({ a: '2' });
    await cache.close();
  });

  it('a row that another process makes unreadable is gone from memory, and replaced like any other', async () => {
    const { cache, storage } = await openCache({ rows: { a: 1 } });
    await cache.get('a');
    const changes = recorded(cache.changes$);
    await storage.put(badRow('a'));
    await settled();
    expect(changes).toMatchObject([{ type: 'delete', key: 'a', origin: 'remote' }]);
    await expect(cache.get('a')).rejects.toMatchObject({ code: 'CORRUPT_DATA' });
    await storage.put(row('a', 2));
    expect([await cache.get('a'), await cache.update('a', () => 3)]).toEqual([2, 3]);
    await cache.close();
  });

  it('saves$, errors$ and status$ tell as those of a store, and complete when it closes', async () => {
    const { cache, storage } = await openCache({}, (stores) => stores.withRetry({ maxAttempts: 2, delayMs: 10 }));
    const [saves, errors] = [recorded(cache.saves$), recorded(cache.errors$)];
    const states: string[] = [];
    cache.status$.subscribe(({ state }) => states.push(state));
    let completed = 0;
    merge(...[cache.changes$, cache.saves$, cache.errors$, cache.status$].map((stream$: Observable<unknown>) => stream$.pipe(finalize(() => completed++)))).subscribe();
    storage.onWrite = () => (storage.batches.length === 1 ? new ProviderError('busy', { kind: 'retry' }) : undefined);
    const saving = cache.setAndSave('a', 1);
    await vi.advanceTimersByTimeAsync(100);
    await saving;
    expect(saves).toMatchObject([{ seq: 1, keys: ['a'], count: 1, attempts: 2 }]);
    expect(errors).toMatchObject([{ operation: 'save', attempt: 1, willRetry: true, fatal: false, keys: ['a'] }]);
    expect(cache.status).toMatchObject({ state: 'idle', pending: 0 });
    await cache.close();
    expect([completed, states.at(0), states.at(-1), states.includes('retrying')]).toEqual([4, 'idle', 'closed', true]);
  });

  it('a handler that reads and writes is in order', async () => {
    const { cache } = await openCache<Record<string, number>>();
    const told: string[] = [];
    cache.changes$.subscribe((change) => {
      if (change.type !== 'set') return;
      told.push(`${change.key} ${change.value} ${cache.peek(change.key)}`);
      if (change.value < 3) cache.set(change.key, change.value + 1);
    });
    cache.set('a', 1);
    expect(told).toEqual(['a 1 1', 'a 2 2', 'a 3 3']);
    await cache.close();
  });
});
