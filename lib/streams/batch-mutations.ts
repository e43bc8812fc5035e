import { buffer, connect, Observable, timer, type OperatorFunction, type SchedulerLike, type Subscription } from 'rxjs';

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
export function batchMutations<T>(config: BatchConfig): OperatorFunction<T, T[]> {
  return connect((mutations$) => mutations$.pipe(buffer(batchEnds(mutations$, config))));
}

/** When a batch is to close. Not the three ways merged: a mutation would pass through ten functions where it is only to be counted. */
function batchEnds(mutations$: Observable<unknown>, { size, intervalMs, scheduler, flush$ }: BatchConfig): Observable<void> {
  return new Observable((subscriber) => {
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
        next: () => {
          if (++count >= size) end();
          else due ??= timer(intervalMs, scheduler).subscribe(end);
        },
        error,
      }),
    );
  });
}
