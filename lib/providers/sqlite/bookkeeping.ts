import type { BatchResult } from '../../mutation.ts';
import type { Database, Statement } from './driver.ts';
import { Head } from './head.ts';
import { leftOutFrom, leftOutText } from '../left-out-text.ts';
import { rowOf, textOf } from './rows.ts';
import type { Dictionary } from './schema.ts';

/** What the log keeps in any case: the newest rows, and those of the last hour; but never more than a ceiling. */
const logRows = 10_000;
const logAgeMs = 3_600_000;
const logCeiling = 100_000;
/** Pruning looks at some of the oldest rows each so many versions, so that its cost is spread and small. */
const pruneEvery = 64;
const pruneAtMost = 1_024;

/** A writer that has been silent for so long has no batch left to retry; where there are many, a shorter time is enough. */
const writerAgeMs = 7 * 24 * 3_600_000;
const crowdedWriters = 10_000;
const crowdedWriterAgeMs = 3_600_000;

/** What a commit reads and writes beside a dictionary's own table: head, settling row, log; prepared once a connection. */
export class Bookkeeping {
  readonly #dictionary: Dictionary;
  readonly #head: Head;
  readonly #setHead: Statement;
  readonly #settled: Statement;
  readonly #settle: Statement;
  readonly #log: Statement;
  readonly #oldest: Statement;
  readonly #pruneLog: Statement;
  readonly #pruneWriters: Statement;
  readonly #writerAtRank: Statement;

  constructor(database: Database, dictionary: Dictionary, file: string) {
    this.#dictionary = dictionary;
    this.#head = new Head(database, dictionary, file);
    this.#setHead = database.prepare('UPDATE main.rx_persistify_dictionaries SET head = ? WHERE name = ?');
    this.#settled = database.prepare('SELECT number, version, result FROM main.rx_persistify_writers WHERE dictionary = ? AND writer = ?').raw();
    this.#settle = database.prepare(
      'INSERT INTO main.rx_persistify_writers (dictionary, writer, number, version, result, settled_at) VALUES (?, ?, ?, ?, ?, ?) ' +
        'ON CONFLICT (dictionary, writer) DO UPDATE SET number = excluded.number, version = excluded.version, result = excluded.result, settled_at = excluded.settled_at',
    );
    this.#log = database.prepare('INSERT INTO main.rx_persistify_log (dictionary, version, writer, number, committed_at, keys) VALUES (?, ?, ?, ?, ?, ?)');
    this.#oldest = database.prepare('SELECT version, committed_at FROM main.rx_persistify_log WHERE dictionary = ? ORDER BY version LIMIT 1').raw();
    this.#pruneLog = database.prepare(
      'DELETE FROM main.rx_persistify_log WHERE dictionary = ? AND version <= ? AND (committed_at < ? OR version <= ?) AND version IN ' +
        `(SELECT version FROM main.rx_persistify_log WHERE dictionary = ? ORDER BY version LIMIT ${pruneAtMost})`,
    );
    this.#pruneWriters = database.prepare('DELETE FROM main.rx_persistify_writers WHERE dictionary = ? AND settled_at < ?');
    this.#writerAtRank = database
      .prepare(`SELECT settled_at FROM main.rx_persistify_writers WHERE dictionary = ? ORDER BY settled_at DESC LIMIT 1 OFFSET ${crowdedWriters}`)
      .pluck();
  }

  /**
   * The dictionary's version.
   * @throws ProviderError if another process has removed, moved or migrated the dictionary.
   */
  head(): number {
    return this.#head.get();
  }

  /** The last batch that this writer committed, and what was answered; the log of an unknown writer is empty. */
  settled(writer: string): { readonly number: number; readonly result: BatchResult } | undefined {
    const row = rowOf(this.#settled.get(this.#dictionary.name, writer));
    if (row === undefined) return undefined;
    return { number: Number(row[0]), result: { version: Number(row[1]), leftOut: leftOutFrom(textOf(row[2])) } };
  }

  /** Records the answer to a batch. A writer's first one makes room by forgetting writers that are gone. */
  settle(writer: string, number: number, result: BatchResult, now: number, first: boolean): void {
    const { name } = this.#dictionary;
    this.#settle.run(name, writer, number, result.version, leftOutText(result.leftOut), now);
    if (!first) return;
    const crowded = this.#writerAtRank.get(name);
    const crowdedLimit = typeof crowded === 'number' ? Math.min(crowded, now - crowdedWriterAgeMs) : 0;
    this.#pruneWriters.run(name, Math.max(now - writerAgeMs, crowdedLimit));
  }

  /** Raises the dictionary's version, and logs the commit. `keys`: a JSON array; null if everything is to be read again. */
  advance(version: number, writer: string, number: number, keys: string | null, now: number): void {
    const { name } = this.#dictionary;
    this.#setHead.run(version, name);
    this.#log.run(name, version, writer, number, now, keys);
    if (version % pruneEvery === 0) this.#pruneLogOf(name, version, now);
  }

  #pruneLogOf(name: string, version: number, now: number): void {
    const [oldest, committedAt] = rowOf(this.#oldest.get(name)) ?? [];
    const isDue = Number(oldest) <= version - logRows && (Number(committedAt) < now - logAgeMs || Number(oldest) <= version - logCeiling);
    if (isDue) this.#pruneLog.run(name, version - logRows, now - logAgeMs, version - logCeiling, name);
  }
}
