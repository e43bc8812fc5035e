import { buffer, merge, repeat, share, skip, switchMap, take, timer, type Observable, type OperatorFunction, type SchedulerLike } from 'rxjs';

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
 * with each batch. Holds no timer and emits nothing while idle; completion gives what is left.
 *
 * Not `bufferTime`: idle, it emits an empty array each interval for ever, cannot flush, and holds the process.
 */
export function batchMutations<T>({ size, intervalMs, scheduler, flush$ }: BatchConfig): OperatorFunction<T, T[]> {
  return (mutations$) => {
    const shared$ = mutations$.pipe(share());
    const full$ = shared$.pipe(skip(size - 1));
    const due$ = shared$.pipe(
      take(1),
      switchMap(() => timer(intervalMs, scheduler)),
    );
    return shared$.pipe(buffer(merge(full$, due$, flush$).pipe(take(1), repeat())));
  };
}
