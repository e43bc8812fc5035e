import { memory, persistify, ProviderError } from 'rx-persistify';
import { map } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { controlledProvider, recorded } from './support/controlled-provider.ts';
import { useVirtualTime } from './support/virtual-time.ts';

afterEach(() => void vi.useRealTimers());

const busy = new ProviderError('busy', { kind: 'retry' });

describe('an application is tested in virtual time', () => {
  describe('with a TestScheduler', () => {
    let scheduler: TestScheduler;
    beforeEach(() => {
      scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
    });
    const open = (mode: 'sliding' | 'absolute') => persistify(memory()).withScheduler(scheduler).withTtl({ ms: 1_000, mode }).open<Record<string, number>>('a');

    it('where entries end', async () => {
      const store = await open('absolute');
      scheduler.run(({ expectObservable, cold }) => {
        store.set('a', 1);
        cold('400ms x').subscribe(() => store.set('b', 2, { ttlMs: 200 }));
        expectObservable(store.has$('a')).toBe('t 999ms f', { t: true, f: false });
        expectObservable(store.changes$.pipe(map(({ type }) => type))).toBe('400ms s 199ms e 399ms e', { s: 'set', e: 'expire' });
        expectObservable(store.size$).toBe('a 399ms b 199ms a 399ms c', { a: 1, b: 2, c: 0 });
      });
    });

    it('where reading keeps them alive', async () => {
      const store = await open('sliding');
      scheduler.run(({ expectObservable, cold }) => {
        store.set('a', 1);
        cold('600ms x 599ms x').subscribe(() => store.get('a'));
        expectObservable(store.get$('a')).toBe('a 2199ms b', { a: 1, b: undefined });
      });
    });

    it('where they live for months, which no timer of JavaScript can wait for', async () => {
      const store = await persistify(memory()).withScheduler(scheduler).open<Record<string, number>>('long');
      scheduler.run(({ expectObservable }) => {
        store.set('a', 1, { ttlMs: 90 * 86_400_000 });
        expectObservable(store.get$('a')).toBe('a 7775999999ms b', { a: 1, b: undefined });
      });
    });
  });

  // What a runner fakes differs: with `setImmediate` faked too, time must pass for batches to follow one another.
  describe.each([
    ['with fake timers', useVirtualTime],
    ['with everything faked that can be', () => void vi.useFakeTimers()],
  ])('%s', (_, useFakeTimers) => {
    it('where changes are saved in batches', async () => {
      useFakeTimers();
      const store = await persistify(memory()).withBatch({ size: 3, intervalMs: 5_000 }).open<Record<string, number>>('a');
      const saves = recorded(store.saves$.pipe(map(({ keys }) => keys)));
      store.set('a', 1);
      await vi.advanceTimersByTimeAsync(4_999);
      expect(saves).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect(saves).toEqual([['a']]);
      for (const key of ['b', 'c', 'd']) store.set(key, 1);
      await vi.advanceTimersByTimeAsync(1);
      expect(saves).toEqual([['a'], ['b', 'c', 'd']]);
      const closing = store.close();
      await vi.advanceTimersByTimeAsync(10);
      await closing;
    });

    it('where saving fails, and is tried again', async () => {
      useFakeTimers();
      vi.spyOn(Math, 'random').mockReturnValue(0.5); // the waits have full jitter: half of 200, 400, … milliseconds
      const provider = controlledProvider();
      provider.verdict = () => busy;
      const store = await persistify(provider).withRetry({ maxAttempts: 3, delayMs: 200, probeMs: 60_000 }).open<Record<string, number>>('a');
      const failures = recorded(store.errors$.pipe(map(({ attempt, delayMs, fatal }) => [attempt, delayMs, fatal])));
      store.set('a', 1);
      await vi.advanceTimersByTimeAsync(100 + 100 + 200);
      expect(failures).toEqual([[1, 100, false], [2, 200, false], [3, 0, true]]);
      expect(store.status).toMatchObject({ state: 'failing', pending: 1 });
      provider.verdict = () => undefined;
      await vi.advanceTimersByTimeAsync(60_000);
      expect(store.status).toMatchObject({ state: 'idle', pending: 0 });
      const closing = store.close();
      await vi.advanceTimersByTimeAsync(10);
      await closing;
    });

    it('where entries end', async () => {
      useFakeTimers();
      const store = await persistify(memory()).withTtl({ ms: 3_600_000, mode: 'absolute' }).open<Record<string, number>>('a');
      const ended = recorded(store.changes$.pipe(map(({ type }) => type)));
      store.set('a', 1);
      await vi.advanceTimersByTimeAsync(3_599_999);
      expect(store.get('a')).toBe(1);
      await vi.advanceTimersByTimeAsync(1);
      expect(store.get('a')).toBeUndefined();
      expect(ended).toEqual(['set', 'expire']);
      const closing = store.close();
      await vi.advanceTimersByTimeAsync(10);
      await closing;
    });
  });
});
