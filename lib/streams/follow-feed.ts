import { catchError, concat, concatMap, defer, EMPTY, of, repeat, takeWhile, type Observable, type SchedulerLike } from 'rxjs';

import type { CommitFeed, Cursor, Feed } from '../providers/provider.ts';
import { jitteredDelay, longestDelay } from './backoff.ts';
import { quietTimer } from './quiet-timer.ts';

export interface FollowConfig {
  /** Up to where storage was read. */
  readonly place: Cursor;
  readonly watch: (since: Cursor) => Observable<Feed>;
  /** Told of each commit, in order. */
  readonly onCommit: (commit: CommitFeed) => void;
  /** Reads storage anew; resolves to the place read. */
  readonly readAnew: () => Promise<Cursor>;
  /** Told when the feed broke, or storage could not be read; for which time in a row, and how long until it is tried again. */
  readonly onError: (error: unknown, attempt: number, delayMs: number) => void;
  /** The bound of the first wait after it broke, in milliseconds; it doubles. */
  readonly delayMs: number;
  readonly maxDelayMs: number;
  readonly random: () => number;
  readonly scheduler: SchedulerLike;
}

/**
 * Follows what is committed, from where it was read. A feed that breaks or ends is taken up again with backoff; one that
 * cannot go on from where it was (`reset`) has storage read anew: at once, but with backoff where one reset leads straight to
 * another, as that would go on without end. Emits nothing and never ends.
 */
export function followFeed({ place, watch, onCommit, readAnew, onError, delayMs, maxDelayMs, random, scheduler }: FollowConfig): Observable<never> {
  let since = place;
  /** Storage is to be read anew. */
  let isLost = false;
  /** In a row: that it broke, or storage could not be read; and that it could not go on from what had just been read anew. */
  let failures = 0;
  let resets = 0;
  /** When storage was read anew, if nothing was told since. */
  let readAt = -Infinity;
  const hasLedStraight = (): boolean => scheduler.now() - readAt < longestDelay(resets + 1, { delayMs, maxDelayMs });
  /** How long a failure was told to be waited for. */
  let toldMs: number | undefined;

  const waitMs = (): number => {
    const ms = toldMs ?? jitteredDelay(Math.max(failures, resets, 1), { delayMs, maxDelayMs, random });
    toldMs = undefined;
    return ms;
  };
  const reading$ = defer(() => (isLost ? readAnew() : EMPTY)).pipe(
    concatMap((placeRead) => {
      since = placeRead;
      isLost = false;
      failures = 0;
      readAt = scheduler.now();
      return EMPTY;
    }),
  );
  const commits$ = defer(() => watch(since)).pipe(
    takeWhile((feed) => feed.type === 'commit', true),
    concatMap((feed) => {
      if (feed.type === 'reset') {
        isLost = true;
        resets = hasLedStraight() ? resets + 1 : 0;
      } else {
        onCommit(feed);
        since = feed.cursor;
        failures = 0;
        resets = 0;
        readAt = -Infinity;
      }
      return EMPTY;
    }),
  );
  return defer(() => concat(reading$, commits$)).pipe(
    catchError((error: unknown) => {
      failures++;
      toldMs = waitMs();
      onError(error, failures, toldMs);
      return EMPTY;
    }),
    repeat({ delay: () => (isLost && failures === 0 && resets === 0 ? of(undefined) : quietTimer(waitMs(), scheduler)) }),
  );
}
