import { Observable, Subject } from 'rxjs';

import { ProviderError } from '../errors.ts';
import type { Batch, BatchResult } from '../mutation.ts';
import { applyBatch, type Effect } from './apply-batch.ts';
import type { Capabilities, Cursor, Entry, Feed, OpenContext, Page, Provider, ProviderSession, WriteContext } from './provider.ts';

/** Entries in a page of `load`. */
const PAGE_SIZE = 1_000;
/** Commits that a feed can resume behind. */
const LOG_LENGTH = 1_000;

/**
 * Keeps dictionaries in memory, for tests and browsers: they live as long as the provider that is returned.
 * Stores that share one see each other's changes, as if it were a database.
 *
 * @example
 * const shared = memory();
 * const first = await persistify(shared).open('settings');
 * const second = await persistify(shared).open('settings'); // hears what `first` saves
 */
export function memory(): Provider {
  const dictionaries = new Map<string, Dictionary>();
  return {
    name: 'memory',
    open(storeName: string, context: OpenContext): Promise<ProviderSession> {
      let dictionary = dictionaries.get(storeName);
      if (dictionary === undefined) dictionaries.set(storeName, (dictionary = new Dictionary()));
      return Promise.resolve(new MemorySession(dictionary, context.writer));
    },
  };
}

/** One commit as the log keeps it: which keys, not what they held, since a feed tells them as storage holds them now. */
interface LogRow extends Effect {
  readonly cursor: Cursor;
}

/** What is stored under one name, and what is needed to commit to it exactly once and to tell of it. */
class Dictionary {
  readonly table = new Map<string, Entry>();
  /** The last answer to each writer, so that a retry of what was committed is answered and not applied again. */
  readonly settled = new Map<string, { readonly number: number; readonly result: BatchResult }>();
  /** In commit order, a row a version. The first row stands for the empty beginning, so that it can be resumed behind too. */
  readonly log: LogRow[] = [{ cursor: { version: 0 }, cleared: false, keys: [] }];
  /** Rings after each commit; what there is to hear stands in the log. */
  readonly doorbell = new Subject<void>();
  version = 0;

  commit({ writer, number, mutations }: Batch): BatchResult {
    const settled = this.settled.get(writer);
    if (settled !== undefined && number <= settled.number) return settled.result;

    const { leftOut, ...effect } = applyBatch(this.table, mutations, this.version + 1, Date.now());

    // Touches alone make no version: nobody is told of them, and no `expect` fails by them.
    const changed = effect.cleared || effect.keys.length > 0;
    if (changed) this.version += 1;
    const result = { version: this.version, leftOut };
    this.settled.set(writer, { number, result });
    if (changed) this.#publish({ cursor: { version: this.version, writer, number }, ...effect });
    return result;
  }

  #publish(row: LogRow): void {
    this.log.push(row);
    if (this.log.length > LOG_LENGTH) this.log.shift();
    this.doorbell.next();
  }

  /** The place of a cursor in the log; -1 where it is not, or no longer, there. */
  placeOf(cursor: Cursor): number {
    return this.log.findLastIndex(
      ({ cursor: { version, writer, number } }) =>
        version === cursor.version &&
        (cursor.writer === undefined || cursor.writer === writer) &&
        (cursor.number === undefined || cursor.number === number),
    );
  }

  feedOf({ cursor, cleared, keys }: LogRow): Feed {
    const entries: Entry[] = [];
    const deleted: string[] = [];
    for (const key of keys) {
      const entry = this.table.get(key);
      if (entry === undefined) deleted.push(key);
      else entries.push(entry);
    }
    return { type: 'commit', cursor, cleared, entries, deleted };
  }
}

class MemorySession implements ProviderSession {
  readonly capabilities: Capabilities = { shared: true, durability: 'memory' };
  readonly #dictionary: Dictionary;
  readonly #writer: string;
  readonly #watchers = new Set<() => void>();

  constructor(dictionary: Dictionary, writer: string) {
    this.#dictionary = dictionary;
    this.#writer = writer;
  }

  async *load(): AsyncGenerator<Page, void, undefined> {
    const { version, log, table } = this.#dictionary;
    const place = log.at(-1)?.cursor ?? { version };
    const entries = [...table.values()]; // a snapshot: the table may change between two pages
    for (let from = 0; from === 0 || from < entries.length; from += PAGE_SIZE) {
      yield await Promise.resolve({ ...place, entries: entries.slice(from, from + PAGE_SIZE) });
    }
  }

  read(keys: readonly string[]): Promise<readonly Entry[]> {
    return Promise.resolve(keys.flatMap(key => this.#dictionary.table.get(key) ?? []));
  }

  async write(batch: Batch, { signal }: WriteContext): Promise<BatchResult> {
    await Promise.resolve(); // a commit is never told of within the call that asks for it
    if (signal.aborted) throw new ProviderError('The write was aborted before anything was stored.', { kind: 'retry', cause: signal.reason });
    return this.#dictionary.commit(batch);
  }

  /**
   * Tells this session's own commits too: by them the core knows which of its writes the feed has passed,
   * and it applies only versions above those that it has.
   */
  watch(since: Cursor): Observable<Feed> {
    const dictionary = this.#dictionary;
    return new Observable<Feed>(subscriber => {
      let cursor = since;
      // Always from the log and never from the news itself, so that a commit made while one is being told is neither missed nor told twice.
      const tellNews = (): void => {
        while (!subscriber.closed) {
          const place = dictionary.placeOf(cursor);
          if (place === -1) {
            subscriber.next({ type: 'reset' });
            subscriber.complete();
            return;
          }
          const row = dictionary.log[place + 1];
          if (row === undefined) return;
          cursor = row.cursor;
          subscriber.next(dictionary.feedOf(row));
        }
      };
      const complete = (): void => subscriber.complete();
      this.#watchers.add(complete);
      subscriber.add(() => this.#watchers.delete(complete));
      subscriber.add(dictionary.doorbell.subscribe(tellNews));
      tellNews();
    });
  }

  close(): Promise<void> {
    this.#dictionary.settled.delete(this.#writer); // no retry comes after it
    for (const complete of [...this.#watchers]) complete();
    return Promise.resolve();
  }
}
