import { firstValueFrom } from 'rxjs';
import { memory, OptionsError, persistify, type PersistifyBuilder, type Store } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { controlledProvider, recorded, settled } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

type Numbers = Store<Record<string, number>>;

const START = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;

/** Whatever the time is, no timer has run. */
const clockAt = (ms: number): void => void vi.setSystemTime(START + ms);

function opened(builder: PersistifyBuilder = persistify(memory())): Promise<Numbers> {
  return builder.open<Record<string, number>>('ttl');
}

beforeEach(() => {
  useVirtualTime();
  clockAt(0);
});

afterEach(() => {
  vi.useRealTimers();
});

describe('an entry with a deadline', () => {
  let store: Numbers;

  beforeEach(async () => {
    store = await opened(persistify(memory()).withTtl({ ms: 1_000, mode: 'absolute' }));
    store.set('kept', 0, { ttlMs: Infinity });
    store.set('mortal', 1);
  });

  afterEach(() => store.close());

  it('that has ended, and is set again by who hears of it, may be set by the call that found it ended', async () => {
    const changes: unknown[] = [];
    store.changes$.subscribe((change) => {
      if (change.type === 'expire') store.set('mortal', 2);
      changes.push([change.type, change.type === 'set' ? [change.previous, change.value] : undefined]);
    });
    clockAt(1_000);
    store.set('mortal', 3);
    expect(changes).toEqual([['expire', undefined], ['set', [undefined, 2]], ['set', [2, 3]]]);
    expect(store.status.pending).toBe(2);
    await store.flush();
    expect([...store]).toEqual([['kept', 0], ['mortal', 3]]);
  });

  const every = async (): Promise<unknown> => {
    const seen: [unknown, string][] = [];
    store.forEach((value, key) => seen.push([value, key]));
    return {
      get: store.get('mortal'),
      has: store.has('mortal'),
      size: store.size,
      keys: [...store.keys()],
      values: [...store.values()],
      entries: [...store.entries()],
      iterated: [...store],
      seen,
      expiresAt: store.expiresAt('mortal'),
      get$: await firstValueFrom(store.get$('mortal')),
      has$: await firstValueFrom(store.has$('mortal')),
      size$: await firstValueFrom(store.size$),
      entries$: await firstValueFrom(store.entries$),
      inTransaction: store.transaction(() => [store.get('mortal'), store.has('mortal'), store.size, store.expiresAt('mortal')]),
      touched: store.touch('mortal'),
    };
  };
  const there = {
    get: 1, has: true, size: 2, keys: ['kept', 'mortal'], values: [0, 1], entries: [['kept', 0], ['mortal', 1]], iterated: [['kept', 0], ['mortal', 1]],
    seen: [[0, 'kept'], [1, 'mortal']], expiresAt: START + 1_000, get$: 1, has$: true, size$: 2, entries$: [['kept', 0], ['mortal', 1]],
    inTransaction: [1, true, 2, START + 1_000], touched: true,
  };
  const gone = {
    get: undefined, has: false, size: 1, keys: ['kept'], values: [0], entries: [['kept', 0]], iterated: [['kept', 0]],
    seen: [[0, 'kept']], expiresAt: undefined, get$: undefined, has$: false, size$: 1, entries$: [['kept', 0]],
    inTransaction: [undefined, false, 1, undefined], touched: false,
  };

  it.each([[999, there], [1_000, gone], [1_001, gone], [400 * DAY, gone]])('is to every read, be the timer late, after %i ms what it is', async (after, expected) => {
    clockAt(after);
    expect(await every()).toEqual(expected);
  });

  it('stays gone when the clock is set back after that was told, and does no harm when it was not', async () => {
    clockAt(7 * DAY);
    await vi.advanceTimersByTimeAsync(60_000);
    clockAt(0);
    expect(await every()).toEqual(gone);
    store.set('mortal', 1);
    clockAt(-7 * DAY);
    expect([store.get('mortal'), store.size]).toEqual([1, 2]);
    store.set('soon', 1, { ttlMs: 50 });
    const changes = recorded(store.changes$);
    await vi.advanceTimersByTimeAsync(50);
    expect(changes).toMatchObject([{ type: 'expire', key: 'soon' }]);
    await vi.advanceTimersByTimeAsync(8 * DAY);
    expect([store.size, changes.length]).toEqual([1, 2]);
  });

  it('is absent to add and to update, which end it first', () => {
    const changes = recorded(store.changes$);
    clockAt(999);
    expect([store.add('mortal', 2), store.update('mortal', (value) => value)]).toEqual([false, 1]);
    clockAt(1_000);
    expect(store.add('mortal', 2)).toBe(true);
    clockAt(2_000);
    expect(store.update('mortal', (value) => (value === undefined ? 3 : -1))).toBe(3);
    expect(store.expiresAt('mortal')).toBe(START + 3_000);
    clockAt(3_000);
    expect(store.update('mortal', () => undefined)).toBeUndefined();
    expect(store.delete('mortal')).toBe(false);
    const told = changes.slice(1).map((change) => [change.seq, change.type, change.type === 'set' && change.value, 'previous' in change && change.previous]);
    expect(told).toEqual([
      [4, 'expire', false, 1],
      [5, 'set', 2, undefined],
      [6, 'expire', false, 2],
      [7, 'set', 3, undefined],
      [8, 'expire', false, 3],
    ]);
  });

  it('ends with its last value, told once, by the timer, in the order changes$, get$ and has$, size$, with the next seq', async () => {
    const told: unknown[] = [];
    store.size$.subscribe((size) => told.push(['size', size]));
    store.has$('mortal').subscribe((has) => told.push(['has', has]));
    store.get$('mortal').subscribe((value) => told.push(['get', value]));
    store.changes$.subscribe((change) => told.push(change));
    store.set('mortal', 2);
    told.length = 0;
    await vi.advanceTimersByTimeAsync(999);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(told).toEqual([{ type: 'expire', key: 'mortal', previous: 2, seq: 4, origin: 'local' }, ['has', false], ['get', undefined], ['size', 1]]);
    await vi.advanceTimersByTimeAsync(DAY);
    expect(told).toHaveLength(4);
  });

  it('is told nothing of to who subscribes when it has ended and the timer is late', async () => {
    clockAt(1_000);
    const told = [recorded(store.get$('mortal')), recorded(store.has$('mortal')), recorded(store.size$)];
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told).toEqual([[undefined], [false], [1]]);
  });

  it('lives on when it is set again a millisecond before, and the timer tells nothing', async () => {
    const changes = recorded(store.changes$);
    await vi.advanceTimersByTimeAsync(999);
    store.set('mortal', 2);
    await vi.advanceTimersByTimeAsync(999);
    expect([store.get('mortal'), changes.length]).toEqual([2, 1]);
    await vi.advanceTimersByTimeAsync(1);
    expect(changes[1]).toMatchObject({ type: 'expire', previous: 2 });
  });

  it('ends earlier when it is set with a shorter time, and never when set with an infinite one', async () => {
    store.set('mortal', 2, { ttlMs: 1 });
    expect(store.expiresAt('mortal')).toBe(START + 1);
    await vi.advanceTimersByTimeAsync(1);
    expect(store.has('mortal')).toBe(false);
    store.set('mortal', 3);
    store.set('mortal', 4, { ttlMs: Infinity });
    await vi.advanceTimersByTimeAsync(10 * DAY);
    expect([store.get('mortal'), store.expiresAt('mortal')]).toEqual([4, undefined]);
  });

  it('keeps its deadline through update and touch, where deadlines are absolute', () => {
    clockAt(500);
    store.update('mortal', () => 2);
    store.touch('mortal');
    store.get('mortal');
    expect(store.expiresAt('mortal')).toBe(START + 1_000);
  });

  it('is told to end, not to be cleared, by a clear at its deadline', () => {
    const changes = recorded(store.changes$);
    clockAt(1_000);
    store.clear();
    expect(changes.map(({ type }) => type)).toEqual(['expire', 'clear']);
    expect(changes[1]?.type === 'clear' && [...changes[1].previous]).toEqual([['kept', 0]]);
  });

  it('is not shown after a close, though nobody was told that it ended', async () => {
    clockAt(1_000);
    await store.close();
    expect([store.get('mortal'), store.has('mortal'), store.size, [...store]]).toEqual([undefined, false, 1, [['kept', 0]]]);
    clockAt(0);
    expect(store.has('mortal')).toBe(false);
  });

  it('beyond 2^31 ms ends at its millisecond', async () => {
    const ttlMs = 2 ** 31 + 5;
    store.set('far', 1, { ttlMs });
    const changes = recorded(store.changes$);
    await vi.advanceTimersByTimeAsync(ttlMs - 1);
    expect(changes.map((change) => 'key' in change && change.key)).toEqual(['mortal']);
    await vi.advanceTimersByTimeAsync(1);
    expect(changes[1]).toMatchObject({ type: 'expire', key: 'far' });
  });

  it('is told within a minute to have ended when the clock is set forward by a week', async () => {
    const changes = recorded(store.changes$);
    store.set('week', 1, { ttlMs: 7 * DAY });
    clockAt(7 * DAY);
    expect(store.has('week')).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(changes.filter(({ type }) => type === 'expire')).toHaveLength(2);
  });
});

