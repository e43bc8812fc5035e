import { Observable } from 'rxjs';

import type { Cursor, Feed } from '../provider.ts';
import { describeFailure } from './failures.ts';
import { LogReader, type LogReaderConfig } from './log-reader.ts';
import type { ServerFeed } from './server-feed.ts';

export interface WatchersConfig extends Omit<LogReaderConfig, 'since' | 'tell'> {
  readonly feed: ServerFeed;
  readonly payload: string;
  /** For messages. */
  readonly place: string;
}

/** The subscriptions to the feed of one session. */
export class Watchers {
  readonly #config: WatchersConfig;
  readonly #ends = new Set<() => void>();
  readonly #leaving = new Set<Promise<void>>();
  #isClosed = false;

  constructor(config: WatchersConfig) {
    this.#config = config;
  }

  watch(since: Cursor): Observable<Feed> {
    const { feed, payload, place, dictionary } = this.#config;
    return new Observable<Feed>((subscriber) => {
      if (this.#isClosed) {
        subscriber.complete();
        return;
      }
      const tell = (told: Feed): void => {
        subscriber.next(told);
        if (told.type === 'reset') subscriber.complete();
      };
      const reader = new LogReader({ ...this.#config, since, tell });
      const leave = feed.join({
        payload,
        read: (query) => reader.read(query),
        fail: (error) => subscriber.error(describeFailure(error, { doing: `Watching ${JSON.stringify(dictionary.name)}`, place })),
      });
      const end = (): void => subscriber.complete();
      this.#ends.add(end);
      subscriber.add(() => {
        reader.end();
        this.#ends.delete(end);
        const leaving = leave().finally(() => this.#leaving.delete(leaving));
        this.#leaving.add(leaving);
      });
    });
  }

  /** Completes every subscription; done when nothing is held for them any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const end of [...this.#ends]) end();
    await Promise.all(this.#leaving);
  }
}
