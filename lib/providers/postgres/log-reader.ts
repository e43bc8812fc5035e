import { setImmediate as macrotask } from 'node:timers/promises';

import { LogPlace } from '../log-place.ts';
import type { CommitFeed, Cursor, Entry, Feed } from '../provider.ts';
import { AnswerSize } from './answer-size.ts';
import { currentFormat } from './format.ts';
import { literal, shortHash } from './identifiers.ts';
import type { OwnPast } from './own-past.ts';
import { entryOf, numberOf, textOf } from './rows.ts';
import type { DataSql, Dictionary, Names } from './statements.ts';

/** Asks the server. A statement that has a name is prepared under it, where there is a session that it is one of. */
export type Query = (text: string, values: readonly unknown[], name?: string) => Promise<readonly (readonly unknown[])[]>;

/** A look reads so many commits at most. */
const lookCommits = 500;

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

interface NamedStatement {
  readonly text: string;
  readonly name: string;
}

function named(purpose: string, text: string): NamedStatement {
  return { text, name: `rx_persistify_${purpose}_${shortHash(text)}` };
}

/** Each key, and its entry, or null. */
type KeyRows = readonly (readonly unknown[])[];

/** The keys that a commit has to tell of. */
interface Keys {
  readonly count: number;
  readonly some: (from: number, to: number) => Promise<KeyRows>;
}

/** One commit of the log, as a look answers it. */
interface LogCommit {
  readonly cursor: Required<Cursor>;
  readonly isCleared: boolean;
  /** How many keys it names that are to be told of. */
  readonly count: number;
  /** The rows of the first of them. */
  readonly rows: KeyRows;
}

/** Tells what was committed to a dictionary behind a cursor, from the log and from nothing else. */
export class LogReader {
  readonly #config: LogReaderConfig;
  readonly #place: LogPlace;
  /** Planning it takes longer than executing it, and the feed looks some 50 times a second while there are commits. */
  readonly #look: NamedStatement;
  readonly #rest: NamedStatement;
  readonly #some: NamedStatement;
  readonly #size = new AnswerSize();
  #isEnded = false;

