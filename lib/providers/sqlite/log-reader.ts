import { LogPlace } from '../log-place.ts';
import type { CommitFeed, Cursor, Entry, Feed } from '../provider.ts';
import type { Sliced } from './commit.ts';
import type { Database } from './driver.ts';
import { LogStatements, type LogRow } from './log-statements.ts';
import type { SqliteSettings } from './options.ts';
import type { Dictionary } from './schema.ts';

/** Rows that are read in one transaction: as long as it lasts, the write-ahead log cannot be begun anew. */
const transactionRows = 20_000;

/** One by one: parsing a list of 100,000 keys at once takes up to 12 ms (ran). */
const keyInList = /"[^"\\]*(?:\\.[^"\\]*)*"/g;

export interface LogReaderConfig {
  readonly settings: SqliteSettings;
  readonly dictionary: Dictionary;
  /** The session's own. */
  readonly writer: string;
  readonly since: Cursor;
  readonly tell: (feed: Feed) => void;
}

/** Tells what was committed to a dictionary behind a cursor, from the log and from nothing else. */
export class LogReader {
  readonly #config: LogReaderConfig;
  readonly #place: LogPlace;
  #statements: LogStatements | undefined;

  constructor(config: LogReaderConfig) {
    this.#config = config;
    this.#place = new LogPlace(config.since);
  }

  /** Reads on, in an open transaction; pauses at each row. Returns whether there is more, for another transaction. */
  *read(database: Database): Sliced<boolean> {
    if (this.#statements?.database !== database) this.#statements = new LogStatements(database, this.#config.dictionary, this.#config.settings);
    const statements = this.#statements;
    const head = statements.head.find();
    if (head === undefined || !this.#place.isKept(head, statements.place(this.#place.version))) return this.#reset();
    let rows = 0;
    while (this.#place.version < head) {
      if (rows > transactionRows) return true;
      const row = statements.row(this.#place.version + 1, this.#config.writer);
      if (row === undefined) return this.#reset();
      const commit = yield* this.#commitOf(row, statements);
      rows += 1 + commit.entries.length + commit.deleted.length;
      this.#place.moveTo(row.cursor);
      this.#config.tell(commit);
      yield;
    }
    return false;
  }

  #reset(): false {
    this.#config.tell({ type: 'reset' });
    return false;
  }

  *#commitOf({ cursor, keys }: LogRow, statements: LogStatements): Sliced<CommitFeed> {
    const entries: Entry[] = [];
    const deleted: string[] = [];
    const isOwn = cursor.writer === this.#config.writer;
    if (keys === undefined && !isOwn) {
      // The log does not say what it set. What later commits have set is among it, as what it set itself may be: told without that, a
      // key that it set and a later one has changed would seem to go, and to come back with the later one.
      for (const entry of statements.entriesSince(cursor.version)) {
        if (entry !== undefined) entries.push(entry);
        yield;
      }
    }
    if (keys !== undefined && !isOwn) {
      for (const [text] of keys.matchAll(keyInList)) {
        const key = String(JSON.parse(text));
        const entry = statements.entry(key);
        if (entry === undefined) deleted.push(key);
        else entries.push(entry);
        yield;
      }
    }
    return { type: 'commit', cursor, cleared: keys === undefined && !isOwn, entries, deleted };
  }
}
