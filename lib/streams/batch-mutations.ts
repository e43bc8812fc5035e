import { Observable, timer, type OperatorFunction, type SchedulerLike, type Subscription } from 'rxjs';

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
 * Not `bufferTime`: idle, it emits an empty array each interval for ever, cannot flush, and holds the process. Nor `buffer` with
 * the three ways merged, in which a mutation passes through ten functions where it is only to be counted.
 */
export function batchMutations<T>({ size, intervalMs, scheduler, flush$ }: BatchConfig): OperatorFunction<T, T[]> {
  return (mutations$) =>
    new Observable((subscriber) => {
      let batch: T[] = [];
      let due: Subscription | undefined;

      const stopTimer = (): void => {
        due?.unsubscribe();
        due = undefined;
      };
      /** The next batch begins before this one is passed on, as whoever receives it may make a mutation at once. */
      const close = (): void => {
        const closed = batch;
        batch = [];
        stopTimer();
        subscriber.next(closed);
      };
      const error = (cause: unknown): void => subscriber.error(cause);

      subscriber.add(stopTimer);
      subscriber.add(flush$.subscribe({ next: close, error }));
      subscriber.add(
        mutations$.subscribe({
          next: (mutation) => {
            batch.push(mutation);
            if (batch.length >= size) close();
            else due ??= timer(intervalMs, scheduler).subscribe(close);
          },
          error,
          complete: () => {
            close();
            subscriber.complete();
          },
        }),
      );
    });
}
