import { asyncScheduler, Observable, timer, type SchedulerLike } from 'rxjs';

/**
 * Like `timer(ms)`, but on the default scheduler it does not keep a process alive. Emits 0 after `ms` milliseconds and completes.
 */
export function quietTimer(ms: number, scheduler: SchedulerLike): Observable<0> {
  if (scheduler !== asyncScheduler) return timer(ms, scheduler);
  return new Observable((subscriber) => {
    const timeout = setTimeout(() => {
      subscriber.next(0);
      subscriber.complete();
    }, ms);
    letGo(timeout);
    return () => clearTimeout(timeout);
  });
}

/** A timer of Node holds the process; one of a browser is a number. */
function letGo(timeout: { readonly unref: () => unknown } | number): void {
  if (typeof timeout !== 'number') timeout.unref();
}
