import { asyncScheduler, Observable, timer, type SchedulerLike } from 'rxjs';

/**
 * Like `timer(ms)`, but on the default scheduler it does not keep a process alive. Emits 0 after `ms` milliseconds and completes.
 */
export function quietTimer(ms: number, scheduler: SchedulerLike): Observable<0> {
  if (scheduler !== asyncScheduler) return timer(ms, scheduler);
  return new Observable((subscriber) => {
    const timeout: unknown = setTimeout(() => {
      subscriber.next(0);
      subscriber.complete();
    }, ms);
    // RxJS timers hold a Node process; a browser's timer is a number.
    if (typeof timeout === 'object' && timeout !== null && 'unref' in timeout && typeof timeout.unref === 'function') timeout.unref();
    return () => clearTimeout(timeout as ReturnType<typeof setTimeout>);
  });
}
