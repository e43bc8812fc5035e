import { of, Subject, timer, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { expireKeys } from '../../lib/streams/expire-keys.ts';
import { marbles, type Marbles } from './marbles.ts';

const DAY = 86_400_000;

/** Deadlines in virtual time, and the stream that steps when one is due: each step ends one. */
function harness({ timers, scheduler }: Pick<Marbles, 'timers' | 'scheduler'>, deadlines: number[], pause$: Observable<unknown> = timer(0, scheduler)) {
  const sooner$ = new Subject<undefined>();
  const steps: number[] = [];
  let offset = 0;
  const clock = {
    now: () => timers.now() + offset,
    schedule: timers.schedule.bind(timers),
  };
  const subscription = expireKeys({
    nextAt: () => (deadlines.length === 0 ? undefined : Math.min(...deadlines)),
    sooner$,
    step: () => {
      deadlines.splice(deadlines.indexOf(Math.min(...deadlines)), 1);
      steps.push(clock.now());
    },
    scheduler: clock,
    pause$,
  }).subscribe();
  return {
    steps,
    subscription,
    add: (deadline: number) => {
      deadlines.push(deadline);
      sooner$.next(undefined);
    },
    setClock: (by: number) => void (offset += by),
  };
}

describe('expireKeys', () => {
  it(
    'steps at each deadline, and holds one timer at a time and none where nothing will be due',
    marbles((at) => {
      const { steps } = harness(at, [3, 7]);
      const open: number[] = [];
      at.hot('-a---b---c').subscribe(() => open.push(at.timers.open));
      at.flush();
      expect(steps).toEqual([3, 7]);
      expect(open).toEqual([1, 1, 0]);
    }),
  );

  it(
    'holds no timer at all as long as it is told of nothing',
    marbles((at) => {
      harness(at, []);
      at.hot('-a').subscribe(() => expect(at.timers.open).toBe(0));
      at.flush();
      expect(at.timers.open).toBe(0);
    }),
  );

  it(
    'begins to wait anew when something is due sooner, with one timer still',
    marbles((at) => {
      const { steps, add } = harness(at, [50]);
      at.hot('--a').subscribe(() => {
        add(5);
        expect(at.timers.open).toBe(1);
      });
      at.flush();
      expect(steps).toEqual([5, 50]);
      expect(at.timers.open).toBe(0);
    }),
  );

  it(
    'waits for what is beyond 2^31 ms, and not a millisecond less or more',
    marbles((at) => {
      const deadline = 2 ** 31 + 12_345;
      const { steps } = harness(at, [deadline]);
      at.scheduler.maxFrames = Infinity;
      at.flush();
      expect(steps).toEqual([deadline]);
    }),
  );

  it(
    'steps for what has passed already',
    marbles((at) => {
      const { steps } = harness(at, [-5, -5, 0]);
      at.flush();
      expect(steps).toEqual([0, 0, 0]);
    }),
  );

  it(
    'lets the pause lie between two steps, and looks again after it',
    marbles((at) => {
      const { steps } = harness(at, [3, 3, 3, 6], at.cold('--p'));
      at.flush();
      expect(steps).toEqual([3, 5, 7, 9]);
    }),
  );

  it(
    'steps within a minute for what the clock, set forward, has made due',
    marbles((at) => {
      const { steps, setClock } = harness(at, [8 * DAY]);
      at.hot('10s c').subscribe(() => setClock(8 * DAY));
      at.hot('59s a').subscribe(() => expect(steps).toEqual([]));
      at.hot('60002ms a').subscribe(() => expect(steps).toHaveLength(1));
      at.flush();
      expect(steps).toEqual([60_000 + 8 * DAY]);
    }),
  );

  it(
    'steps at the deadline by the clock where that is set back meanwhile',
    marbles((at) => {
      const { steps, setClock } = harness(at, [100]);
      at.hot('10ms c').subscribe(() => setClock(-7 * DAY));
      at.scheduler.maxFrames = Infinity;
      at.flush();
      expect(steps).toEqual([100]);
    }),
  );

  it(
    'goes on where a step makes something due sooner',
    marbles((at) => {
      const deadlines = [3, 4];
      const sooner$ = new Subject<undefined>();
      const steps: number[] = [];
      expireKeys({
        nextAt: () => (deadlines.length === 0 ? undefined : Math.min(...deadlines)),
        sooner$,
        step: () => {
          steps.push(deadlines.shift() ?? NaN);
          if (steps.length > 2) return;
          deadlines.push(10 + steps.length);
          sooner$.next(undefined);
        },
        scheduler: at.timers,
        pause$: timer(0, at.scheduler),
      }).subscribe();
      at.flush();
      expect(steps).toEqual([3, 4, 11, 12]);
      expect(at.timers.open).toBe(0);
    }),
  );

  it(
    'takes any number of steps in a row',
    marbles((at) => {
      let left = 30_000;
      expireKeys({ nextAt: () => (left === 0 ? undefined : 3), sooner$: new Subject(), step: () => left--, scheduler: at.timers, pause$: timer(0, at.scheduler) }).subscribe();
      at.flush();
      expect([left, at.timers.open]).toEqual([0, 0]);
    }),
  );

  it(
    'emits nothing, never ends by itself, and leaves no timer once it is unsubscribed from',
    marbles((at) => {
      at.expectObservable(expireKeys({ nextAt: () => undefined, sooner$: at.cold('--s|'), step: () => undefined, scheduler: at.timers, pause$: of(0) })).toBe('-');
      const { subscription } = harness(at, [500]);
      at.hot('-----u').subscribe(() => subscription.unsubscribe());
      at.flush();
      expect(at.timers.open).toBe(0);
    }),
  );
});