  constructor(config: LogReaderConfig) {
    this.#config = config;
    this.#place = new LogPlace(config.since);
    this.#look = named('look', lookStatement(config));
    this.#rest = named('rest', restStatement(config));
    this.#some = named('some', someStatement(config));
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
    const rows = await query(this.#look.text, [version, writer, this.#size.keys], this.#look.name);
    const [first] = rows;
    if (this.#isEnded) return false;
    if (first === undefined) return this.#reset();
    const head = numberOf(first[0]);
    past.check(acknowledged, first[1] === null ? undefined : numberOf(first[1]));
    if (past.losses !== losses) return this.#reset();
    const commits = commitsOf(rows);
    const place = commits[0]?.cursor.version === version ? commits.shift() : undefined;
    if (!this.#place.isKept(head, place?.cursor)) return this.#reset();
    this.#came(commits.flatMap((commit) => commit.rows));
    let endsAt = performance.now() + stretchMs;
    for (const commit of commits) {
      if (commit.cursor.version !== this.#place.version + 1) return this.#reset();
      const told = await this.#feedOf(commit, query);
      if (told === undefined) return this.#reset();
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

  /** Undefined: the log lacks what it had a moment ago. */
  async #feedOf(commit: LogCommit, query: Query): Promise<CommitFeed | undefined> {
    const { cursor, isCleared } = commit;
    const entries: Entry[] = [];
    const deleted: string[] = [];
    const feed: CommitFeed = { type: 'commit', cursor, cleared: isCleared, entries, deleted };
    if (cursor.writer === this.#config.writer) return { ...feed, cleared: false };
    const { count, some } = isCleared ? await this.#setBy(cursor, query) : this.#namedBy(commit, query);
    // Later than the look: what has been changed meanwhile is told as it is now, and once more by the commit that changed it.
    for (let read = 0, rows = commit.rows; !this.#isEnded; ) {
      for (const [key, ...entry] of rows) {
        if (entry[0] !== null) entries.push(entryOf(entry));
        else if (!isCleared) deleted.push(textOf(key));
      }
      read += rows.length;
      if (read >= count) break;
      rows = await some(read, read + this.#size.keys);
      if (rows.length === 0) return undefined;
      this.#came(rows);
    }
    return feed;
  }

  #namedBy({ cursor, count }: LogCommit, query: Query): Keys {
    return { count, some: (from, to) => query(this.#rest.text, [cursor.version, from + 1, to], this.#rest.name) };
  }

  /**
   * The log does not say what it set. What later commits have set is among it, as what it set itself may be: told without that, a key
   * that it set and a later one has changed would seem to go, and to come back with the later one.
   */
  async #setBy({ version }: Cursor, query: Query): Promise<Keys> {
    const keys = (await query(this.#config.data.keysSince('$1::bigint'), [version])).map(([key]) => key);
    return { count: keys.length, some: (from, to) => query(this.#some.text, [keys.slice(from, to)], this.#some.name) };
  }

  #came(rows: KeyRows): void {
    let text = 0;
    for (const [key, , json] of rows) text += textOf(key).length + textOf(json).length;
    this.#size.came(rows.length, text);
  }
}

/**
 * One statement, and so one snapshot: the head, the number that the session's writer has settled, the log from the cursor's own
 * row on, and the entries of its first keys, one by one by their index (OFFSET 0 keeps the planner from reading the whole table).
 */
function lookStatement({ names, data, dictionary }: LogReaderConfig): string {
  // Of the cursor's own row, and of own commits, no keys are looked at.
  const keys = 'CASE WHEN o.version > $1 AND o.writer <> $2 THEN coalesce(cardinality(o.keys), 0) ELSE 0 END';
  return (
    `SELECT d.head, (SELECT w.number FROM ${names.writers} AS w WHERE w.dictionary = d.id AND w.writer = $2), l.version, l.writer, l.number, l.keys IS NULL, l.count, e.k, t.* ` +
    `FROM ${names.dictionaries} AS d LEFT JOIN LATERAL (SELECT * FROM (SELECT g.*, sum(g.count) OVER (ORDER BY g.version) - g.count AS before ` +
    `FROM (SELECT o.*, ${keys} AS count FROM ${names.log} AS o WHERE o.dictionary = d.id AND o.version >= $1 ORDER BY o.version LIMIT ${lookCommits}) AS g) AS h ` +
    'WHERE h.before < $3) AS l ON true ' +
    'LEFT JOIN LATERAL unnest(CASE WHEN l.count > 0 THEN l.keys[:($3 - l.before)::integer] END) AS e (k) ON true ' +
    `LEFT JOIN LATERAL (${data.entryOf('e.k')} OFFSET 0) AS t ON true ` +
    `WHERE d.id = ${dictionary.id} AND d.table_name = ${literal(dictionary.table)} AND d.format = ${currentFormat} ORDER BY l.version`
  );
}

/** More keys of a commit, by their places, and their entries. */
function restStatement({ names, data, dictionary }: LogReaderConfig): string {
  const keys = `${names.log} AS l CROSS JOIN LATERAL unnest(l.keys[$2::integer:$3::integer]) AS e (k)`;
  return `SELECT e.k, t.* FROM ${keys} LEFT JOIN LATERAL (${data.entryOf('e.k')} OFFSET 0) AS t ON true WHERE l.dictionary = ${dictionary.id} AND l.version = $1`;
}

/** These keys, and their entries. */
function someStatement({ data }: LogReaderConfig): string {
  return `SELECT e.k, t.* FROM unnest($1::text[]) AS e (k) LEFT JOIN LATERAL (${data.entryOf('e.k')} OFFSET 0) AS t ON true`;
}

/** The commits of a look's rows, which stand together and in order. */
function commitsOf(rows: readonly (readonly unknown[])[]): LogCommit[] {
  const commits: (LogCommit & { readonly rows: unknown[][] })[] = [];
  for (const [, , version, writer, number, isCleared, count, ...entry] of rows) {
    if (version === null) continue; // the log is empty
    const last = commits.at(-1);
    const cursor = { version: numberOf(version), writer: textOf(writer), number: numberOf(number) };
    if (last?.cursor.version === cursor.version) last.rows.push(entry);
    else commits.push({ cursor, isCleared: isCleared === true, count: numberOf(count), rows: entry[0] === null ? [] : [entry] });
  }
  return commits;
}
