import { asyncScheduler, concat, map, NEVER, Observable, of, throwError, timer, type Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';

import type { CommitFeed, Cursor, Feed } from '../../lib/providers/provider.ts';
import { followFeed } from '../../lib/streams/follow-feed.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

const reset: Feed = { type: 'reset' };

function commit(version: number): CommitFeed {
  return { type: 'commit', cursor: cursorOf(version), cleared: false, entries: [], deleted: [] };
}

function cursorOf(version: number): Cursor {
  return { version, writer: 'w', number: version };
}

/** A following, and all that it does, with the time in milliseconds. */
class Following {
  readonly told: string[] = [];
  readonly #begunAt = Date.now();
  readonly #subscription: Subscription;

  /** @param feeds what each subscription to the feed hears, in turn; then silence. */
  constructor(feeds: readonly Observable<Feed>[], read: () => Promise<Cursor> = () => Promise.resolve(cursorOf(9))) {
    const waiting = [...feeds];
    this.#subscription = followFeed({
      place: cursorOf(1),
      watch: (since) => {
        this.tell(`behind ${since.version} of ${since.writer ?? 'nobody'} ${since.number ?? ''}`);
        return waiting.shift() ?? NEVER;
      },
      onCommit: ({ cursor }) => this.tell(`commit ${cursor.version}`),
      readAnew: () => {
        this.tell('reads');
        return read();
      },
      onError: (error) => this.tell(String(error)),
      delayMs: 100,
      maxDelayMs: 300,
      random: () => 0.999,
      scheduler: asyncScheduler,
    }).subscribe();
    onTestFinished(() => this.leave());
  }

  tell(what: string): void {
    this.told.push(`${Date.now() - this.#begunAt}: ${what}`);
  }

  /** When it read storage anew. */
  get readAt(): readonly number[] {
    return this.told.flatMap((line) => (line.endsWith(': reads') ? [Number.parseInt(line, 10)] : []));
  }

  leave(): void {
    this.#subscription.unsubscribe();
  }
}

describe('followFeed', () => {
  beforeEach(useVirtualTime);
  afterEach(() => void vi.useRealTimers());

  it('goes on behind the place that was read, with who committed it, and behind each commit', async () => {
    const following = new Following([concat(of(commit(2)), throwError(() => new Error('lost')))]);
    await vi.advanceTimersByTimeAsync(100);
    expect(following.told).toEqual(['0: behind 1 of w 1', '0: commit 2', '0: Error: lost', '100: behind 2 of w 2']);
  });

  it('has storage read anew at a reset, and goes on behind what was read, with who committed it', async () => {
    const following = new Following([concat(of(commit(2), reset), NEVER)]);
    await vi.advanceTimersByTimeAsync(0);
    expect(following.told).toEqual(['0: behind 1 of w 1', '0: commit 2', '0: reads', '0: behind 9 of w 9']);
  });

  it('waits before it reads anew where one reset leads straight to another, twice as long each time, up to a bound', async () => {
    const following = new Following([of(reset), of(reset), of(reset), of(reset), of(reset), concat(of(commit(10)), NEVER)]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(following.readAt).toEqual([0, 100, 300, 600, 900]);
    expect(following.told.slice(-2)).toEqual(['900: behind 9 of w 9', '900: commit 10']);
  });

  it('reads anew at once where the feed has told something since it last did, or has held for as long as the wait would be', async () => {
    const resetAfter = (ms: number): Observable<Feed> => timer(ms).pipe(map(() => reset));
    const following = new Following([of(reset), resetAfter(100), of(commit(10), reset), of(reset), resetAfter(200), of(reset), NEVER]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(following.readAt).toEqual([0, 100, 100, 200, 400, 500]);
  });

  it('takes up a feed that breaks, or ends, after a wait that doubles up to its bound, and begins anew after a commit', async () => {
    const broken$ = throwError(() => new Error('lost'));
    const following = new Following([broken$, broken$, broken$, concat(of(commit(2)), broken$), of(commit(3))]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(following.told.filter((line) => line.includes('behind'))).toEqual([
      '0: behind 1 of w 1',
      '100: behind 1 of w 1',
      '300: behind 1 of w 1',
      '600: behind 1 of w 1',
      '700: behind 2 of w 2',
      '800: behind 3 of w 3',
    ]);
  });

  it('tries to read anew until it can', async () => {
    let attempts = 0;
    const following = new Following([of(commit(2), reset)], () => (++attempts < 3 ? Promise.reject(new Error('away')) : Promise.resolve(cursorOf(9))));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(following.told.slice(2)).toEqual(['0: reads', '0: Error: away', '100: reads', '100: Error: away', '300: reads', '300: behind 9 of w 9']);
  });

  it('leaves no subscription and no timer behind', async () => {
    let isWatched = false;
    const watched$ = new Observable<Feed>(() => {
      isWatched = true;
      return () => (isWatched = false);
    });
    const [waiting, watching] = [new Following([throwError(() => new Error('lost'))]), new Following([watched$])];
    await vi.advanceTimersByTimeAsync(0);
    expect([vi.getTimerCount(), isWatched]).toEqual([1, true]);
    waiting.leave();
    watching.leave();
    expect([vi.getTimerCount(), isWatched]).toEqual([0, false]);
  });
});
