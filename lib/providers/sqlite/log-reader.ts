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

/**
 * Tells what was committed to a dictionary behind a cursor, from the log and from nothing else: each version has a row there, so
 * that one that is not there was pruned, or belongs to a past that a restored file does not have.
 */
export class LogReader {
  readonly #config: LogReaderConfig;
  #cursor: Cursor;
  /** Whether the log is to hold the row of the cursor. It has none of the empty beginning, nor of a table that was taken over. */
  #isLogged: boolean | undefined;
  #statements: LogStatements | undefined;

  constructor(config: LogReaderConfig) {
    this.#config = config;
    this.#cursor = config.since;
  }

  /** Reads on, in an open transaction; pauses at each row. Returns whether there is more, for another transaction. */
  *read(database: Database): Sliced<boolean> {
    if (this.#statements?.database !== database) this.#statements = new LogStatements(database, this.#config.dictionary, this.#config.settings);
    const statements = this.#statements;
    const head = statements.head.find();
    if (head === undefined || !this.#finds(this.#cursor, head, statements)) return this.#reset();
    let rows = 0;
    while (this.#cursor.version < head) {
      if (rows > transactionRows) return true;
      const row = statements.row(this.#cursor.version + 1);
      if (row === undefined) return this.#reset();
      const commit = yield* this.#commitOf(row, statements);
      rows += 1 + commit.entries.length + commit.deleted.length;
      this.#cursor = row.cursor;
      this.#isLogged = true;
      this.#config.tell(commit);
      yield;
    }
    return false;
  }

  /** Whether the file still has the past that the cursor stands for. */
  #finds(cursor: Cursor, head: number, statements: LogStatements): boolean {
    const { version, writer, number } = cursor;
    const found = statements.place(version);
    if (found === undefined) {
      const isFirst = this.#isLogged === undefined && writer === undefined && number === undefined && (version === head || version === 0);
      const isKnown = this.#isLogged === false && version <= head;
      this.#isLogged = false;
      return isFirst || isKnown;
    }
    if (this.#isLogged === false || version > head) return false;
    this.#isLogged = true;
    this.#cursor = found; // who wrote it is remembered, were it not known
    return (writer === undefined || writer === found.writer) && (number === undefined || number === found.number);
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
      for (const entry of statements.entriesOf(cursor.version)) {
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
