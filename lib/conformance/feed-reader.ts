import type { Subscription } from 'rxjs';

import type { CommitFeed, Cursor, Entry, Feed } from '../providers/provider.ts';
import { ConformanceError, fail, isAbove } from './assertions.ts';
import type { OpenDictionary } from './open-dictionary.ts';

/** Subscribes to a session's feed, and holds what the dictionary is after it, by the core's rule: only higher versions apply. */
export class FeedReader {
  readonly commits: CommitFeed[] = [];
  readonly #texts = new Map<string, { readonly json: string; readonly version: number }>();
  readonly #dictionary: OpenDictionary;
  readonly #subscription: Subscription;
  #wasReset = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  /** From what the session loads now. */
  static async fromLoad(dictionary: OpenDictionary): Promise<FeedReader> {
    const { place, entries } = await dictionary.load();
    const reader = new FeedReader(dictionary, place);
    for (const entry of entries.values()) reader.#apply(entry);
    return reader;
  }

  constructor(dictionary: OpenDictionary, since: Cursor) {
    this.#dictionary = dictionary;
    const { session } = dictionary;
    if (session.watch === undefined) fail('`watch`: expected the session to have it, but it has not');
    let last = since.version;
    this.#subscription = session.watch(since).subscribe({
      next: feed => {
        try {
          if (feed.type === 'commit') isAbove(feed.cursor.version, last, 'the version of a later commit in the feed');
          last = feed.type === 'commit' ? feed.cursor.version : last;
          this.#take(feed);
        } catch (error) {
          this.#fail(error); // a throw in here would never reach the test
        }
        this.#wake();
      },
      error: (error: unknown) => {
        this.#fail(error);
        this.#wake();
      },
    });
  }

  /** The stored texts by key, as far as the feed has told. */
  get texts(): ReadonlyMap<string, string> {
    return new Map([...this.#texts].map(([key, { json }]) => [key, json]));
  }

  /** Waits until the feed has told the commit of this version. */
  async reaches(version: number): Promise<void> {
    await this.#until(() => (this.commits.at(-1)?.cursor.version ?? 0) >= version, `the commit ${version} in the feed`);
    if (this.#wasReset) fail(`the feed: expected the commit ${version}, but got a reset`);
  }

  async isReset(): Promise<void> {
    await this.#until(() => this.#wasReset, 'a reset in the feed');
  }

  unsubscribe(): void {
    this.#subscription.unsubscribe();
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const waiting = async (): Promise<void> => {
      while (!condition() && !this.#wasReset && this.#failure === undefined) {
        await new Promise<void>(resolve => {
          this.#wake = resolve;
        });
      }
    };
    await this.#dictionary.inTime(waiting(), what);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new ConformanceError(`the feed: expected no error, but got ${String(error)}`);
  }

  #take(feed: Feed): void {
    if (feed.type === 'reset') {
      this.#wasReset = true;
      return;
    }
    this.commits.push(feed);
    const { version } = feed.cursor;
    const isOlder = (key: string): boolean => (this.#texts.get(key)?.version ?? 0) < version;
    if (feed.cleared) for (const key of [...this.#texts.keys()]) if (isOlder(key)) this.#texts.delete(key);
    for (const key of feed.deleted) if (isOlder(key)) this.#texts.delete(key);
    for (const entry of feed.entries) this.#apply(entry);
  }

  #apply({ key, json, version }: Entry): void {
    if ((this.#texts.get(key)?.version ?? 0) < version) this.#texts.set(key, { json, version });
  }
}
