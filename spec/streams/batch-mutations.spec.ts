import { defer, map, NEVER, of, Subject, take, tap, VirtualTimeScheduler, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { batchMutations, type BatchConfig } from '../../lib/streams/batch-mutations.ts';
import { marbles, type Marbles } from './marbles.ts';

const inBatches = ({ timers }: Marbles, config: Partial<BatchConfig>) => (mutations$: Observable<string>) =>
  mutations$.pipe(
    batchMutations({ size: 100, intervalMs: 100, flush$: NEVER, scheduler: timers, ...config }),
    map((batch) => batch.join('')),
  );

describe('batchMutations', () => {
  it(
    'closes a batch with as many as its size',
    marbles((at) => {
      const mutations$ = at.hot('abc-de-f---');
      const expected = '         --x----y---';
      at.expectObservable(mutations$.pipe(inBatches(at, { size: 3 })), '11ms !').toBe(expected, { x: 'abc', y: 'def' });
    }),
  );

  it(
    'closes one a mutation where the size is 1',
    marbles((at) => {
      at.expectObservable(at.hot('ab-c-').pipe(inBatches(at, { size: 1 })), '5ms !').toBe('ab-c-');
    }),
  );

  it(
    'closes a batch a fixed time after its first mutation, whatever follows',
    marbles((at) => {
      const mutations$ = at.hot('-a-bc--d----e--');
      const expected = '         ------x-----y--'; // a at 1, due at 6; d at 7, due at 12, and e comes just before
      at.expectObservable(mutations$.pipe(inBatches(at, { intervalMs: 5 })), '15ms !').toBe(expected, { x: 'abc', y: 'de' });
    }),
  );

  it(
    'closes by size or by time, whichever comes first',
    marbles((at) => {
      const mutations$ = at.hot('abc--a------abc--');
      const expected = '         --x-------y---x--';
      at.expectObservable(mutations$.pipe(inBatches(at, { size: 3, intervalMs: 5 })), '17ms !').toBe(expected, { x: 'abc', y: 'a' });
    }),
  );

  it(
    'closes on demand at once',
    marbles((at) => {
      const mutations$ = at.hot('-ab------');
      const flush$ = at.hot('    ---f-----');
      const expected = '         ---x-----';
      at.expectObservable(mutations$.pipe(inBatches(at, { flush$ })), '9ms !').toBe(expected, { x: 'ab' });
    }),
  );

  it(
    'closes an empty batch when nothing is there, so that what is left over is tried again',
    marbles((at) => {
      at.expectObservable(at.hot('-').pipe(inBatches(at, { flush$: at.hot('--f-f') })), '9ms !').toBe('--x-x', { x: '' });
    }),
  );

  it(
    'counts anew after each batch, also after one closed by time or on demand',
    marbles((at) => {
      const mutations$ = at.hot('ab-cd-e--ab------cd-e-');
      const flush$ = at.hot('    --f-------------------');
      const expected = '         --x---y-------x-----y-'; // 9 + 5 = 14
      at.expectObservable(mutations$.pipe(inBatches(at, { size: 3, intervalMs: 5, flush$ })), '22ms !').toBe(expected, { x: 'ab', y: 'cde' });
    }),
  );

  it(
    'takes its time anew after each batch, also after one closed by size or on demand',
    marbles((at) => {
      const mutations$ = at.hot('ab--c----------a---b-------');
      const flush$ = at.hot('    ----------------f----------');
      const expected = '         -x-------y------z-------w--'; // c at 4, due at 9; b at 19, due at 24
      at.expectObservable(mutations$.pipe(inBatches(at, { size: 2, intervalMs: 5, flush$ })), '27ms !').toBe(expected, { x: 'ab', y: 'c', z: 'a', w: 'b' });
    }),
  );

  it(
    'gives on completion what is left, and no timer outlives it',
    marbles((at) => {
      at.expectObservable(at.hot('-ab--|').pipe(inBatches(at, {}))).toBe('-----(x|)', { x: 'ab' });
      at.flush();
      expect(at.timers.open).toBe(0);
    }),
  );

  it(
    'closes an empty last batch on completion: a last call for what is left over',
    marbles((at) => {
      at.expectObservable(at.hot('--|').pipe(inBatches(at, {}))).toBe('--(x|)', { x: '' });
    }),
  );

  it(
    'emits nothing and holds no timer while idle, before the first batch and after each',
    marbles((at) => {
      const timers: number[] = [];
      at.hot('--1-----2-------3').subscribe(() => timers.push(at.timers.open)); // before, within and after a batch
      at.expectObservable(at.hot('-----a').pipe(inBatches(at, { intervalMs: 5 })), '1000ms !').toBe('----------a');
      at.flush();
      expect(timers).toEqual([0, 1, 0]);
    }),
  );

  it(
    'passes on an error of its source at once; what it had gathered goes, and so does the timer',
    marbles((at) => {
      at.expectObservable(at.hot('-ab-#').pipe(inBatches(at, {}))).toBe('----#');
      at.flush();
      expect(at.timers.open).toBe(0);
    }),
  );

  it(
    'leaves neither subscription nor timer when it is unsubscribed from early',
    marbles((at) => {
      const mutations$ = at.hot('-ab------');
      const flush$ = at.hot('    ---------');
      at.expectObservable(mutations$.pipe(inBatches(at, { flush$ })), '---!').toBe('----');
      at.expectSubscriptions(mutations$.subscriptions).toBe('^--!');
      at.flush();
      expect(flush$.subscriptions.every(({ unsubscribedFrame }) => unsubscribedFrame === 3)).toBe(true);
      expect(at.timers.open).toBe(0);
    }),
  );

  it(
    'ends with a receiver that takes only so many',
    marbles((at) => {
      const mutations$ = at.hot('ab-cd-ef');
      at.expectObservable(mutations$.pipe(inBatches(at, { size: 2 }), take(2))).toBe('-x--(y|)', { x: 'ab', y: 'cd' });
      at.expectSubscriptions(mutations$.subscriptions).toBe('^---!');
    }),
  );

  it('takes the mutations of a source that emits and completes at once as it takes others, subscribing to it once', () => {
    let subscriptions = 0;
    const mutations$ = defer(() => {
      subscriptions++;
      return of('a', 'b', 'c');
    });
    const batches: string[][] = [];
    mutations$.pipe(batchMutations({ size: 2, intervalMs: 100, flush$: NEVER, scheduler: new VirtualTimeScheduler() })).subscribe((batch) => batches.push(batch));
    expect(batches).toEqual([['a', 'b'], ['c']]);
    expect(subscriptions).toBe(1);
  });

  it(
    'takes the time also for a mutation that the receiver of a batch makes',
    marbles((at) => {
      const mutations$ = new Subject<string>();
      at.hot('        --a-b--------').subscribe(mutations$);
      const expected = '----x----y---';
      const batches$ = mutations$.pipe(
        inBatches(at, { size: 2, intervalMs: 5 }),
        tap((batch) => batch === 'ab' && mutations$.next('late')),
      );
      at.expectObservable(batches$, '20ms !').toBe(expected, { x: 'ab', y: 'late' });
    }),
  );

  it(
    'counts also a mutation that the receiver of a batch makes',
    marbles((at) => {
      const mutations$ = new Subject<string>();
      at.hot('        --a-b--c-----').subscribe(mutations$);
      const expected = '----x--y-----';
      const batches$ = mutations$.pipe(
        inBatches(at, { size: 2 }),
        tap((batch) => batch === 'ab' && mutations$.next('late ')),
      );
      at.expectObservable(batches$, '20ms !').toBe(expected, { x: 'ab', y: 'late c' });
    }),
  );

  it(
    'flushes also a mutation that the receiver of a batch makes, and what that one flushes',
    marbles((at) => {
      const mutations$ = new Subject<string>();
      const flush$ = new Subject<undefined>();
      at.hot('        --a---').subscribe(mutations$);
      at.hot('        ----f-').subscribe(() => flush$.next(undefined));
      const received: string[] = [];
      mutations$.pipe(inBatches(at, { flush$ })).subscribe((batch) => {
        received.push(batch);
        if (batch !== 'a') return;
        mutations$.next('b');
        flush$.next(undefined);
      });
      at.flush();
      expect(received).toEqual(['a', 'b']);
    }),
  );
});
