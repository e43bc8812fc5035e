import { asyncScheduler, Observable, timer, type SchedulerLike } from 'rxjs';

/**
 * Emits once, in the next macrotask, and completes: what is due by then (timers, input and output) gets its turn first.
 * `setImmediate` where there is one, as a timer of 0 ms waits for at least 1 ms; a message channel in browsers, where
 * nested timers wait for 4 ms.
 */
export const macrotask$ = new Observable<undefined>((subscriber) => {
  const tell = () => {
    subscriber.next(undefined);
    subscriber.complete();
  };
  if (typeof setImmediate === 'function') {
    const immediate = setImmediate(tell);
    return () => clearImmediate(immediate);
  }
  const { port1, port2 } = new MessageChannel();
  port1.addEventListener('message', tell);
  port1.start();
  port2.postMessage(undefined);
  return () => port1.close();
});

/** The same where time is real; where a scheduler makes it, that one's next turn. */
export function nextTurn(scheduler: SchedulerLike): Observable<unknown> {
  return scheduler === asyncScheduler ? macrotask$ : timer(0, scheduler);
}
