import fc from 'fast-check';
import { defer, map, of, throwError, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { backoff, jitteredDelay, type BackoffConfig } from '../../lib/streams/backoff.ts';
import { marbles, type Marbles } from './marbles.ts';

/** The greatest number that `Math.random` gives. */
const ALMOST_ONE = 1 - Number.EPSILON / 2;

/** One attempt after the other, each as drawn. */
const attempts = (...drawn: readonly Observable<string>[]): Observable<string> => {
  const left = [...drawn];
  return defer(() => left.shift() ?? throwError(() => 'one attempt too many'));
};

const backedOff = ({ timers }: Marbles, config: Partial<BackoffConfig>) =>
  backoff<string>({ maxAttempts: 5, delayMs: 4, maxDelayMs: 1_000, scheduler: timers, retryable: () => true, onRetry: () => undefined, random: () => ALMOST_ONE, ...config });

describe('backoff', () => {
  it(
    'leaves a source alone that does not fail',
    marbles((at) => {
      const source$ = at.cold('-a-|');
      at.expectObservable(source$.pipe(backedOff(at, {}))).toBe('-a-|');
      at.expectSubscriptions(source$.subscriptions).toBe('^--!');
    }),
  );

  it(
    'tries again after a wait',
    marbles((at) => {
      const failed$ = at.cold('-#');
      const second$ = at.cold('     -a-|');
      at.expectObservable(attempts(failed$, second$).pipe(backedOff(at, {}))).toBe('------a-|'); // 1 + 4 + 1
      at.expectSubscriptions(failed$.subscriptions).toBe('^!');
      at.expectSubscriptions(second$.subscriptions).toBe('-----^--!');
    }),
  );

  it(
    'doubles the bound of each wait up to the cap, and errors with the last error when the attempts are spent',
    marbles((at) => {
      const waits: number[] = [];
      const failing$ = attempts(...['first', 'second', 'third', 'fourth', 'last'].map((error) => at.cold('-#', {}, error)));
      const drawn$ = failing$.pipe(backedOff(at, { delayMs: 2, maxDelayMs: 5, onRetry: (_error, _attempt, delayMs) => waits.push(delayMs) }));
      at.expectObservable(drawn$).toBe('- 2ms - 4ms - 5ms - 5ms - #', {}, 'last');
      at.flush();
      expect(waits).toEqual([2, 4, 5, 5]);
    }),
  );

  it(
    'tells of each failure after which another attempt follows, and not of the last',
    marbles((at) => {
      const told: unknown[] = [];
      const failing$ = attempts(...['first', 'second', 'last'].map((error) => at.cold('#', {}, error)));
      failing$.pipe(backedOff(at, { maxAttempts: 3, onRetry: (...failure) => told.push(failure) })).subscribe({ error: (error: unknown) => told.push(error) });
      at.flush();
      expect(told).toEqual([['first', 1, 4], ['second', 2, 8], 'last']);
    }),
  );

  it(
    'makes one attempt alone where one is the maximum',
    marbles((at) => {
      at.expectObservable(attempts(at.cold('-#')).pipe(backedOff(at, { maxAttempts: 1 }))).toBe('-#');
    }),
  );

  it(
    'goes on for ever where the maximum is infinite',
    marbles((at) => {
      let count = 0;
      const failing$ = defer(() => (++count < 200 ? throwError(() => 'again') : of('a')));
      at.expectObservable(failing$.pipe(backedOff(at, { maxAttempts: Infinity, delayMs: 1, maxDelayMs: 1 }))).toBe('199ms (a|)');
    }),
  );

  it(
    'gives up at once on an error that another attempt cannot help, and does not tell it as one to be retried',
    marbles((at) => {
      const told: unknown[] = [];
      const source$ = attempts(at.cold('-#', {}, 'passing'), at.cold('-#', {}, 'lasting'));
      const config = { retryable: (error: unknown) => error === 'passing', onRetry: (error: unknown) => told.push(error) };
      at.expectObservable(source$.pipe(backedOff(at, config))).toBe('------#', {}, 'lasting');
      at.flush();
      expect(told).toEqual(['passing']);
    }),
  );

  it(
    'counts and doubles from the start for each subscriber',
    marbles((at) => {
      const failing$ = defer(() => at.cold('#')).pipe(backedOff(at, { maxAttempts: 2 }));
      at.expectObservable(failing$).toBe('----#');
      at.expectObservable(failing$, '--^').toBe('------#');
    }),
  );

  it(
    'leaves neither subscription nor timer when it is unsubscribed from during a wait',
    marbles((at) => {
      const source$ = at.cold('-#');
      const timers: number[] = [];
      at.hot('--t').subscribe(() => timers.push(at.timers.open));
      at.expectObservable(source$.pipe(backedOff(at, {})), '---!').toBe('---');
      at.expectSubscriptions(source$.subscriptions).toBe('^!');
      at.flush();
      expect([...timers, at.timers.open]).toEqual([1, 0]);
    }),
  );

  it(
    'waits for no time, but not at once, where the jitter is 0',
    marbles((at) => {
      at.expectObservable(attempts(at.cold('-#'), at.cold('-a|')).pipe(backedOff(at, { random: () => 0 }), map((letter) => letter.toUpperCase()))).toBe('--A|');
    }),
  );
});

describe('jitteredDelay', () => {
  const bounds = { delayMs: fc.integer({ min: 0, max: 100_000 }), maxDelayMs: fc.integer({ min: 0, max: 2 ** 31 - 1 }), attempt: fc.integer({ min: 1, max: 2_000 }) };

  it('is 0 at the least and the bound at the most', () => {
    expect(jitteredDelay(1, { delayMs: 200, maxDelayMs: 10_000, random: () => 0 })).toBe(0);
    expect(jitteredDelay(1, { delayMs: 200, maxDelayMs: 10_000, random: () => ALMOST_ONE })).toBe(200);
    expect(jitteredDelay(3, { delayMs: 200, maxDelayMs: 10_000, random: () => ALMOST_ONE })).toBe(800);
    expect(jitteredDelay(7, { delayMs: 200, maxDelayMs: 10_000, random: () => ALMOST_ONE })).toBe(10_000);
  });

  it('takes each whole millisecond up to the bound with the same chance', () => {
    const delays = Array.from({ length: 500 }, (_, part) => jitteredDelay(1, { delayMs: 4, maxDelayMs: 10, random: () => part / 500 }));
    const counts = [0, 1, 2, 3, 4].map((delay) => delays.filter((other) => other === delay).length);
    expect(counts).toEqual([100, 100, 100, 100, 100]);
  });

  it('is a whole number from 0 to the bound, whatever the attempt', () => {
    fc.assert(
      fc.property(fc.record({ ...bounds, random: fc.double({ min: 0, max: ALMOST_ONE, noNaN: true }) }), ({ attempt, delayMs, maxDelayMs, random }) => {
        const delay = jitteredDelay(attempt, { delayMs, maxDelayMs, random: () => random });
        expect(Number.isInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(Math.min(maxDelayMs, delayMs * 2 ** (attempt - 1)) || 0);
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it('never goes beyond a bound that is no whole number', () => {
    expect(jitteredDelay(1, { delayMs: 0.5, maxDelayMs: 10, random: () => ALMOST_ONE })).toBe(0);
    expect(jitteredDelay(2, { delayMs: 0.75, maxDelayMs: 10, random: () => ALMOST_ONE })).toBe(1);
  });
});
