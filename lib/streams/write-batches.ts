import {
  catchError,
  concat,
  concatMap,
  connect,
  defaultIfEmpty,
  defer,
  EMPTY,
  filter,
  finalize,
  ignoreElements,
  map,
  merge,
  of,
  Subject,
  switchMap,
  take,
  takeUntil,
  tap,
  throwIfEmpty,
  type Observable,
  type ObservableInput,
  type OperatorFunction,
  type SchedulerLike,
} from 'rxjs';

import { backoff } from './backoff.ts';
import { quietTimer } from './quiet-timer.ts';

/** What is done between two batches, such as loading anew. `settled` is false if the batch at the head still is not saved. */
export type BetweenBatches = (settled: boolean) => ObservableInput<unknown>;

export interface WriteConfig<B, R> {
  /** Hands over all that is pending as one batch, or `undefined` if nothing is. Called when the sink is ready for it. */
  readonly takeBatch: () => B | undefined;
  /** One attempt. Called again, with the same batch, after one that failed and has settled. */
  readonly write: (batch: B) => ObservableInput<R>;
  readonly retryable: (error: unknown) => boolean;
  readonly maxAttempts: number;
  readonly delayMs: number;
  readonly maxDelayMs: number;
  /** How long after the attempts are spent one more is made, if nothing else asks for one earlier. */
  readonly probeMs: number;
  readonly random: () => number;
  readonly scheduler: SchedulerLike;
  /** Lies between consecutive batches, so that awaiting saves in a loop never starves the event loop. */
  readonly pause$: Observable<unknown>;
  /** What to do when no batch is under way, after everything asked for before. The doing must not error. */
  readonly between$: Observable<BetweenBatches>;
}

/** What becomes of the batches, in order. */
export type WriteEvent<B, R> =
  | { readonly type: 'started'; readonly batch: B }
  | WriteFailure<B>
  | { readonly type: 'saved'; readonly batch: B; readonly result: R; readonly attempts: number; readonly durationMs: number };

export interface WriteFailure<B> {
  readonly type: 'failed';
  readonly batch: B;
  readonly error: unknown;
  readonly attempt: number;
  readonly maxAttempts: number;
  /** Whether another attempt of this series follows, after `delayMs`. If not, the batch stays at the head. */
  readonly willRetry: boolean;
  readonly delayMs: number;
}

/** Makes the one attempt of a probe, which must not keep a process alive. */
const PROBE = Symbol('probe');

/**
 * Takes what is pending at each emission of the source and writes it, one batch at a time, with backoff. A batch whose
 * attempts are spent stays at the head, because its outcome may be unknown and must be settled before anything newer
 * is written: it is tried again at the next emission and by a slow probe. Never errors.
 */
export function writeBatches<B, R>(config: WriteConfig<B, R>): OperatorFunction<unknown, WriteEvent<B, R>> {
  const { takeBatch, write, scheduler, pause$, probeMs, between$ } = config;

  return connect((closings$) => {
    let head: B | undefined;
    let asked = false;
    const spent$ = new Subject<boolean>();
    /** What there is to tell before a series of attempts has ended. One for all, as a lone write is to take little time. */
    const news$ = new Subject<WriteEvent<B, R>>();
    const rest$ = pause$.pipe(take(1), ignoreElements());

    /** The batch at the head; if that one had been left over, then also what has gathered behind it. */
    const drain = (maxAttempts: number): Observable<WriteEvent<B, R>> =>
      defer(() => {
        const isLeftOver = head !== undefined;
        head ??= takeBatch();
        if (head === undefined) return EMPTY;
        spent$.next(false);
        news$.next({ type: 'started', batch: head });
        const outcome$ = attempt(head, write, { ...config, maxAttempts }, (failure) => news$.next(failure)).pipe(
          tap(({ type }) => {
            if (type === 'saved') head = undefined;
            else spent$.next(true);
          }),
        );
        if (!isLeftOver) return concat(outcome$, rest$);
        return concat(outcome$, rest$, defer(() => (head === undefined ? drain(config.maxAttempts) : EMPTY)));
      });

    const ended$ = closings$.pipe(ignoreElements(), defaultIfEmpty(undefined));
    const probe$ = spent$.pipe(
      switchMap((areSpent) => (areSpent ? quietTimer(probeMs, scheduler) : EMPTY)),
      takeUntil(ended$),
      map(() => PROBE),
    );
    // What is asked for while one drain already waits in the queue is part of that one.
    const demand$ = closings$.pipe(
      filter(() => !asked),
      map(() => {
        asked = true;
        return undefined;
      }),
    );

    // The probe is subscribed to first, so that it sees the end before the source's last batch is written.
    const outcomes$ = merge(probe$, between$.pipe(takeUntil(ended$)), demand$).pipe(
      concatMap((turn) => {
        if (turn === PROBE) return defer(() => (head === undefined ? EMPTY : drain(1)));
        if (typeof turn === 'function') {
          const settleHead$ = defer(() => (head === undefined ? EMPTY : drain(config.maxAttempts)));
          return concat(settleHead$, defer(() => turn(head === undefined)).pipe(ignoreElements()));
        }
        return defer(() => {
          asked = false;
          return drain(config.maxAttempts);
        });
      }),
      finalize(() => news$.complete()),
    );
    return merge(news$, outcomes$);
  });
}

/** One series of attempts to write one batch, ending in `saved` or in a failure that no retry follows; `onFailure` is told the others. */
function attempt<B, R>(
  batch: B,
  write: (batch: B) => ObservableInput<R>,
  { maxAttempts, delayMs, maxDelayMs, retryable, random, scheduler }: WriteConfig<B, R>,
  onFailure: (failure: WriteFailure<B>) => void,
): Observable<WriteEvent<B, R>> {
  const startedAt = scheduler.now();
  let attempts = 0;
  return defer(() => {
    attempts++;
    return write(batch);
  }).pipe(
    take(1),
    throwIfEmpty(() => new Error('write() ended without a result.')),
    map((result): WriteEvent<B, R> => ({ type: 'saved', batch, result, attempts, durationMs: scheduler.now() - startedAt })),
    backoff({
      maxAttempts,
      delayMs,
      maxDelayMs,
      scheduler,
      random,
      retryable,
      onRetry: (error, attempt, wait) => onFailure({ type: 'failed', batch, error, attempt, maxAttempts, willRetry: true, delayMs: wait }),
    }),
    catchError((error: unknown) => of<WriteEvent<B, R>>({ type: 'failed', batch, error, attempt: attempts, maxAttempts, willRetry: false, delayMs: 0 })),
  );
}
