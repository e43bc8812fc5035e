import { memory, persistify, type Batch, type Store } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { controlledProvider, gate, recorded, settled, type ControlledProvider } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

type Numbers = Store<Record<string, number>>;

const START = Date.UTC(2026, 0, 1);
const clockAt = (ms: number): void => void vi.setSystemTime(START + ms);

describe('a sliding time to live', () => {
  let provider: ControlledProvider;
  let store: Numbers;

  beforeEach(async () => {
    useVirtualTime();
    clockAt(0);
    provider = controlledProvider();
    store = await persistify(provider).withTtl({ ms: 10_000, mode: 'sliding' }).withBatch({ intervalMs: 10 }).open<Record<string, number>>('sliding');
    store.set('key', 1);
    await store.flush();
    provider.attempts.length = 0;
  });

  afterEach(async () => {
    await store.close();
    vi.useRealTimers();
  });

  const mutations = (): Batch['mutations'] => provider.attempts.flatMap((batch) => batch.mutations);

  it.each<[string, () => unknown]>([
    ['get', () => store.get('key')],
    ['touch', () => store.touch('key')],
    ['set', () => store.set('key', 2)],
    ['update', () => store.update('key', () => 2)],
    ['get in a transaction', () => store.transaction(() => store.get('key'))],
  ])('begins anew with %s', (_, use) => {
    clockAt(9_999);
    use();
    expect(store.expiresAt('key')).toBe(START + 19_999);
  });

  it('does not with any other read', () => {
    const subscriptions = [store.get$('key').subscribe(), store.has$('key').subscribe(), store.entries$.subscribe()];
    clockAt(5_000);
    store.get$('key').subscribe().unsubscribe();
    store.has('key');
    store.forEach(() => undefined);
    expect([[...store], [...store.keys()], [...store.values()], [...store.entries()], store.size, store.expiresAt('key'), store.add('key', 2)]).toHaveLength(7);
    store.update('key', () => undefined);
    expect(store.expiresAt('key')).toBe(START + 10_000);
    for (const subscription of subscriptions) subscription.unsubscribe();
  });

  it('is no change: nothing is told, and seq stays', async () => {
    const changes = recorded(store.changes$);
    await vi.advanceTimersByTimeAsync(5_000);
    store.get('key');
    store.touch('key');
    store.set('key', 2);
    expect(changes).toMatchObject([{ type: 'set', seq: 2 }]);
  });

  it('ends as late as it was last read, to the millisecond', async () => {
    const changes = recorded(store.changes$);
    for (let round = 0; round < 20; round++) {
      await vi.advanceTimersByTimeAsync(9_000);
      expect(store.get('key')).toBe(1);
    }
    await vi.advanceTimersByTimeAsync(9_999);
    expect([changes.length, store.has('key')]).toEqual([0, true]);
    await vi.advanceTimersByTimeAsync(1);
    expect(changes).toMatchObject([{ type: 'expire', key: 'key', previous: 1 }]);
  });

  it('of one among thousands that were read since ends, and the size is told with it', async () => {
    for (let index = 0; index < 12_000; index++) store.set(`k${index}`, index);
    await store.flush();
    const sizes = recorded(store.size$);
    await vi.advanceTimersByTimeAsync(9_500);
    await settled(20);
    for (let index = 1; index < 12_000; index++) store.get(`k${index}`);
    store.delete('key');
    await vi.advanceTimersByTimeAsync(500);
    await settled(20);
    expect([store.has('k0'), store.size, sizes]).toEqual([false, 11_999, [12_001, 12_000, 11_999]]);
  });

  it('of one among thousands ends, and the size is told, also to who reads it while the others are looked through', async () => {
    for (let index = 0; index < 12_000; index++) store.set(`k${index}`, index);
    await store.flush();
    await vi.advanceTimersByTimeAsync(9_500);
    await settled(20);
    for (let index = 1; index < 12_000; index++) store.get(`k${index}`);
    store.delete('key');
    const sizes = recorded(store.size$);
    const read: number[] = [];
    store.changes$.subscribe(() => {
      setImmediate(() => read.push(store.size)); // before the next part, which is put off in the same way after this one
      for (const end = performance.now() + 5; performance.now() < end; ); // longer than a part may take
    });
    await vi.advanceTimersByTimeAsync(500);
    await settled(20);
    expect([read, sizes]).toEqual([[11_999], [12_000, 11_999]]);
  });

  it('does not begin anew for what has ended: touch says so', () => {
    clockAt(10_000);
    expect([store.touch('key'), store.get('key'), store.expiresAt('key'), store.touch('absent')]).toEqual([false, undefined, undefined, false]);
  });

  it('does not begin anew for who reads after the close', async () => {
    await store.close();
    clockAt(5_000);
    expect([store.get('key'), store.expiresAt('key')]).toEqual([1, START + 10_000]);
  });

  it('is saved as a touch, at most once per tenth of its time a key', async () => {
    for (let round = 0; round < 300; round++) {
      await vi.advanceTimersByTimeAsync(100);
      store.get('key');
    }
    await vi.advanceTimersByTimeAsync(10);
    const told = mutations();
    expect(new Set(told.map(({ type }) => type))).toEqual(new Set(['touch']));
    expect(told.length).toBeGreaterThanOrEqual(15);
    expect(told.length).toBeLessThanOrEqual(30);
    expect(told[0]).toEqual({ type: 'touch', key: 'key', expiresAt: START + 11_000 });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['flush', () => store.flush()],
    ['close', () => store.close()],
  ])('is saved at %s, however little it has moved, and once', async (_, save) => {
    clockAt(7);
    store.get('key');
    await vi.advanceTimersByTimeAsync(500);
    expect(provider.attempts).toEqual([]);
    await save();
    await save();
    expect(mutations()).toEqual([{ type: 'touch', key: 'key', expiresAt: START + 10_007 }]);
  });

  it('is saved at flush also when a reload has discarded it before it was', async () => {
    clockAt(2_000);
    store.get('key');
    expect(store.unsaved).toEqual(['key']);
    await store.reload();
    expect([store.unsaved, store.expiresAt('key')]).toEqual([[], START + 12_000]);
    await store.flush();
    expect(mutations()).toEqual([{ type: 'touch', key: 'key', expiresAt: START + 12_000 }]);
  });

  it('that has ended is not saved by a flush which comes before the timer, and counts as ended once', async () => {
    clockAt(7);
    store.get('key');
    clockAt(10_007);
    expect(store.size).toBe(0);
    await store.flush();
    expect(mutations()).toEqual([]);
    store.set('key', 2);
    expect([store.size, [...store]]).toEqual([1, [['key', 2]]]);
  });

  it('that slid while its set was under way is not cut short by a reload', async () => {
    const busy = gate();
    provider.verdict = () => (provider.attempts.length === 1 ? busy.opened : undefined);
    store.set('key', 2);
    const saved = store.flush();
    await settled();
    clockAt(5_000);
    store.get('key');
    busy.open();
    await saved;
    await store.reload();
    expect(store.expiresAt('key')).toBe(START + 15_000);
  });

  it('is not saved by itself where the key is set, or deleted, with the same batch', async () => {
    clockAt(7);
    store.set('deleted', 1);
    await store.flush();
    provider.attempts.length = 0;
    clockAt(20);
    store.get('key');
    store.get('deleted');
    store.set('key', 2);
    store.delete('deleted');
    await store.flush();
    await store.flush();
    expect(mutations()).toEqual([
      { type: 'set', key: 'key', json: '2', expiresAt: START + 10_020 },
      { type: 'delete', key: 'deleted' },
    ]);
  });

  it('goes on by a time of the key’s own, and update keeps it', () => {
    store.set('own', 1, { ttlMs: 50_000 });
    clockAt(40_000);
    store.get('own');
    expect(store.expiresAt('own')).toBe(START + 90_000);
    clockAt(50_000);
    store.update('own', () => 2);
    expect(store.expiresAt('own')).toBe(START + 100_000);
    clockAt(60_000);
    store.get('own');
    expect(store.expiresAt('own')).toBe(START + 110_000);
    store.set('own', 3);
    expect(store.expiresAt('own')).toBe(START + 70_000);
    store.set('ever', 1, { ttlMs: Infinity });
    expect([store.touch('ever'), store.get('ever'), store.expiresAt('ever')]).toEqual([true, 1, undefined]);
  });

  it('is not what reload brings back: a deadline that slid here stays, and one that slid further elsewhere comes', async () => {
    const shared = memory();
    const builders = [persistify(shared), persistify(shared)].map((builder) => builder.withTtl({ ms: 10_000, mode: 'sliding' }));
    const [first, second] = await Promise.all(builders.map((builder) => builder.open<Record<string, number>>('shared')));
    await first?.setAndSave('key', 1);
    await vi.waitUntil(() => second?.has('key'));
    clockAt(500);
    second?.get('key');
    await second?.reload();
    expect(second?.expiresAt('key')).toBe(START + 10_500);
    clockAt(4_000);
    first?.get('key');
    await first?.flush();
    await second?.reload();
    expect(second?.expiresAt('key')).toBe(START + 14_000);
    await Promise.all([first?.close(), second?.close()]);
  });

  it('is in storage at the next open, where it was closed', async () => {
    clockAt(500);
    store.get('key');
    await store.close();
    clockAt(10_300);
    const again = await persistify(provider).open<Record<string, number>>('sliding');
    expect([again.get('key'), again.expiresAt('key')]).toEqual([1, START + 10_500]);
    await again.close();
  });
});
