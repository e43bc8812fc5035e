import { buffer, connect, defer, merge, skip, startWith, Subject, switchMap, take, tap, timer, type Observable, type OperatorFunction, type SchedulerLike } from 'rxjs';

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
  return connect((mutations$) => {
    const full$ = mutations$.pipe(skip(size - 1));
    const due$ = mutations$.pipe(
      take(1),
      switchMap(() => timer(intervalMs, scheduler)),
    );
    return mutations$.pipe(buffer(inRounds(merge(full$, due$, flush$))));
  });
}

/**
 * The first emission of `end$`, and then the first of it anew, for ever. The next round begins before the emission is
 * passed on; with `repeat` it would begin after, and miss what the receiver of a batch sets at once.
 */
function inRounds(end$: Observable<unknown>): Observable<unknown> {
  return defer(() => {
    const begin$ = new Subject<unknown>();
    return begin$.pipe(
      startWith(undefined),
      switchMap(() => end$),
      tap(begin$),
    );
  });
}
