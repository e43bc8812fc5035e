import { concat, EMPTY, NEVER, Observable, of, Subject, take } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { follow } from '../../lib/streams/follow.ts';
import { marbles } from './marbles.ts';

const atOnce = (step: () => void): void => step();

describe('follow', () => {
  it(
    'gives the current answer at once, and then every other one',
    marbles((at) => {
      const answers$ = follow(() => 'a', at.hot('-b-c-|'), atOnce);
      at.expectObservable(answers$).toBe('       ab-c-|');
    }),
  );

  it(
    'asks for the current answer anew for each subscriber',
    marbles((at) => {
      let current = 'a';
      const news$ = at.hot('--b---c--');
      news$.subscribe((answer) => (current = answer));
      const answers$ = follow(() => current, news$, atOnce);
      at.expectObservable(answers$, '^--------!').toBe('a-b---c--');
      at.expectObservable(answers$, '----^----!').toBe('----b-c--');
    }),
  );

  it(
    'leaves out what is the same as the one before, by Object.is',
    marbles((at) => {
      const same = { deep: true };
      const values = { n: Number.NaN, o: same, p: { deep: true }, z: 0, y: -0 };
      const news$ = at.hot('n-o-o-p-z-y-', values);
      at.expectObservable(
        follow(() => Number.NaN as unknown, news$, atOnce),
        '20ms !',
      ).toBe('              n-o---p-z-y-', values);
    }),
  );

  it(
    'completes with what it follows, after the current answer where that is over already',
    marbles((at) => {
      at.expectObservable(follow(() => 'a', at.hot('---|'), atOnce)).toBe('a--|');
      at.expectObservable(follow(() => 'a', EMPTY, atOnce)).toBe('(a|)');
    }),
  );

  it(
    'gives the current answer alone where nothing follows',
    marbles((at) => {
      at.expectObservable(follow(() => 'a', NEVER, atOnce), '9ms !').toBe('a');
    }),
  );

  it(
    'leaves what it follows when it is unsubscribed from, also on the current answer',
    marbles((at) => {
      const news$ = at.hot('-b--');
      at.expectObservable(follow(() => 'a', news$, atOnce), '--!').toBe('ab');
      at.expectSubscriptions(news$.subscriptions).toBe(['^-!', '(^!)']);
      at.expectObservable(follow(() => 'a', news$, atOnce).pipe(take(1))).toBe('(a|)');
    }),
  );

  it('gives only the newest where answers come as it subscribes', () => {
    const received: string[] = [];
    follow(() => 'a', concat(of('b', 'c'), NEVER), atOnce).subscribe((answer) => received.push(answer));
    expect(received).toEqual(['c']);
  });

  it('misses nothing that a subscriber changes on hearing the current answer', () => {
    const news$ = new Subject<string>();
    const received: string[] = [];
    follow(() => 'a', news$, atOnce).subscribe((answer) => {
      received.push(answer);
      if (answer === 'a') news$.next('b');
    });
    expect(received).toEqual(['a', 'b']);
  });

  it('runs the subscribing and the current answer as one step of `hold`', () => {
    const told: string[] = [];
    const news$ = new Observable<string>(() => {
      told.push('subscribed');
    });
    const hold = (step: () => void): void => {
      told.push('held');
      step();
      told.push('let go');
    };
    follow(() => 'a', news$, hold).subscribe((answer) => told.push(answer));
    expect(told).toEqual(['held', 'subscribed', 'a', 'let go']);
  });
});
