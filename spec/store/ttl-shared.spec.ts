import { asyncScheduler } from 'rxjs';
import { memory, persistify, type Change, type Provider, type ProviderSession, type Store } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { controlledProvider, recorded, settled, type ControlledProvider } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

type Numbers = Store<Record<string, number>>;

const START = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;
const clockAt = (ms: number): void => void vi.setSystemTime(START + ms);

beforeEach(() => {
  useVirtualTime();
  clockAt(0);
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});

afterEach(() => {
  vi.useRealTimers();
});

const typesOf = (changes: readonly Change[]): unknown[] => changes.map((change) => [change.type, 'key' in change && change.key, change.type === 'set' ? change.value : change.previous, change.origin]);

describe('two stores on one storage', () => {
  async function two(provider: Provider = memory()): Promise<[Numbers, Numbers]> {
    const open = (): Promise<Numbers> => persistify(provider).withTtl({ ms: 1_000, mode: 'sliding' }).withBatch({ intervalMs: 10 }).open<Record<string, number>>('shared');
    return Promise.all([open(), open()]);
  }

  it('hear of each other’s deletes and sets of keys with deadlines', async () => {
    const [first, second] = await two();
    await first.setAndSave('a', 1);
    await first.setAndSave('b', 1);
    await settled();
    const changes = recorded(second.changes$);
    const values = recorded(second.get$('a'));
    await first.deleteAndSave('a');
    await settled();
    await first.setAndSave('b', 2, { ttlMs: Infinity });
    await settled();
    expect(typesOf(changes)).toEqual([['delete', 'a', 1, 'remote'], ['set', 'b', 2, 'remote']]);
    expect([values, second.expiresAt('b')]).toEqual([[1, undefined], undefined]);
    await Promise.all([first.close(), second.close()]);
  });

  it('show again what ended in one and the other had prolonged', async () => {
    const [first, second] = await two();
    await first.setAndSave('a', 1);
    await settled();
    const changes = recorded(second.changes$);
    await vi.advanceTimersByTimeAsync(500);
    first.get('a'); // no version comes of it, so nobody hears it
    await first.flush();
    await vi.advanceTimersByTimeAsync(600);
    await settled();
    await vi.advanceTimersByTimeAsync(50);
    await settled();
    expect(typesOf(changes)).toEqual([['expire', 'a', 1, 'local'], ['set', 'a', 1, 'remote']]);
    expect([second.get('a'), first.get('a')]).toEqual([1, 1]);
    await Promise.all([first.close(), second.close()]);
  });

  it('never end what the other has set anew meanwhile', async () => {
    const [first, second] = await two();
    await first.setAndSave('a', 1);
    await settled();
    clockAt(1_000);
    const changes = recorded(second.changes$);
    first.set('a', 2);
    await first.flush();
    await settled();
    await vi.advanceTimersByTimeAsync(100);
    await settled();
    expect(typesOf(changes)).toEqual([['set', 'a', 2, 'remote']]);
    expect([first.get('a'), second.get('a')]).toEqual([2, 2]);
    await Promise.all([first.close(), second.close()]);
  });

  it('take what comes with a deadline that has passed by their clock for gone, tell no end of what nobody saw, and have storage end it', async () => {
    const shared = memory();
    const behind = { now: () => asyncScheduler.now() - 10_000, schedule: asyncScheduler.schedule.bind(asyncScheduler) };
    const [late, store] = await Promise.all([persistify(shared).withScheduler(behind), persistify(shared)].map((builder) => builder.withBatch({ intervalMs: 10 }).open<Record<string, number>>('shared')));
    if (late === undefined || store === undefined) throw new Error('They did not open.');
    await store.setAndSave('seen', 1);
    await settled();
    const changes = recorded(store.changes$);
    late.set('seen', 2, { ttlMs: 5_000 });
    late.set('unseen', 2, { ttlMs: 5_000 });
    await late.flush();
    await settled();
    expect([typesOf(changes), store.size]).toEqual([[['delete', 'seen', 1, 'remote']], 0]);
    await vi.advanceTimersByTimeAsync(10);
    await settled();
    expect([store.unsaved, late.size]).toEqual([[], 0]);
    await late.reload();
    expect([late.size, changes.length]).toEqual([0, 1]);
    await Promise.all([late.close(), store.close()]);
  });

  it('both end what both let end, each telling it once', async () => {
    const [first, second] = await two();
    await first.setAndSave('a', 1);
    await settled();
    const told = [recorded(first.changes$), recorded(second.changes$)];
    await vi.advanceTimersByTimeAsync(1_000);
    await settled();
    await vi.advanceTimersByTimeAsync(5_000);
    await settled();
    expect(told.map(typesOf)).toEqual([[['expire', 'a', 1, 'local']], [['expire', 'a', 1, 'local']]]);
    expect([first.unsaved, second.unsaved]).toEqual([[], []]);
    await Promise.all([first.close(), second.close()]);
  });
});

