import { asyncScheduler, VirtualTimeScheduler } from 'rxjs';
import { memory, persistify, ProviderError, SaveError, type Batch, type LeftOut, type ProviderSession } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { controlledProvider, gate, recorded, settled } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

const sizesOf = (batches: readonly Batch[]): number[] => batches.map((batch) => batch.mutations.length);
const transient = (): ProviderError => new ProviderError('for a while', { kind: 'retry' });
const lasting = (): ProviderError => new ProviderError('for good', { kind: 'halt' });

describe('saving', () => {
  beforeEach(() => {
    useVirtualTime();
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('happens by size: as many distinct keys as a batch has', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).withBatch({ size: 3, intervalMs: 60_000 }).open('a');
    store.set('a', 1);
    store.set('a', 2);
    store.set('b', 1);
    store.set('b', 2);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(provider.attempts).toEqual([]);
    store.set('c', 1);
    await vi.advanceTimersByTimeAsync(0);
    expect(provider.attempts[0]?.mutations).toEqual([
      { type: 'set', key: 'a', json: '2' },
      { type: 'set', key: 'b', json: '2' },
      { type: 'set', key: 'c', json: '1' },
    ]);
    await store.close();
  });

  it('has one mutation of a key that an accessor of its new value has written, too', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open<Record<string, unknown>>('a');
    const value = {
      get seen() {
        store.set('a', 'by the accessor');
        return true;
      },
    };
    store.set('a', value);
    await store.flush();
    expect(provider.attempts[0]?.mutations).toEqual([{ type: 'set', key: 'a', json: '{"seen":true}' }]);
    expect([store.size, store.unsaved.length, store.status.pending]).toEqual([1, 0, 0]);
    await store.close();
  });

  it('happens by time, counted from the first', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).withBatch({ size: 100, intervalMs: 5_000 }).open('a');
    store.set('a', 1);
    await vi.advanceTimersByTimeAsync(3_000);
    store.set('b', 1);
    await vi.advanceTimersByTimeAsync(1_999);
    expect(provider.attempts).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sizesOf(provider.attempts)).toEqual([2]);
    await store.close();
  });

  it('takes all its time from the scheduler that it is given', async () => {
    const provider = controlledProvider();
    const scheduler = new VirtualTimeScheduler(undefined, 4_999);
    const store = await persistify(provider).withScheduler(scheduler).withBatch({ intervalMs: 5_000 }).open('a');
    store.set('a', 1);
    await vi.advanceTimersByTimeAsync(60_000);
    scheduler.flush();
    expect(provider.attempts).toEqual([]);
    scheduler.maxFrames = 5_000;
    scheduler.flush();
    await vi.advanceTimersByTimeAsync(0);
    expect(sizesOf(provider.attempts)).toEqual([1]);
    await store.close();
  });

  it('holds no timer and emits nothing while idle', async () => {
    const store = await persistify(controlledProvider()).open('a');
    await vi.advanceTimersByTimeAsync(10);
    const told = [recorded(store.saves$), recorded(store.errors$), recorded(store.changes$)];
    expect(vi.getTimerCount()).toBe(0);
    await store.setAndSave('a', 1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(vi.getTimerCount()).toBe(0);
    expect(told.map((list) => list.length)).toEqual([1, 0, 1]);
    await store.close();
  });

  it('is one batch for all who wait in the same turn', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open('a');
    const waits = Array.from({ length: 64 }, (_, index) => store.setAndSave(`k${index}`, index));
    expect(await Promise.all(waits)).toEqual(waits.map(() => true));
    expect(sizesOf(provider.attempts)).toEqual([64]);
    await store.close();
  });

  it('lets a slow sink get fewer and larger batches, one at a time', async () => {
    const provider = controlledProvider();
    const first = gate();
    provider.verdict = () => (provider.attempts.length === 1 ? first.opened : undefined);
    const store = await persistify(provider).withBatch({ size: 2, intervalMs: 10 }).open('a');
    for (let index = 0; index < 20; index++) store.set(`k${index}`, index);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sizesOf(provider.attempts)).toEqual([2]);
    expect(store.status).toEqual({ state: 'saving', pending: 20, fullness: 0, lastSavedAt: undefined });
    first.open();
    await settled();
    expect(sizesOf(provider.attempts)).toEqual([2, 18]);
    expect(store.status.state).toBe('idle');
    await store.close();
  });

  it('resolves a waiting write when its value, or a newer one of its key, is saved', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open('a');
    const older = store.setAndSave('a', 'older');
    store.set('a', 'newer');
    expect(await older).toBe(true);
    expect(provider.attempts[0]?.mutations).toEqual([{ type: 'set', key: 'a', json: '"newer"' }]);
    await store.close();
  });

  it('tells saves$ with seq, keys, count, bytes, attempts and duration', async () => {
    const provider = controlledProvider();
    provider.verdict = () => (provider.attempts.length === 1 ? transient() : undefined);
    const store = await persistify(provider).withRetry({ delayMs: 1_000 }).open('a');
    const saves = recorded(store.saves$);
    store.errors$.subscribe();
    store.set('a', 1);
    store.set('bb', 22);
    store.set('a', 3);
    const saved = store.flush();
    await vi.advanceTimersByTimeAsync(2_000);
    await saved;
    expect(saves).toEqual([{ seq: 3, keys: ['a', 'bb'], count: 2, bytes: 6, attempts: 2, durationMs: 500 }]);
    expect(store.status.lastSavedAt).toBeDefined();
    await store.close();
  });

  it('tries a transient failure again with exponential backoff, full jitter and cap, telling each on errors$', async () => {
    const provider = controlledProvider();
    provider.verdict = () => (provider.attempts.length < 5 ? transient() : undefined);
    const store = await persistify(provider).withRetry({ maxAttempts: 5, delayMs: 100, maxDelayMs: 300 }).open('a');
    const errors = recorded(store.errors$);
    const states: string[] = [];
    store.status$.subscribe(({ state }) => states.push(state));
    store.set('a', 1);
    const saved = store.flush();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await saved).toBe(true);
    expect(errors.map(({ attempt, maxAttempts, willRetry, delayMs, fatal, keys, operation }) => ({ attempt, maxAttempts, willRetry, delayMs, fatal, keys, operation }))).toEqual(
      [50, 100, 150, 150].map((delayMs, index) => ({ attempt: index + 1, maxAttempts: 5, willRetry: true, delayMs, fatal: false, keys: ['a'], operation: 'save' })),
    );
    expect(errors[0]?.error).toBeInstanceOf(ProviderError);
    expect(new Set(provider.attempts).size).toBe(1);
    expect(states).toContain('retrying');
    expect(states.at(-1)).toBe('idle');
    await store.close();
  });

  it('rejects who waits when the attempts are spent, keeps the batch at the head with its number, and recovers by flush', async () => {
    const provider = controlledProvider();
    provider.verdict = () => transient();
    const store = await persistify(provider).withRetry({ maxAttempts: 2, delayMs: 10 }).open('a');
    const errors = recorded(store.errors$);
    const waiting = store.setAndSave('a', 1).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(100);
    expect(await waiting).toBeInstanceOf(SaveError);
    expect(await waiting).toMatchObject({ outcome: 'pending', keys: ['a'], cause: { message: 'for a while' } });
    expect(errors.map(({ fatal, willRetry, attempt }) => ({ fatal, willRetry, attempt }))).toEqual([
      { fatal: false, willRetry: true, attempt: 1 },
      { fatal: true, willRetry: false, attempt: 2 },
    ]);
    expect(store.status).toMatchObject({ state: 'failing', pending: 1 });
    expect(store.unsaved).toEqual(['a']);
    store.set('a', 2);
    store.set('b', 2);
    provider.verdict = () => undefined;
    const flushed = store.flush();
    await vi.advanceTimersByTimeAsync(10);
    expect(await flushed).toBe(true);
    expect(provider.attempts.map(({ number, mutations }) => [number, mutations.length])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
      [2, 2],
    ]);
    expect(provider.attempts[2]).toBe(provider.attempts[0]);
    expect(store.unsaved).toEqual([]);
    await store.close();
  });

  it('recovers when the next batch would close, and by the slow probe', async () => {
    for (const recovery of ['batch', 'probe']) {
      const provider = controlledProvider();
      provider.verdict = () => lasting();
      const store = await persistify(provider).withBatch({ intervalMs: 100 }).withRetry({ probeMs: 10_000 }).open('a');
      store.errors$.subscribe();
      store.set('a', 1);
      await vi.advanceTimersByTimeAsync(200);
      expect(provider.attempts).toHaveLength(1);
      provider.verdict = () => undefined;
      if (recovery === 'batch') store.set('b', 1);
      await vi.advanceTimersByTimeAsync(recovery === 'batch' ? 110 : 9_000);
      await settled();
      expect(store.status.state).toBe(recovery === 'batch' ? 'idle' : 'failing');
      await vi.advanceTimersByTimeAsync(1_000);
      await settled();
      expect(store.status).toMatchObject({ state: 'idle', pending: 0 });
      await store.close();
    }
  });

  it('spends the attempts at once on a failure that halts, and on an unknown one, whose outcome is unknown', async () => {
    for (const [failure, outcome] of [[lasting(), 'pending'], [new TypeError('who knows'), 'unknown']] as const) {
      const provider = controlledProvider();
      provider.verdict = () => failure;
      const store = await persistify(provider).open('a');
      const errors = recorded(store.errors$);
      await expect(store.setAndSave('a', 1)).rejects.toMatchObject({ code: 'SAVE_FAILED', outcome });
      expect(errors).toMatchObject([{ fatal: true, attempt: 1, willRetry: false, error: { code: 'PROVIDER', message: failure.message } }]);
      provider.verdict = () => undefined;
      await store.close();
    }
  });

  it('has an unknown outcome once one attempt may have been stored, whatever comes after, and a known one else', async () => {
    const provider = controlledProvider();
    const answerLost = new ProviderError('no answer', { kind: 'retry', outcomeUnknown: true });
    const stores = persistify(provider).withRetry({ maxAttempts: 3 });
    for (const [name, first, outcome] of [['a', answerLost, 'unknown'], ['b', transient(), 'pending']] as const) {
      const failures = [first, lasting()];
      provider.verdict = () => failures.shift() ?? lasting();
      const store = await stores.open(name);
      store.errors$.subscribe();
      const waiting = store.setAndSave('k', 1).catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await waiting).toMatchObject({ code: 'SAVE_FAILED', outcome });
      const closing = store.close().catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(31_000);
      expect(await closing).toMatchObject({ code: 'SAVE_FAILED', outcome, keys: ['k'] });
    }
  });

  it('goes on without one refused mutation of a thousand: it is told, its waiter rejected, and memory shows its base again', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open('a');
    await store.setAndSave('k500', 'base');
    await vi.advanceTimersByTimeAsync(1);
    const errors = recorded(store.errors$);
    const saves = recorded(store.saves$);
    provider.verdict = () => ({ leaveOut: [500] });
    const waits = Array.from({ length: 1_000 }, (_, index) => store.setAndSave(`k${index}`, index));
    const outcomes = await Promise.allSettled(waits);
    expect(outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))).toEqual([500]);
    expect(outcomes[500]).toMatchObject({ reason: { outcome: 'refused', keys: ['k500'] } });
    expect([store.get('k500'), store.get('k499'), store.size]).toEqual(['base', 499, 1_000]);
    expect(saves).toMatchObject([{ count: 999 }]);
    expect(errors).toMatchObject([{ fatal: true, willRetry: false, keys: ['k500'] }]);
    expect(store.unsaved).toEqual([]);
    await store.close();
  });

  it('takes a provider that throws refuse for a batch of one at its word', async () => {
    const provider = controlledProvider();
    provider.verdict = () => new ProviderError('too odd', { kind: 'refuse' });
    const store = await persistify(provider).open('a');
    store.errors$.subscribe();
    await expect(store.setAndSave('a', 1)).rejects.toMatchObject({ outcome: 'refused' });
    expect(store.has('a')).toBe(false);
    await store.close();
  });

  it('reads storage anew when it refuses a clear', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open('a');
    store.errors$.subscribe();
    await store.setAndSave('a', 1);
    await vi.advanceTimersByTimeAsync(1);
    provider.verdict = () => ({ leaveOut: [0] });
    const clearing = store.clearAndSave();
    store.set('b', 2);
    await expect(clearing).rejects.toMatchObject({ outcome: 'refused', message: expect.stringContaining('to clear') as string });
    await vi.advanceTimersByTimeAsync(10);
    expect(Object.fromEntries(store)).toEqual({ a: 1, b: 2 });
    await store.close();
  });

  it('treats nonsense from a provider as a failure, and one that throws synchronously or never settles as its own', async () => {
    const inner = await memory().open('x', { writer: 'w', report: () => undefined });
    const nonsense = controlledProvider(memory(), { write: () => Promise.resolve({ version: Number.NaN, leftOut: [] }) });
    const throwing = controlledProvider(memory(), {
      write: () => {
        throw new Error('synchronously');
      },
    });
    const reasonless = controlledProvider(memory(), { write: () => Promise.resolve({ version: 1, leftOut: [{ index: 0 } as LeftOut] }) });
    for (const provider of [nonsense, throwing, reasonless]) {
      const store = await persistify(provider).open('a');
      store.errors$.subscribe();
      await expect(store.setAndSave('a', 1)).rejects.toMatchObject({ code: 'SAVE_FAILED', outcome: 'unknown' });
      expect(store.get('a'), 'it may be stored').toBe(1);
      await store.close().catch(() => undefined);
    }
    const silent = controlledProvider(memory(), { write: () => new Promise(() => undefined) });
    const store = await persistify(silent).open('a');
    store.set('a', 1);
    const closed = store.close({ deadlineMs: 5_000 }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(7_000);
    expect(await closed).toMatchObject({ code: 'SAVE_FAILED', outcome: 'unknown', keys: ['a'] });
    await inner.close();
  });

  it.each([undefined, null, {}, { load: () => [], write: () => undefined, close: () => undefined }])('refuses a provider that opens to %o, which is no session', async (session) => {
    const provider = { name: 'of their own', open: () => Promise.resolve(session as unknown as ProviderSession) };
    await expect(persistify(provider).open('a')).rejects.toMatchObject({ code: 'LOAD_FAILED', message: expect.stringContaining('of their own did not answer open() with a session') as string });
  });

  it('lets timers have their turn between saves that are awaited in a loop', async () => {
    vi.useRealTimers();
    const store = await persistify(memory()).open('a');
    let ticks = 0;
    const interval = setInterval(() => ticks++, 1);
    // So many take a second and more; a timer that has its turn needs some hundreds of them.
    for (let saves = 0; saves < 100_000 && ticks < 5; saves++) await store.setAndSave('a', saves);
    clearInterval(interval);
    expect(ticks).toBeGreaterThanOrEqual(5);
    await store.close();
  });

  it('settles a large batch in slices, between which others have their turn, and tells of it when all of it is', async () => {
    vi.useRealTimers();
    const provider = controlledProvider();
    const store = await persistify(provider).withBatch({ size: 10_000 }).open<Record<string, number>>('a');
    const saves = recorded(store.saves$);
    for (let index = 0; index < 10_000; index++) store.set(`key ${index}`, 0);
    const told: number[] = [];
    const saved = store.flush().then(() => told.push(Infinity));
    for (let turn = 0; !told.includes(Infinity); turn++) {
      await settled(1);
      store.set('key 0', turn); // is above what is being settled, or above what is
      told.push(turn);
      expect(saves.length).toBe(told.includes(Infinity) ? 1 : 0);
    }
    await saved;
    expect(told.length).toBeGreaterThan(9);
    expect(saves).toMatchObject([{ count: 10_000 }]);
    expect(store.unsaved).toEqual(['key 0']);
    const [last] = told.filter((turn) => turn < Infinity).slice(-1);
    await store.close();
    const reopened = await persistify(provider).open<Record<string, number>>('a');
    expect([reopened.size, reopened.get('key 0'), reopened.get('key 1')]).toEqual([10_000, last, 0]);
    await reopened.close();
  });

  describe('throwOnFailure(false)', () => {
    it('has setAndSave, clearAndSave and flush resolve to false, and changes nothing else', async () => {
      const provider = controlledProvider();
      const store = await persistify(provider).throwOnFailure(false).open('a');
      const errors = recorded(store.errors$);
      provider.verdict = () => lasting();
      expect(await store.setAndSave('a', 1)).toBe(false);
      expect(await store.flush()).toBe(false);
      expect(await store.clearAndSave()).toBe(false);
      await expect(store.addAndSave('b', 1)).rejects.toBeInstanceOf(SaveError);
      await expect(store.setAndSave('', 1)).rejects.toMatchObject({ code: 'INVALID_KEY' });
      expect(errors.filter(({ fatal }) => fatal).length).toBeGreaterThan(0);
      provider.verdict = () => undefined;
      expect(await store.flush()).toBe(true);
      await store.close();
    });
  });

  describe('while nobody subscribes to errors$', () => {
    it('writes a fatal error once an outage to console.error', async () => {
      const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
      const provider = controlledProvider();
      provider.verdict = () => lasting();
      const store = await persistify(provider).withScheduler(asyncScheduler).open('a');
      store.set('a', 1);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(written).toHaveBeenCalledTimes(1);
      expect(written.mock.calls[0]?.[0]).toContain('for good');
      provider.verdict = () => undefined;
      await store.flush();
      provider.verdict = () => lasting();
      await store.setAndSave('a', 2).catch(() => undefined);
      expect(written).toHaveBeenCalledTimes(2);
      provider.verdict = () => undefined;
      await store.close();
    });
  });
});
