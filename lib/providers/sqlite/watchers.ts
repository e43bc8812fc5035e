import { Observable } from 'rxjs';

import type { Cursor, Feed } from '../provider.ts';
import { describeFailure } from './failures.ts';
import type { FeedAccess } from './feed-access.ts';
import { LogReader } from './log-reader.ts';
import type { SqliteSettings } from './options.ts';
import type { Dictionary } from './schema.ts';

export interface WatchersConfig {
  readonly access: FeedAccess;
  readonly settings: SqliteSettings;
  readonly dictionary: Dictionary;
  readonly writer: string;
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
    const { access, settings, dictionary, writer } = this.#config;
    return new Observable<Feed>(subscriber => {
      if (this.#isClosed) {
        subscriber.complete();
        return;
      }
      const tell = (feed: Feed): void => {
        subscriber.next(feed);
        if (feed.type === 'reset') subscriber.complete();
      };
      const reader = new LogReader({ settings, dictionary, writer, since, tell });
      const leave = access.join({
        pollMs: settings.pollMs,
        read: database => reader.read(database),
        fail: error => subscriber.error(describeFailure(error, `Watching ${JSON.stringify(dictionary.name)}`, settings.file)),
      });
      const end = (): void => subscriber.complete();
      this.#ends.add(end);
      subscriber.add(() => {
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
