import { VirtualTimeScheduler } from 'rxjs';
import { persistify, ProviderError, type Batch, type Change, type Store } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { controlledProvider, gate, recorded, settled, type ControlledProvider } from '../support/controlled-provider.ts';
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

const mutationsOf = (provider: ControlledProvider): Batch['mutations'] => provider.attempts.flatMap((batch) => batch.mutations);
const typesOf = (changes: readonly Change[]): unknown[] => changes.map((change) => [change.type, 'key' in change && change.key, change.type === 'set' ? change.value : change.previous, change.origin]);

describe('a deadline in storage', () => {
  let provider: ControlledProvider;
  let store: Numbers;

  beforeEach(async () => {
    provider = controlledProvider();
    store = await open();
  });

  afterEach(() => store.close());

  function open(): Promise<Numbers> {
    return persistify(provider).withTtl({ ms: 1_000, mode: 'absolute' }).withBatch({ intervalMs: 10 }).open<Record<string, number>>('ttl');
  }

  it('comes with its set, and goes with one that has none', async () => {
    await store.setAndSave('a', 1);
    await store.setAndSave('a', 2, { ttlMs: Infinity });
    await store.transactionAndSave(() => store.set('a', 3, { ttlMs: 7 }));
    expect(mutationsOf(provider)).toEqual([
      { type: 'set', key: 'a', json: '1', expiresAt: START + 1_000 },
      { type: 'set', key: 'a', json: '2' },
      { type: 'set', key: 'a', json: '3', expiresAt: START + 7, transaction: 1 },
    ]);
  });

  it('is removed there by a set without one: the entry outlives it, also in the next store', async () => {
    await store.setAndSave('a', 1);
    await store.setAndSave('a', 2, { ttlMs: Infinity });
    await vi.advanceTimersByTimeAsync(5_000);
    await store.close();
    store = await open();
    expect([store.get('a'), store.expiresAt('a')]).toEqual([2, undefined]);
  });

  it('ends there by an expire with the version that it ended with', async () => {
    await store.setAndSave('other', 0, { ttlMs: Infinity });
    await store.setAndSave('a', 1);
    provider.attempts.length = 0;
    await vi.advanceTimersByTimeAsync(1_000);
    await store.flush();
    await settled();
    expect(mutationsOf(provider)).toEqual([{ type: 'expire', key: 'a', version: 2 }]);
    await vi.advanceTimersByTimeAsync(10 * DAY);
    expect([provider.attempts.length, store.status.state, store.unsaved]).toEqual([1, 'idle', []]);
  });

  it('that passes while its set is still pending becomes a delete', async () => {
    await store.close();
    store = await persistify(provider).withBatch({ intervalMs: 60_000 }).open<Record<string, number>>('ttl');
    const changes = recorded(store.changes$);
    store.set('a', 1, { ttlMs: 100 });
    await vi.advanceTimersByTimeAsync(100);
    expect(typesOf(changes)).toEqual([['set', 'a', 1, 'local'], ['expire', 'a', 1, 'local']]);
    await store.flush();
    expect(mutationsOf(provider)).toEqual([{ type: 'delete', key: 'a' }]);
  });

  it('that passes while its set is under way is an expire of what that stored', async () => {
    const busy = gate();
    provider.verdict = () => (provider.attempts.length === 1 ? busy.opened : undefined);
    const saved = store.setAndSave('a', 1, { ttlMs: 100 });
    await settled();
    await vi.advanceTimersByTimeAsync(100);
    expect([store.has('a'), store.unsaved]).toEqual([false, ['a']]);
    busy.open();
    expect(await saved).toBe(true);
    await store.flush();
    expect(mutationsOf(provider)).toEqual([{ type: 'set', key: 'a', json: '1', expiresAt: START + 100 }, { type: 'expire', key: 'a', version: 1 }]);
    await store.reload();
    expect(store.size).toBe(0);
  });

  it('that passes while its set is tried again ends once that is settled', async () => {
    provider.verdict = () => (provider.attempts.length < 3 ? new ProviderError('busy', { kind: 'retry' }) : undefined);
    store.errors$.subscribe();
    const saved = store.setAndSave('a', 1, { ttlMs: 50 });
    await settled();
    await vi.advanceTimersByTimeAsync(50);
    expect([store.has('a'), store.status.state]).toEqual([false, 'retrying']);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await saved).toBe(true);
    await store.flush();
    expect(provider.attempts.map(({ mutations }) => mutations.map(({ type }) => type))).toEqual([['set'], ['set'], ['set'], ['expire']]);
  });

  it('shows again with its entry when storage refuses a set above it, and ends on time', async () => {
    await store.setAndSave('a', 1);
    const changes = recorded(store.changes$);
    store.errors$.subscribe();
    provider.verdict = (batch) => ({ leaveOut: batch.mutations.flatMap(({ type }, index) => (type === 'set' ? [index] : [])) });
    for (const ttlMs of [50, 5_000, Infinity]) {
      await expect(store.setAndSave('a', 2, { ttlMs })).rejects.toMatchObject({ outcome: 'refused' });
      expect([store.get('a'), store.expiresAt('a')]).toEqual([1, START + 1_000]);
    }
    await vi.advanceTimersByTimeAsync(1_000);
    expect(typesOf(changes).slice(-2)).toEqual([['set', 'a', 1, 'reload'], ['expire', 'a', 1, 'local']]);
    await store.flush();
    expect(mutationsOf(provider).at(-1)).toEqual({ type: 'expire', key: 'a', version: 1 });
  });

  it('that passed below a set is not told when storage refuses that: the key is gone', async () => {
    await store.setAndSave('a', 1);
    store.errors$.subscribe();
    const busy = gate();
    provider.verdict = (batch) => (batch.mutations.some(({ type }) => type === 'set') ? busy.opened.then(() => Promise.reject(new ProviderError('never', { kind: 'refuse' }))) : undefined);
    const changes = recorded(store.changes$);
    const refused = store.setAndSave('a', 2, { ttlMs: 60_000 }).catch((error: unknown) => error);
    await settled();
    await vi.advanceTimersByTimeAsync(2_000);
    busy.open();
    expect(await refused).toMatchObject({ outcome: 'refused' });
    expect([store.has('a'), store.size]).toEqual([false, 0]);
    await vi.advanceTimersByTimeAsync(2_000);
    await settled();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(typesOf(changes)).toEqual([['set', 'a', 2, 'local'], ['delete', 'a', 2, 'reload']]);
    expect(mutationsOf(provider).at(-1)).toEqual({ type: 'expire', key: 'a', version: 1 });
  });

  it('that passed on a set that storage then refuses lets what was there show again', async () => {
    await store.setAndSave('a', 1, { ttlMs: Infinity });
    store.errors$.subscribe();
    const busy = gate();
    provider.verdict = (batch) => (batch.mutations.some(({ type }) => type === 'set') ? busy.opened.then(() => Promise.reject(new ProviderError('never', { kind: 'refuse' }))) : undefined);
    const changes = recorded(store.changes$);
    store.setAndSave('a', 2, { ttlMs: 100 }).catch(() => undefined);
    await settled();
    await vi.advanceTimersByTimeAsync(100);
    busy.open();
    await settled();
    await vi.advanceTimersByTimeAsync(100);
    expect(typesOf(changes)).toEqual([['set', 'a', 2, 'local'], ['expire', 'a', 2, 'local'], ['set', 'a', 1, 'reload']]);
    expect([store.get('a'), store.unsaved]).toEqual([1, []]);
    expect(mutationsOf(provider).map(({ type }) => type)).toEqual(['set', 'set']);
  });

  it('of an entry that ended while nobody had it open is told to who subscribes in the turn in which open resolves', async () => {
    await store.setAndSave('a', 1);
    await store.setAndSave('b', 2, { ttlMs: DAY });
    await store.close();
    clockAt(5_000);
    store = await open();
    const changes = recorded(store.changes$);
    expect([store.has('a'), store.size, [...store.keys()]]).toEqual([false, 1, ['b']]);
    await settled();
    await vi.advanceTimersByTimeAsync(1);
    expect(changes).toMatchObject([{ type: 'expire', key: 'a', previous: 1, seq: 1, origin: 'local' }]);
    await store.flush();
    expect(mutationsOf(provider).at(-1)).toEqual({ type: 'expire', key: 'a', version: 1 });
  });

  it('comes with its entry at reload, and discards that of a set which was not saved', async () => {
    await store.setAndSave('a', 1);
    store.set('a', 2, { ttlMs: 50_000 });
    store.set('b', 2);
    await store.reload();
    expect([store.get('a'), store.expiresAt('a'), store.has('b')]).toEqual([1, START + 1_000, false]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(store.size).toBe(0);
  });

  it('that passed is told to whom a reload that comes before the timer finds it gone', async () => {
    await store.setAndSave('a', 1);
    const changes = recorded(store.changes$);
    const values = recorded(store.get$('a'));
    clockAt(1_000);
    const other = await persistify(provider).open('ttl');
    await store.reload();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([typesOf(changes), values]).toEqual([[['expire', 'a', 1, 'local']], [1, undefined]]);
    await other.close();
  });

  it('is not waited for by a flush or a close that has nothing to do', async () => {
    await store.setAndSave('a', 1);
    expect(await store.flush()).toBe(true);
    await store.close();
    expect(provider.attempts).toHaveLength(1);
  });
});

