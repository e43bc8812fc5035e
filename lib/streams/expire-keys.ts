import { concatMap, defer, EMPTY, ignoreElements, NEVER, of, repeat, startWith, switchMap, take, takeWhile, type Observable, type SchedulerLike } from 'rxjs';

import { quietTimer } from './quiet-timer.ts';

export interface ExpireConfig {
  /** When something is to be done next, by the scheduler's clock; `undefined`: nothing will be. */
  readonly nextAt: () => number | undefined;
  /** Emits when that has become earlier than it was told. */
  readonly sooner$: Observable<unknown>;
  /** Does a part of what is due, too short to be felt. */
  readonly step: () => void;
  readonly scheduler: SchedulerLike;
  /** Lies between consecutive steps, so that much that is due at once does not hold the event loop. */
  readonly pause$: Observable<unknown>;
}

/**
 * No timer waits longer: beyond 2^31 ms `setTimeout` fires at once, and when the clock is set forward, what has ended by it
 * is told this much late at most.
 */
const LONGEST_WAIT_MS = 60_000;

/** Steps when something is due. Holds one timer at most, which does not keep a process alive; emits nothing and never ends. */
export function expireKeys({ nextAt, sooner$, step, scheduler, pause$ }: ExpireConfig): Observable<never> {
  const wait$ = defer(() => {
    const at = nextAt();
    return at === undefined ? NEVER : quietTimer(Math.min(Math.max(at - scheduler.now(), 0), LONGEST_WAIT_MS), scheduler);
  });
  const isDue = (): boolean => {
    const at = nextAt();
    return at !== undefined && at <= scheduler.now();
  };
  const step$ = defer(() => {
    step();
    return isDue() ? pause$.pipe(take(1)) : of(undefined);
  });
  const steps$ = defer(() => (isDue() ? step$.pipe(repeat(), takeWhile(isDue), ignoreElements()) : EMPTY));
  return sooner$.pipe(
    startWith(undefined),
    switchMap(() => wait$.pipe(concatMap(() => steps$), repeat())),
  );
}
