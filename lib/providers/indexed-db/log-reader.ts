import { LogPlace } from '../log-place.ts';
import type { CommitFeed, Cursor, Entry, Feed } from '../provider.ts';
import type { Dictionary } from './dictionary.ts';
import { isEntry } from './load-pages.ts';
import { numbersOf, type Database, type LogRow } from './schema.ts';

/** A look reads so many commits, as long as they have no more keys than these; or one commit, however large. */
const lookCommits = 200;
const lookKeys = 5_000;

/** Keys that are asked for at a stretch. */
const sliceKeys = 500;

export interface LogReaderConfig {
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
  /** Whether storage was found to have the past that the cursor stands for: as long as it is the same dictionary, it keeps it. */
  #isKept = false;
  #isEnded = false;

  constructor(config: LogReaderConfig) {
    this.#config = config;
    this.#place = new LogPlace(config.since);
  }

  /** Tells nothing more. */
  end(): void {
    this.#isEnded = true;
  }

  /** Reads on. Returns whether there is more. */
  async read(database: Database): Promise<boolean> {
    const { dictionary, tell } = this.#config;
    const { version } = this.#place;
    const transaction = database.transaction(['dictionaries', 'log', 'entries']);
    transaction.done.catch(() => undefined); // its requests tell
    const head = await transaction.objectStore('dictionaries').get(dictionary.name);
    if (this.#isEnded) return false;
    dictionary.meet(head);
    if (head === undefined || !dictionary.isAsRead || !Number.isSafeInteger(version)) return this.#reset();
    if (this.#isKept && head.head === version) return false;

    const [first, ...rest] = await transaction.objectStore('log').getAll(numbersOf(dictionary.name, version, Infinity), lookCommits + 1);
    const isPlace = first?.version === version;
    if (!this.#place.isKept(head.head, isPlace ? cursorOf(first) : undefined)) return this.#reset();
    this.#isKept = true;
    const rows = first === undefined || isPlace ? rest : [first, ...rest];
    // All are read before any is told: who is told may take his time, and the transaction would end meanwhile.
    const commits: LoggedCommit[] = [];
    let keys = 0;
    for (const [index, row] of rows.entries()) {
      if (row.version !== version + 1 + index) return this.#reset();
      // What this session has set itself is known here, and would be read and parsed once more.
      const told = row.writer === this.#config.writer ? { ...row, cleared: false, keys: [] } : row;
      keys += told.keys.length;
      if (keys > lookKeys && index > 0) break;
      commits.push(await commitOf(told, (key) => transaction.objectStore('entries').get([dictionary.name, key])));
    }
    for (const commit of commits) {
      this.#place.moveTo(commit.cursor);
      dictionary.reached(commit.cursor.version);
      tell(commit); // who has left hears nothing of it
    }
    if (rows.length === 0 && head.head > version) return this.#reset();
    return this.#place.version < head.head;
  }

  #reset(): false {
    if (!this.#isEnded) this.#config.tell({ type: 'reset' });
    return false;
  }
}

interface LoggedCommit extends CommitFeed {
  readonly cursor: Required<Cursor>;
}

async function commitOf(row: LogRow, read: (key: string) => Promise<unknown>): Promise<LoggedCommit> {
  const entries: Entry[] = [];
  const deleted: string[] = [];
  for (let start = 0; start < row.keys.length; start += sliceKeys) {
    const keys = row.keys.slice(start, start + sliceKeys);
    const found = await Promise.all(keys.map(read));
    for (const [index, key] of keys.entries()) {
      const entry = found[index];
      if (isEntry(entry)) entries.push(entry);
      else deleted.push(key);
    }
  }
  return { type: 'commit', cursor: cursorOf(row), cleared: row.cleared, entries, deleted };
}

function cursorOf({ version, writer, number }: LogRow): Required<Cursor> {
  return { version, writer, number };
}
