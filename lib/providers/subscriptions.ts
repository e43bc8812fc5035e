import { Observable } from 'rxjs';

import type { Feed } from './provider.ts';

/** Who watches what is committed. */
export interface Subscription {
  /** After a reset, nothing more is heard. */
  readonly tell: (feed: Feed) => void;
  readonly fail: (error: unknown) => void;
}

/** Gives up what a subscription takes. Never rejects. */
export type Leave = () => Promise<void>;

/** The subscriptions to the feed of one session, which end with it. */
export class Subscriptions {
  readonly #ends = new Set<() => void>();
  readonly #leaving = new Set<Promise<void>>();
  #isClosed = false;

  /** @param join begins to tell a subscriber; nothing is returned where there is nothing to leave. */
  watch(join: (subscription: Subscription) => Leave | undefined): Observable<Feed> {
    return new Observable<Feed>((subscriber) => {
      if (this.#isClosed) {
        subscriber.complete();
        return;
      }
      const leave = join({
        tell: (feed) => {
          subscriber.next(feed);
          if (feed.type === 'reset') subscriber.complete();
        },
        fail: (error) => subscriber.error(error),
      });
      const end = (): void => subscriber.complete();
      this.#ends.add(end);
      subscriber.add(() => {
        this.#ends.delete(end);
        if (leave === undefined) return;
        const leaving = leave().finally(() => this.#leaving.delete(leaving));
        this.#leaving.add(leaving);
      });
    });
  }

  /** Completes all of them; done when nothing is held for them any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const end of [...this.#ends]) end();
    await Promise.all(this.#leaving);
  }
}
