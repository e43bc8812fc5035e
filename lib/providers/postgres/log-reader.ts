import { setImmediate as macrotask } from 'node:timers/promises';

import { LogPlace } from '../log-place.ts';
import type { CommitFeed, Cursor, Entry, Feed } from '../provider.ts';
import { currentFormat } from './format.ts';
import { literal, shortHash } from './identifiers.ts';
import type { OwnPast } from './own-past.ts';
import { entryOf, numberOf, textOf } from './rows.ts';
import type { DataSql, Dictionary, Names } from './statements.ts';

/** Asks the server. A statement that has a name is prepared under it, where there is a session that it is one of. */
export type Query = (text: string, values: readonly unknown[], name?: string) => Promise<readonly (readonly unknown[])[]>;

/** A look reads so many commits, as long as they have no more keys than these; or one commit, however large. */
const lookCommits = 500;
const lookKeys = 5_000;

/** For how long the event loop is held at a stretch. */
const stretchMs = 4;

export interface LogReaderConfig {
  readonly dictionary: Dictionary;
  readonly names: Names;
  readonly data: DataSql;
  /** The session's own. */
  readonly writer: string;
  readonly past: OwnPast;
  readonly since: Cursor;
  /** How many losses had been found when storage was last read: what it had before another one may be in memory, whatever the log says. */
  readonly losses: number;
  readonly tell: (feed: Feed) => void;
}

/** One commit of the log, as a look answers it. */
interface LogCommit {
  readonly cursor: Required<Cursor>;
  readonly isCleared: boolean;
  /** The rows of its keys: each key, and its entry. */
  readonly rows: (readonly unknown[])[];
}

/** Tells what was committed to a dictionary behind a cursor, from the log and from nothing else. */
export class LogReader {
  readonly #config: LogReaderConfig;
  readonly #place: LogPlace;
  readonly #look: string;
  /** Planning it takes longer than executing it, and the feed looks some 50 times a second while there are commits. */
  readonly #lookName: string;
  #isEnded = false;

  constructor(config: LogReaderConfig) {
    this.#config = config;
    this.#place = new LogPlace(config.since);
    this.#look = lookStatement(config);
    this.#lookName = `rx_persistify_look_${shortHash(this.#look)}`;
  }

  /** Tells nothing more. */
  end(): void {
    this.#isEnded = true;
  }

  /** Reads on. Returns whether there is more. */
  async read(query: Query): Promise<boolean> {
    const { past, writer, losses } = this.#config;
    const { version } = this.#place;
    if (!Number.isSafeInteger(version)) return this.#reset();
    const acknowledged = past.acknowledged; // before it is read, as commits may be acknowledged meanwhile
    const rows = await query(this.#look, [version, writer], this.#lookName);
    const [first] = rows;
    if (this.#isEnded) return false;
    if (first === undefined) return this.#reset();
    const head = numberOf(first[0]);
    past.check(acknowledged, first[1] === null ? undefined : numberOf(first[1]));
    if (past.losses !== losses) return this.#reset();
    const commits = commitsOf(rows);
    const place = commits[0]?.cursor.version === version ? commits.shift() : undefined;
    if (!this.#place.isKept(head, place?.cursor)) return this.#reset();
    let endsAt = performance.now() + stretchMs;
    for (const commit of commits) {
      if (commit.cursor.version !== this.#place.version + 1) return this.#reset();
      const told = await this.#feedOf(commit, query);
      if (performance.now() >= endsAt) {
        await macrotask();
        endsAt = performance.now() + stretchMs;
      }
      if (this.#isStopped()) return false;
      this.#place.moveTo(commit.cursor);
      this.#config.tell(told);
    }
    if (this.#place.version >= head) return false;
    return commits.length > 0 || this.#reset(); // the row behind the cursor was pruned
  }

  /** Read by a method, as the compiler takes it for unchanged over an await. */
  #isStopped(): boolean {
    return this.#isEnded;
  }

  #reset(): false {
    this.#config.tell({ type: 'reset' });
    return false;
  }

  async #feedOf({ cursor, isCleared, rows }: LogCommit, query: Query): Promise<CommitFeed> {
    if (cursor.writer === this.#config.writer) return { type: 'commit', cursor, cleared: false, entries: [], deleted: [] };
    if (isCleared) {
      // What it set and later commits have changed again is told by those.
      const entries = (await query(this.#config.data.entriesOfVersion('$1::bigint'), [cursor.version])).map(entryOf);
      return { type: 'commit', cursor, cleared: true, entries, deleted: [] };
    }
    const entries: Entry[] = [];
    const deleted: string[] = [];
    for (const [key, ...entry] of rows) {
      if (entry[0] === null) deleted.push(textOf(key));
      else entries.push(entryOf(entry));
    }
    return { type: 'commit', cursor, cleared: false, entries, deleted };
  }
}

/**
 * One statement, and so one snapshot: the head, the number that the session's writer has settled, the log from the cursor's own
 * row on, and the entries of its keys, one by one by their index (OFFSET 0 keeps the planner from reading the whole table).
 */
function lookStatement({ names, data, dictionary }: LogReaderConfig): string {
  // Of the cursor's own row, and of own commits, no keys are looked at.
  const keys = 'CASE WHEN g.version > $1 AND g.writer <> $2 THEN coalesce(cardinality(g.keys), 0) ELSE 0 END';
  return (
    `SELECT d.head, (SELECT w.number FROM ${names.writers} AS w WHERE w.dictionary = d.id AND w.writer = $2), l.version, l.writer, l.number, l.keys IS NULL, e.k, t.* ` +
    `FROM ${names.dictionaries} AS d LEFT JOIN LATERAL (SELECT * FROM (SELECT g.*, sum(${keys}) OVER (ORDER BY g.version) - ${keys} AS before ` +
    `FROM (SELECT * FROM ${names.log} AS o WHERE o.dictionary = d.id AND o.version >= $1 ORDER BY o.version LIMIT ${lookCommits}) AS g) AS h ` +
    `WHERE h.before < ${lookKeys}) AS l ON true ` +
    'LEFT JOIN LATERAL unnest(CASE WHEN l.version > $1 AND l.writer <> $2 THEN l.keys END) AS e (k) ON true ' +
    `LEFT JOIN LATERAL (${data.entryOf('e.k')} OFFSET 0) AS t ON true ` +
    `WHERE d.id = ${dictionary.id} AND d.table_name = ${literal(dictionary.table)} AND d.format = ${currentFormat} ORDER BY l.version`
  );
}

/** The commits of a look's rows, which stand together and in order. */
function commitsOf(rows: readonly (readonly unknown[])[]): LogCommit[] {
  const commits: LogCommit[] = [];
  for (const [, , version, writer, number, isCleared, ...entry] of rows) {
    if (version === null) continue; // the log is empty
    const last = commits.at(-1);
    const cursor = { version: numberOf(version), writer: textOf(writer), number: numberOf(number) };
    if (last?.cursor.version === cursor.version) last.rows.push(entry);
    else commits.push({ cursor, isCleared: isCleared === true, rows: entry[0] === null ? [] : [entry] });
  }
  return commits;
}
