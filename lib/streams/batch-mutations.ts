import { buffer, defer, Observable, timer, type OperatorFunction, type SchedulerLike, type Subscriber, type Subscription } from 'rxjs';

export interface BatchConfig {
  /** A batch closes with this many. */
  readonly size: number;
  /** A batch closes this long after its first. */
  readonly intervalMs: number;
  readonly scheduler: SchedulerLike;
  /** Closes the batch at each emission, be it empty: what waits for an earlier batch is tried again then. */
  readonly flush$: Observable<unknown>;
}

/**
 * Gathers into batches by size, by time from the first, and on demand, whichever comes first; each way begins anew
 * with each batch. Holds no timer and emits nothing while idle; completion closes the last batch, be it empty.
 *
 * Not `bufferTime`: idle, it emits an empty array each interval for ever, cannot flush, and holds the process.
 */
export function batchMutations<T>({ size, intervalMs, scheduler, flush$ }: BatchConfig): OperatorFunction<T, T[]> {
  return (mutations$) =>
    defer(() => {
      let target: Subscriber<T>;
      const gathered$ = new Observable<T>((subscriber) => void (target = subscriber));
      // `buffer` subscribes to those first, and then to what closes the batches, which passes on and counts in one go: a source
      // shared by both would tell each mutation twice, for as much as it takes to write it.
      const ends$ = new Observable<void>((subscriber) => {
        let count = 0;
        let due: Subscription | undefined;

        const stopTimer = (): void => {
          due?.unsubscribe();
          due = undefined;
        };
        /** The next batch begins before this one is passed on, as whoever receives it may make a mutation at once. */
        const end = (): void => {
          count = 0;
          stopTimer();
          subscriber.next();
        };
        const error = (cause: unknown): void => subscriber.error(cause);

        subscriber.add(stopTimer);
        subscriber.add(flush$.subscribe({ next: end, error }));
        subscriber.add(
          mutations$.subscribe({
            next: (mutation) => {
              target.next(mutation);
              if (++count >= size) end();
              else due ??= timer(intervalMs, scheduler).subscribe(end);
            },
            error,
            complete: () => target.complete(),
          }),
        );
      });
      return gathered$.pipe(buffer(ends$));
    });
}