describe('a storage whose clock is behind', () => {
  /** Its clock stands `behindMs` before that of the process. */
  function lagging(behindMs: { value: number }, canRead = true): ControlledProvider {
    const inner = memory();
    const more: Partial<ProviderSession> = {};
    const lagging: Provider = {
      name: 'lagging',
      async open(name, context) {
        const session = await inner.open(name, context);
        if (canRead) more.read = (keys) => session.read?.(keys) ?? Promise.resolve([]);
        return {
          capabilities: session.capabilities,
          load: () => session.load(),
          close: () => session.close(),
          async write(batch, writeContext) {
            const now = Date.now();
            const spy = vi.spyOn(Date, 'now').mockImplementation(() => now - behindMs.value);
            const writing = session.write(batch, writeContext);
            await Promise.resolve();
            await Promise.resolve();
            spy.mockRestore();
            return writing;
          },
        };
      },
    };
    return controlledProvider(lagging, more);
  }

  it.each([
    ['that reads single keys', true],
    ['that only loads all', false],
  ])('%s is asked again with growing waits, and nothing is told twice', async (_, canRead) => {
    const behindMs = { value: 60_000 };
    const provider = lagging(behindMs, canRead);
    const store = await persistify(provider).withBatch({ intervalMs: 1 }).open<Record<string, number>>('ttl');
    await store.setAndSave('a', 1, { ttlMs: 1_000 });
    const changes = recorded(store.changes$);
    const asked: number[] = [];
    provider.verdict = () => void asked.push(Date.now() - START - 1_000);
    for (let second = 0; second < 40; second++) {
      await vi.advanceTimersByTimeAsync(1_000);
      await settled(3);
    }
    const waits = asked.slice(1).map((at, index) => at - (asked[index] ?? 0));
    expect(asked.length).toBeGreaterThan(3);
    expect(asked.length).toBeLessThan(9);
    for (const [index, wait] of waits.slice(2).entries()) expect(wait).toBeGreaterThan(1.5 * (waits[index + 1] ?? 0));
    behindMs.value = 0;
    await vi.advanceTimersByTimeAsync(60_000);
    await settled();
    await vi.advanceTimersByTimeAsync(1_000);
    await settled();
    expect(typesOf(changes)).toEqual([['expire', 'a', 1, 'local']]);
    await store.reload();
    expect([store.size, changes.length, store.unsaved]).toEqual([0, 1, []]);
    const count = asked.length;
    await vi.advanceTimersByTimeAsync(2 * DAY);
    expect(asked.length).toBe(count);
    await store.close();
  });

  it('is not the reason to tell an end again when everything is read anew meanwhile', async () => {
    const provider = lagging({ value: DAY });
    const store = await persistify(provider).withBatch({ intervalMs: 1 }).open<Record<string, number>>('ttl');
    await store.setAndSave('a', 1, { ttlMs: 1_000 });
    const changes = recorded(store.changes$);
    await vi.advanceTimersByTimeAsync(1_000);
    await settled();
    await vi.advanceTimersByTimeAsync(10);
    await settled();
    for (let round = 0; round < 3; round++) {
      await store.reload();
      await vi.advanceTimersByTimeAsync(100);
      await settled();
    }
    expect(typesOf(changes)).toEqual([['expire', 'a', 1, 'local']]);
    store.set('a', 2);
    await store.flush();
    expect(store.get('a')).toBe(2);
    await store.close();
  });

  it('is asked again also while ever more ends', async () => {
    const behindMs = { value: 5_000 };
    const provider = lagging(behindMs);
    const store = await persistify(provider).withBatch({ intervalMs: 1 }).open<Record<string, number>>('ttl');
    for (let second = 0; second < 60; second++) {
      for (const half of [0, 500]) store.set(`k${second} ${half}`, second, { ttlMs: 100 + half });
      await vi.advanceTimersByTimeAsync(1_000);
      await settled(3);
    }
    const left = await firstPage(provider);
    expect(left.length).toBeLessThan(30);
    await store.close();
  });

  it('is asked again when what was ended early because of a clock set forward by a week shows again after it is set right', async () => {
    const provider = lagging({ value: 7 * DAY });
    const store = await persistify(provider).withBatch({ intervalMs: 1 }).open<Record<string, number>>('ttl');
    await store.setAndSave('a', 1, { ttlMs: DAY });
    const changes = recorded(store.changes$);
    clockAt(7 * DAY);
    await vi.advanceTimersByTimeAsync(60_000);
    await settled();
    await vi.advanceTimersByTimeAsync(10);
    await settled();
    expect([store.has('a'), changes.length]).toEqual([false, 1]);
    clockAt(3_600_000);
    for (let turn = 0; turn < 5; turn++) {
      await vi.advanceTimersByTimeAsync(2_000);
      await settled();
    }
    expect(typesOf(changes)).toEqual([['expire', 'a', 1, 'local'], ['set', 'a', 1, 'remote']]);
    expect(store.expiresAt('a')).toBe(START + DAY);
    await store.close();
  });

  async function firstPage(provider: Provider): Promise<readonly unknown[]> {
    const session = await provider.open('ttl', { writer: 'reader', report: () => undefined });
    for await (const { entries } of session.load()) return entries;
    return [];
  }
});
