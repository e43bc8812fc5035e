import { LimitError, persistify, ProviderError } from 'rx-persistify';
import { map } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { controlledProvider, gate, recorded, settled } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

afterEach(() => void vi.useRealTimers());

describe('status.fullness', () => {
  it('is 0 without limits, however much is unsaved', async () => {
    useVirtualTime();
    const store = await persistify(controlledProvider()).open<Record<string, number>>('a');
    for (let key = 0; key < 10_000; key++) store.set(`k${key}`, key);
    expect(store.status).toMatchObject({ pending: 10_000, fullness: 0 });
    await store.close();
  });

  it('tells how much of the keys is taken, those of a batch under way among them, until it is saved', async () => {
    useVirtualTime();
    const provider = controlledProvider();
    const busy = gate();
    provider.verdict = () => busy.opened;
    const store = await persistify(provider).withLimits({ pendingKeys: 4 }).withBatch({ size: 2 }).open<Record<string, number>>('a');
    expect(store.status.fullness).toBe(0);
    store.set('a', 1);
    expect(store.status.fullness).toBe(0.25);
    store.set('b', 1);
    store.set('a', 2);
    store.set('c', 1);
    expect(store.status).toMatchObject({ state: 'saving', pending: 4, fullness: 1 }); // a is under way, and pending too
    expect(() => store.set('d', 1)).toThrow(LimitError);
    busy.open();
    await settled();
    await vi.advanceTimersByTimeAsync(100);
    expect(store.status).toMatchObject({ state: 'idle', fullness: 0 });
    await store.close();
  });

  it('tells how much of the bytes is taken where that is more', async () => {
    useVirtualTime();
    const store = await persistify(controlledProvider()).withLimits({ pendingKeys: 10, pendingBytes: 20 }).open<Record<string, string>>('a');
    store.set('k', 'x'.repeat(12)); // 1 for the key, 14 for the text
    expect(store.status.fullness).toBe(0.75);
    await store.close();
  });

  it('is heard on status$ as it rises and falls', async () => {
    useVirtualTime();
    const store = await persistify(controlledProvider()).withLimits({ pendingKeys: 2 }).open<Record<string, number>>('a');
    const heard = recorded(store.status$.pipe(map(({ fullness }) => fullness)));
    store.set('a', 1);
    await settled();
    store.set('b', 1);
    await settled();
    await store.flush();
    await settled();
    expect(heard.filter((fullness, index) => fullness !== heard[index - 1])).toEqual([0, 0.5, 1, 0]);
    await store.close();
  });

  it('is above 1 where one value alone is larger than all that may be unsaved', async () => {
    useVirtualTime();
    const store = await persistify(controlledProvider()).withLimits({ pendingBytes: 10 }).open<Record<string, string>>('a');
    store.set('k', 'x'.repeat(17));
    expect(store.status.fullness).toBe(2);
    await store.close();
  });
});

describe('a write that waits for room', () => {
  it.each(['retry', 'halt'] as const)('asks once for an attempt and besets storage that is away no further (%s); it is applied when there is room', async (kind) => {
    useVirtualTime();
    const provider = controlledProvider();
    provider.verdict = () => new ProviderError('away', { kind });
    const store = await persistify(provider).withLimits({ pendingKeys: 2 }).withRetry({ maxAttempts: 3, delayMs: 10, probeMs: 10_000 }).open<Record<string, number>>('a');
    store.errors$.subscribe();
    store.set('a', 1);
    store.set('b', 1);
    const waiting = store.setAndSave('c', 1);
    await vi.advanceTimersByTimeAsync(1_000);
    const series = kind === 'retry' ? 3 : 1;
    // One series for the batch that was due, and one that the write asked for, if they are two.
    expect(provider.attempts.length).toBeLessThanOrEqual(2 * series);
    const before = provider.attempts.length;
    await vi.advanceTimersByTimeAsync(600_000);
    expect(provider.attempts.length).toBe(before + 60);
    expect(store.has('c')).toBe(false);
    provider.verdict = () => undefined;
    await vi.advanceTimersByTimeAsync(10_100);
    expect(await waiting).toBe(true);
    expect(store.get('c')).toBe(1);
    await store.close();
  });

  it('takes no more room than there is, however many wait', async () => {
    useVirtualTime();
    const provider = controlledProvider();
    const store = await persistify(provider).withLimits({ pendingKeys: 10 }).open<Record<string, number>>('a');
    const fullness = recorded(store.status$.pipe(map((status) => status.fullness)));
    const keys = Array.from({ length: 1_000 }, (_, index) => `k${index}`);
    const saved = Promise.all(
      keys.map((key, index) => {
        if (index % 3 === 0) return store.deleteAndSave(key);
        if (index % 3 === 1) return store.setAndSave(key, index);
        return store.transactionAndSave(() => {
          store.set(key, index);
        });
      }),
    );
    await settled();
    await saved;
    expect(Math.max(...provider.attempts.map(({ mutations }) => mutations.length))).toBeLessThanOrEqual(10);
    expect(Math.max(...fullness)).toBeLessThanOrEqual(1);
    expect(store.size).toBe(666);
    await store.close();
  });

  it('comes after those that wait longer, and needs not wait where it needs no room', async () => {
    useVirtualTime();
    const provider = controlledProvider();
    const busy = gate();
    provider.verdict = () => busy.opened;
    const store = await persistify(provider).withLimits({ pendingKeys: 2, pendingBytes: 100 }).withBatch({ intervalMs: 60_000 }).open<Record<string, string>>('a');
    const told = recorded(store.changes$.pipe(map((change) => ('key' in change && change.type === 'set' ? `${change.key} ${change.value.length}` : ''))));
    store.set('a', '');
    store.set('b', '');
    const waiting = [store.setAndSave('k', 'x'.repeat(80)), store.setAndSave('k', 'x'), store.setAndSave('a', 'x')];
    await settled();
    expect(told).toEqual(['a 0', 'b 0', 'a 1']);
    busy.open();
    await Promise.all(waiting);
    expect([told.slice(3), store.get('k')]).toEqual([['k 80', 'k 1'], 'x']);
    await store.close();
  });

  it('and is given up leaves its place to the next', async () => {
    useVirtualTime();
    const provider = controlledProvider();
    const busy = gate();
    provider.verdict = () => busy.opened;
    const store = await persistify(provider).withLimits({ pendingKeys: 1 }).open<Record<string, number>>('a');
    store.set('full', 1);
    const given = new AbortController();
    const first = store.setAndSave('first', 1, { signal: given.signal });
    const second = store.setAndSave('second', 1);
    given.abort();
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    busy.open();
    expect(await second).toBe(true);
    expect([...store.keys()]).toEqual(['full', 'second']);
    await store.close();
  });
});