describe('a touch under way', () => {
  it('over a set that storage refuses goes with it: what was there shows again', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).withTtl({ ms: 1_000, mode: 'sliding' }).open<Record<string, number>>('ttl');
    await store.setAndSave('a', 1, { ttlMs: 60_000 });
    store.errors$.subscribe();
    const busy = gate();
    provider.verdict = () => (provider.attempts.length === 2 ? busy.opened.then(() => Promise.reject(new ProviderError('never', { kind: 'refuse' }))) : undefined);
    const changes = recorded(store.changes$);
    store.setAndSave('a', 2).catch(() => undefined);
    await settled();
    clockAt(500);
    store.touch('a');
    busy.open();
    await settled();
    expect([store.get('a'), store.expiresAt('a'), typesOf(changes).at(-1)]).toEqual([1, START + 60_000, ['set', 'a', 1, 'reload']]);
    expect(store.unsaved).toEqual([]);
    await store.close();
  });

  it('is followed by an expire of the same version', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).withTtl({ ms: 1_000, mode: 'sliding' }).withBatch({ intervalMs: 10 }).open<Record<string, number>>('ttl');
    await store.setAndSave('a', 1);
    const busy = gate();
    provider.verdict = () => (provider.attempts.length === 2 ? busy.opened : undefined);
    clockAt(500);
    store.touch('a');
    await vi.advanceTimersByTimeAsync(10);
    await settled();
    await vi.advanceTimersByTimeAsync(1_000);
    busy.open();
    await settled();
    await store.flush();
    expect(mutationsOf(provider).slice(1)).toEqual([{ type: 'touch', key: 'a', expiresAt: START + 1_500 }, { type: 'expire', key: 'a', version: 1 }]);
    await store.close();
  });
});

describe('a scheduler of one’s own', () => {
  it('is where deadlines come from, and ends them', async () => {
    const scheduler = new VirtualTimeScheduler(undefined, 999);
    const store = await persistify(controlledProvider()).withScheduler(scheduler).withTtl({ ms: 1_000, mode: 'absolute' }).open<Record<string, number>>('ttl');
    const changes = recorded(store.changes$);
    await settled();
    store.set('a', 1);
    expect(store.expiresAt('a')).toBe(1_000);
    scheduler.flush();
    expect(store.has('a')).toBe(true);
    scheduler.maxFrames = 1_000;
    scheduler.flush();
    expect([store.has('a'), changes.map(({ type }) => type)]).toEqual([false, ['set', 'expire']]);
    const closing = store.close();
    await settled();
    scheduler.maxFrames = Infinity;
    scheduler.flush();
    await closing;
  });
});
