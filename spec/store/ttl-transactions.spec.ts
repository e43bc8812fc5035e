import { persistify, type Batch, type Store } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { controlledProvider, recorded, type ControlledProvider } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

const START = Date.UTC(2026, 0, 1);
const clockAt = (ms: number): void => void vi.setSystemTime(START + ms);

describe('a transaction on keys with deadlines', () => {
  let provider: ControlledProvider;
  let store: Store<Record<string, number>>;

  beforeEach(async () => {
    useVirtualTime();
    clockAt(0);
    provider = controlledProvider();
    store = await persistify(provider).withTtl({ ms: 10_000, mode: 'sliding' }).withBatch({ intervalMs: 60_000 }).open<Record<string, number>>('transactions');
    store.set('key', 1);
    store.set('own', 1, { ttlMs: 20_000 });
    store.set('ever', 1, { ttlMs: Infinity });
    await store.flush();
    provider.attempts.length = 0;
  });

  afterEach(async () => {
    await store.close();
    vi.useRealTimers();
  });

  const mutations = (): Batch['mutations'] => provider.attempts.flatMap((batch) => batch.mutations);

  const rolledBack = (fn: () => void): void =>
    expect(() =>
      store.transaction(() => {
        fn();
        throw new RangeError('back');
      }),
    ).toThrow(new RangeError('back'));

  const acts: [string, () => unknown][] = [
    ['reads', () => store.get('key')],
    ['touches', () => store.touch('own')],
    ['sets', () => store.set('key', 2)],
    ['sets with a shorter time', () => store.set('key', 2, { ttlMs: 5 })],
    ['sets with a longer time', () => store.set('own', 2, { ttlMs: 90_000 })],
    ['sets for ever', () => store.set('key', 2, { ttlMs: Infinity })],
    ['gives a time to what had none', () => store.set('ever', 2)],
    ['updates', () => store.update('own', () => 2)],
    ['deletes', () => store.delete('key')],
    ['adds', () => store.add('new', 2, { ttlMs: 5 })],
    ['deletes and sets again', () => [store.delete('own'), store.add('own', 2)]],
    ['clears', () => store.clear()],
    [
      'clears and sets again',
      () => {
        store.clear();
        store.set('key', 2, { ttlMs: 5 });
      },
    ],
  ];
  const seen = (): unknown => ['key', 'own', 'ever', 'new'].map((key) => [store.has(key), store.expiresAt(key)]);

  it.each(acts)('that %s and is rolled back leaves deadlines, times of their own and slides as they were, and each ends on time', async (_, act) => {
    await vi.advanceTimersByTimeAsync(3_000);
    store.get('own'); // it has slid to 23,000, which is told
    await vi.advanceTimersByTimeAsync(500);
    store.get('own'); // and to 23,500, which is not yet
    const before = seen();
    rolledBack(act);
    expect(seen()).toEqual(before);
    const changes = recorded(store.changes$);
    await store.flush();
    expect(mutations()).toEqual([{ type: 'touch', key: 'own', expiresAt: START + 23_500 }]);
    await vi.advanceTimersByTimeAsync(START + 9_999 - Date.now());
    expect(changes).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(changes).toMatchObject([{ type: 'expire', key: 'key', previous: 1, seq: 4 }]);
    store.get('own');
    expect(store.expiresAt('own')).toBe(START + 30_000);
    await vi.advanceTimersByTimeAsync(19_999);
    expect(changes).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(changes[1]).toMatchObject({ type: 'expire', key: 'own', previous: 1, seq: 5 });
    expect([...store.keys()]).toEqual(['ever']);
  });

  it('that is rolled back leaves nothing to save of what it touched', async () => {
    clockAt(10);
    rolledBack(() => store.touch('key'));
    await store.flush();
    clockAt(2_000);
    rolledBack(() => store.touch('key'));
    await store.flush();
    expect(mutations()).toEqual([]);
  });

  it('that touched what is still pending and is rolled back leaves the deadline that was to be saved', async () => {
    store.set('pending', 1);
    clockAt(5_000);
    rolledBack(() => store.touch('pending'));
    await store.flush();
    expect(mutations()).toEqual([{ type: 'set', key: 'pending', json: '1', expiresAt: START + 10_000 }]);
  });

  it('sees what has ended as absent; that it ended is told with its changes, in order', () => {
    const changes = recorded(store.changes$);
    clockAt(10_000);
    store.transaction(() => {
      expect([store.get('key'), store.has('key'), store.size, store.touch('key'), store.delete('key')]).toEqual([undefined, false, 2, false, false]);
      expect(store.add('key', 2)).toBe(true);
      expect([store.get('key'), changes]).toEqual([2, []]);
    });
    expect(changes).toMatchObject([
      { type: 'expire', key: 'key', previous: 1, seq: 4, transaction: 1 },
      { type: 'set', key: 'key', value: 2, previous: undefined, seq: 5, transaction: 1 },
    ]);
  });

  it.each<[string, () => unknown]>([
    ['set', () => store.set('key', 2)],
    ['deleted', () => store.delete('key')],
    ['cleared', () => store.clear()],
    ['counted', () => store.size],
  ])('that %s what had ended and is rolled back leaves it to be told, once', async (_, act) => {
    const changes = recorded(store.changes$);
    clockAt(10_000);
    rolledBack(act);
    expect([store.has('key'), store.size, changes]).toEqual([false, 2, []]);
    store.touch('own');
    await vi.advanceTimersByTimeAsync(10_000); // the timer is late, as the clock was moved without it
    expect(changes).toMatchObject([{ type: 'expire', key: 'key', previous: 1, seq: 4 }]);
    await store.flush();
    expect(mutations()).toEqual([{ type: 'touch', key: 'own', expiresAt: START + 30_000 }, { type: 'expire', key: 'key', version: 1 }]);
  });

  it('that moved a deadline, was asked for the size when the old one had passed, and is rolled back leaves it to be told, once', async () => {
    const changes = recorded(store.changes$);
    rolledBack(() => {
      store.set('key', 2, { ttlMs: 60_000 });
      clockAt(15_000);
      expect(store.size).toBe(3);
    });
    expect([store.has('key'), store.size]).toEqual([false, 2]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(changes).toMatchObject([
      { type: 'expire', key: 'key', previous: 1, seq: 4 },
      { type: 'expire', key: 'own', previous: 1, seq: 5 },
    ]);
  });

  it('inside another gives back deadlines alone, and the outer one its own', () => {
    store.transaction(() => {
      store.set('key', 2, { ttlMs: 500 });
      rolledBack(() => {
        store.set('key', 3, { ttlMs: 700 });
        store.touch('own');
        store.delete('ever');
      });
      expect([store.expiresAt('key'), store.expiresAt('own'), store.has('ever')]).toEqual([START + 500, START + 20_000, true]);
    });
    rolledBack(() => {
      store.transaction(() => store.set('key', 4, { ttlMs: 900 }));
      clockAt(400);
      store.touch('key');
    });
    expect([store.get('key'), store.expiresAt('key')]).toEqual([2, START + 900]);
  });

  it('that slid a deadline by a tenth has that saved', async () => {
    clockAt(1_000);
    store.transaction(() => store.get('key'));
    expect(store.unsaved).toEqual(['key']);
    await store.flush();
    expect(mutations()).toEqual([{ type: 'touch', key: 'key', expiresAt: START + 11_000 }]);
  });

  it('may be rolled back any number of times without a trace', async () => {
    for (let round = 0; round < 1_000; round++) {
      clockAt(round);
      rolledBack(() => {
        store.get('own');
        store.set('key', round);
        store.delete('key');
        store.set('key', round, { ttlMs: 1 });
      });
    }
    expect([store.unsaved, store.expiresAt('key'), store.expiresAt('own')]).toEqual([[], START + 10_000, START + 20_000]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect([...store.keys()]).toEqual(['ever']);
  });
});
