import { setImmediate as macrotask } from 'node:timers/promises';

import type { Observable } from 'rxjs';

import type { Batch, BatchResult } from '../../mutation.ts';
import type { Capabilities, Cursor, Entry, Feed, OpenContext, Page, ProviderSession, WriteContext } from '../provider.ts';
import { packBatch } from '../packed-batch.ts';
import { Subscriptions } from '../subscriptions.ts';
import { abandoned } from './commit.ts';
import type { DatabaseAccess } from './database-access.ts';
import { describeFailure } from './failures.ts';
import { loadPages } from './load-pages.ts';
import { LogReader } from './log-reader.ts';
import type { SqliteSettings } from './options.ts';
import { maxValueBytes } from './rows.ts';
import type { Dictionary } from './schema.ts';

/** Keys that are read at a stretch. */
const readSlice = 500;

/** One dictionary of the file. */
export class SqliteSession implements ProviderSession {
  readonly capabilities: Capabilities;
  readonly #access: DatabaseAccess;
  readonly #settings: SqliteSettings;
  readonly #dictionary: Dictionary;
  readonly #context: OpenContext;
  readonly #release: () => Promise<void>;
  readonly #subscriptions = new Subscriptions();
  #closed: Promise<void> | undefined;

  constructor(access: DatabaseAccess, settings: SqliteSettings, dictionary: Dictionary, context: OpenContext, release: () => Promise<void>) {
    this.capabilities = { shared: true, durability: settings.durability === 'full' ? 'power' : 'process', maxValueBytes };
    this.#access = access;
    this.#settings = settings;
    this.#dictionary = dictionary;
    this.#context = context;
    this.#release = release;
  }

  load(): AsyncIterable<Page> {
    return loadPages(this.#access.driver, this.#settings, this.#dictionary, this.#context.report);
  }

  async read(keys: readonly string[]): Promise<readonly Entry[]> {
    const entries: Entry[] = [];
    for (let start = 0; start < keys.length; start += readSlice) {
      if (start > 0) await macrotask();
      entries.push(...this.#access.reader.read(this.#dictionary, keys.slice(start, start + readSlice)));
    }
    return entries;
  }

  async write(batch: Batch, { signal }: WriteContext): Promise<BatchResult> {
    if (signal.aborted) throw abandoned();
    const result = await this.#access.committer.write(this.#dictionary, packBatch(batch), signal);
    this.#access.feed.committed();
    return result;
  }

  /**
   * Of this session's own commits it tells the cursor alone: what they set is known here, and would be read and parsed once more.
   */
  watch(since: Cursor): Observable<Feed> {
    const { pollMs, file } = this.#settings;
    const dictionary = this.#dictionary;
    return this.#subscriptions.watch(({ tell, fail }) => {
      const reader = new LogReader({ settings: this.#settings, dictionary, writer: this.#context.writer, since, tell });
      return this.#access.feed.join({
        pollMs,
        read: (database) => reader.read(database),
        fail: (error) => fail(describeFailure(error, `Watching ${JSON.stringify(dictionary.name)}`, file)),
      });
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#subscriptions.close();
    await this.#release();
  }
}