describe('many entries with deadlines', () => {
  it('share one timer, and none is left when all have ended', async () => {
    const store = await opened(persistify(memory()).withBatch({ size: 10, intervalMs: 1 }));
    await settled();
    for (let index = 0; index < 100; index++) store.set(`k${index}`, index, { ttlMs: 10_000 + 50_000 * index });
    await store.flush();
    await vi.advanceTimersByTimeAsync(100);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(10_000 + 50_000 * 100);
    expect([store.size, vi.getTimerCount()]).toEqual([0, 0]);
    await store.close();
  });

  it('end in slices, each once, while a handler sets some of them again', async () => {
    const store = await opened();
    await settled();
    for (let index = 0; index < 10_000; index++) store.set(`k${index}`, index, { ttlMs: 1_000 });
    await store.flush();
    const perTurn = new Map<number, number>();
    const ended = new Map<string, number>();
    let turn = 0;
    const tick = (): void => {
      turn++;
      if (ended.size < 10_000 && turn < 10_000) setImmediate(tick);
    };
    tick();
    store.changes$.subscribe((change) => {
      if (change.type !== 'expire') return;
      perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
      ended.set(change.key, (ended.get(change.key) ?? 0) + 1);
      if (change.previous % 10 === 0) store.set(change.key, change.previous, { ttlMs: 5_000 });
    });
    await vi.advanceTimersByTimeAsync(1_000);
    await vi.waitUntil(() => ended.size === 10_000, { timeout: 20_000 });
    expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(1_000);
    expect(new Set(ended.values())).toEqual(new Set([1]));
    expect(store.size).toBe(1_000);
    await vi.advanceTimersByTimeAsync(5_000);
    await vi.waitUntil(() => [...ended.values()].reduce((sum, each) => sum + each, 0) === 11_000, { timeout: 20_000 });
    await store.close();
  });
});

