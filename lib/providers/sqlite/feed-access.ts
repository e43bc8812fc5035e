import { realpathSync } from 'node:fs';

import type { Driver } from './driver.ts';
import { FileFeed, type FeedListener } from './file-feed.ts';
import type { SqliteSettings } from './options.ts';

/** By the real path of the file: providers that name one file by two paths have one feed. */
const feeds = new Map<string, FileFeed>();

/** A provider's way to the feed of its file, which it shares with every other one of the process. */
export class FeedAccess {
  readonly #driver: Driver;
  readonly #settings: SqliteSettings;
  readonly #path: string;

  /** @throws if the file is not there. */
  constructor(driver: Driver, settings: SqliteSettings) {
    this.#driver = driver;
    this.#settings = settings;
    this.#path = realpathSync(settings.file);
  }

  /** Returns what ends it, and is done when nothing is held for it any more. */
  join(listener: FeedListener): () => Promise<void> {
    let feed = feeds.get(this.#path);
    if (feed === undefined) feeds.set(this.#path, (feed = new FileFeed(this.#driver, this.#settings, this.#path, () => feeds.delete(this.#path))));
    return feed.join(listener);
  }

  /** A session of the provider has committed something. */
  committed(): void {
    feeds.get(this.#path)?.committed();
  }
}
