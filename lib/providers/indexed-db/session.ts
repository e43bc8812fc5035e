import type { Observable } from 'rxjs';

import { ProviderError } from '../../errors.ts';
import type { Batch, BatchResult } from '../../mutation.ts';
import type { Capabilities, Cursor, Entry, Feed, OpenContext, Page, ProviderSession, WriteContext } from '../provider.ts';
import { Subscriptions } from '../subscriptions.ts';
import { commitBatch } from './commit.ts';
import type { DatabaseAccess } from './database-access.ts';
import type { Dictionary } from './dictionary.ts';
import { isEntry, loadPages } from './load-pages.ts';
import { LogReader } from './log-reader.ts';
import type { Opened } from './open-dictionary.ts';
import type { ParkedBatches } from './parked-batches.ts';

/** Keys that are read in one transaction. */
const readSlice = 500;

/** Chromium takes 133,169,152 bytes a value (ran), of which a text that is not all Latin-1 has two a character. */
const maxValueBytes = 64_000_000;

export interface SessionConfig {
  readonly access: DatabaseAccess;
  readonly dictionary: Dictionary;
  readonly parked: ParkedBatches;
  readonly opened: Opened;
  readonly context: OpenContext;
  readonly release: () => Promise<void>;
}

/** One dictionary of the database. */
export class IndexedDbSession implements ProviderSession {
  readonly capabilities: Capabilities;
  readonly #access: DatabaseAccess;
  readonly #dictionary: Dictionary;
  readonly #parked: ParkedBatches;
  readonly #context: OpenContext;
  readonly #release: () => Promise<void>;
  readonly #subscriptions = new Subscriptions();
  #closed: Promise<void> | undefined;

  constructor({ access, dictionary, parked, opened, context, release }: SessionConfig) {
    this.capabilities = { shared: true, durability: opened.isStrict ? 'power' : 'process', maxValueBytes };
    this.#access = access;
    this.#dictionary = dictionary;
    this.#parked = parked;
    this.#context = context;
    this.#release = release;
  }

  load(): AsyncIterable<Page> {
    const { connection, settings } = this.#access;
    return loadPages({ connection, parked: this.#parked, dictionary: this.#dictionary, ...settings, report: this.#context.report });
  }

  async read(keys: readonly string[]): Promise<readonly Entry[]> {
    const { name } = this.#dictionary;
    const entries: Entry[] = [];
    for (let start = 0; start < keys.length; start += readSlice) {
      const found = await this.#access.connection.use(
        async (database) => {
          const transaction = database.transaction(['dictionaries', 'entries']);
          transaction.done.catch(() => undefined); // its requests tell
          const store = transaction.objectStore('entries');
          const row = transaction.objectStore('dictionaries').get(name);
          const rows = await Promise.all(keys.slice(start, start + readSlice).map((key) => store.get([name, key])));
          this.#dictionary.meet(await row);
          return rows;
        },
        { doing: `Reading ${JSON.stringify(name)}` },
      );
      entries.push(...found.filter(isEntry));
    }
    return entries;
  }

  async write(batch: Batch, { signal }: WriteContext): Promise<BatchResult> {
    const { connection, parking, feed, settings } = this.#access;
    const { name } = this.#dictionary;
    const doing = `Saving ${JSON.stringify(name)}`;
    if (signal.aborted) throw new ProviderError(`${doing} was aborted before it began.`, { kind: 'retry', cause: signal.reason });
    const underWay = parking.begin(name, batch);
    try {
      const config = { dictionary: this.#dictionary, durability: settings.durability, signal, isParked: () => underWay.isParked, place: settings.database };
      const result = await connection.use((database) => commitBatch(database, batch, config), { doing, signal });
      feed.committed(name);
      return result;
    } finally {
      parking.end(underWay);
    }
  }

  /** Of this session's own commits it tells the cursor alone. */
  watch(since: Cursor): Observable<Feed> {
    const { connection, feed } = this.#access;
    const doing = `Watching ${JSON.stringify(this.#dictionary.name)}`;
    return this.#subscriptions.watch(({ tell, fail }) => {
      const reader = new LogReader({ dictionary: this.#dictionary, writer: this.#context.writer, since, tell });
      const leave = feed.join({
        dictionary: this.#dictionary.name,
        commitParked: () => this.#parked.commit(),
        read: () => connection.use((database) => reader.read(database), { doing }),
        fail,
      });
      return () => {
        reader.end();
        return leave();
      };
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