describe('a time to live', () => {
  it.each([
    [{ ms: 0, mode: 'sliding' }, 'withTtl: ms must be a number of milliseconds of at least 1, not 0.'],
    [{ ms: NaN, mode: 'sliding' }, 'withTtl: ms must be a number of milliseconds of at least 1, not NaN.'],
    [{ ms: 1_000 }, "withTtl: mode must be 'sliding' or 'absolute', not undefined."],
    [{ ms: 1_000, mode: 'lazy' }, 'withTtl: mode must be \'sliding\' or \'absolute\', not "lazy".'],
    [{ ms: '1s', mode: 'sliding' }, 'withTtl: ms must be a number of milliseconds of at least 1, not "1s".'],
    [{ ms: 1_000, mode: 'sliding', moed: 1 }, 'withTtl: there is no option moed. Did you mean mode? Known are ms, mode.'],
  ])('of %o is refused, with the name, what was expected and what came', (ttl, message) => {
    expect(() => persistify(memory()).withTtl(ttl as never)).toThrow(new OptionsError(message));
  });

  it.each([0, -1, NaN, '5', null])('of %o for one key is refused, and nothing is set', async (ttlMs) => {
    const store = await opened();
    const options = { ttlMs: ttlMs as never };
    expect(() => store.set('a', 1, options)).toThrow(OptionsError);
    expect(() => store.add('a', 1, options)).toThrow(/ttlMs.* must be a number of milliseconds of at least 1, not /);
    await expect(store.setAndSave('a', 1, options)).rejects.toBeInstanceOf(OptionsError);
    await expect(store.addAndSave('a', 1, options)).rejects.toBeInstanceOf(OptionsError);
    expect(store.size).toBe(0);
    await store.close();
  });

  it('is an option like the others: the same for an open name, and none changes it for the builder that has none', async () => {
    const builder = persistify(memory());
    const store = await opened(builder.withTtl({ ms: 5, mode: 'absolute' }));
    expect(await opened(builder.withTtl({ mode: 'absolute', ms: 5 }))).toBe(store);
    await expect(opened(builder)).rejects.toBeInstanceOf(OptionsError);
    await expect(opened(builder.withTtl({ ms: 6, mode: 'absolute' }))).rejects.toBeInstanceOf(OptionsError);
    await expect(opened(builder.withTtl({ ms: 5, mode: 'sliding' }))).rejects.toBeInstanceOf(OptionsError);
    await store.close();
    const without = await opened(builder);
    without.set('a', 1);
    expect(without.expiresAt('a')).toBeUndefined();
    await without.close();
  });

  it('of Infinity for all is none, but for keys that have their own', async () => {
    const store = await opened(persistify(controlledProvider()).withTtl({ ms: Infinity, mode: 'sliding' }));
    store.set('a', 1);
    store.set('b', 1, { ttlMs: 5 });
    expect([store.expiresAt('a'), store.expiresAt('b')]).toEqual([undefined, START + 5]);
    await store.close();
  });
});
