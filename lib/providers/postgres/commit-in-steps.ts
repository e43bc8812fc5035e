import type { Batch, BatchResult } from '../../mutation.ts';
import { LeftOutMutations, withConflicts } from '../left-out.ts';
import { leftOutFrom, leftOutText } from '../left-out-text.ts';
import { kinds, numberAt, packBatch, type PackedBatch } from '../packed-batch.ts';
import { lockTimeoutMs } from './commit-function.ts';
import type { Client } from './driver.ts';
import { isRefusal } from './failures.ts';
import { currentFormat } from './format.ts';
import { deadlineOrNull } from './packed-call.ts';
import { logPruning } from './pruning.ts';
import { numberOf, textOf } from './rows.ts';
import type { DataSql, Dictionary, Names } from './statements.ts';

/** What a message takes: more rows, or more text, go in several, between which the event loop has its turns. Longer ones save nothing. */
export const messageRows = 2_500;
export const messageText = 8_000_000;

export interface StepsConfig {
  readonly names: Names;
  readonly data: DataSql;
  readonly dictionary: Dictionary;
  readonly isFull: boolean;
  readonly statementTimeoutMs: number;
}

/** What became of a batch; `gone`: the dictionary is not there as it was opened. */
export type StepsOutcome = { readonly status: 'committed' | 'settled'; readonly result: BatchResult; readonly previous: number | undefined } | { readonly status: 'gone' };

/** A transaction that waits for its client for longer is ended by the server, as all others wait for it. */
const idleTimeoutMs = 10_000;

/** In this order a commit applies them. */
const order = [kinds.clear, kinds.set, kinds.delete, kinds.touch, kinds.expire];

/** What a table checks at the end of the transaction only is checked now, where what it refuses can be left out. */
const checkConstraints = 'SET CONSTRAINTS ALL IMMEDIATE';

/**
 * Commits a batch in a transaction of several messages, for what the function cannot do in one: a batch that is too large, one
 * with a condition that does not hold, or one with a mutation that the table refuses.
 */
export class CommitInSteps {
  readonly #client: Client;
  readonly #config: StepsConfig;
  readonly #writer: string;
  readonly #number: number;
  readonly #batch: PackedBatch;
  #isCommitting = false;

  constructor(client: Client, config: StepsConfig, batch: Batch) {
    this.#client = client;
    this.#config = config;
    this.#writer = batch.writer;
    this.#number = batch.number;
    this.#batch = packBatch(batch);
  }

  /** Whether the commit was sent, so that a failure leaves open if it was done. */
  get isCommitting(): boolean {
    return this.#isCommitting;
  }

  async run(): Promise<StepsOutcome> {
    await this.#client.query(this.#begin());
    const outcome = await this.#work();
    this.#isCommitting = outcome.status === 'committed';
    await this.#client.query(outcome.status === 'committed' ? 'COMMIT' : 'ROLLBACK');
    return outcome;
  }

  async #work(): Promise<StepsOutcome> {
    const { names, dictionary } = this.#config;
    const lock = `SELECT d.head FROM ${names.dictionaries} AS d WHERE d.id = ${dictionary.id} AND d.table_name = $1 AND d.format = ${currentFormat} FOR NO KEY UPDATE`;
    const [locked] = await this.#rows(lock, [dictionary.table]);
    if (locked === undefined) return { status: 'gone' };
    const head = numberOf(locked[0]);
    const settled = await this.#settled();
    if (settled !== undefined && this.#number <= settled.number) {
      const result = this.#number === settled.number ? settled.result : { version: settled.result.version, leftOut: [] };
      return { status: 'settled', result, previous: settled.number };
    }
    const now = numberOf((await this.#rows('SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint', []))[0]?.[0]);
    const versions = await this.#versions();
    const leftOut = withConflicts(this.#batch, new LeftOutMutations(this.#batch), (key) => versions.get(key) ?? 0);
    const version = head + 1;
    const applied = await this.#applyWithoutRefused(leftOut, version, now);
    const result = { version: applied.isChanged ? version : head, leftOut: applied.leftOut.list() };
    if (applied.isChanged) await this.#advance(version, applied.keys, now);
    await this.#settle(result, now);
    return { status: 'committed', result, previous: settled?.number };
  }

  /** A mutation that the table refuses is found, and the batch applied without it. */
  async #applyWithoutRefused(leftOut: LeftOutMutations, version: number, now: number): Promise<Applied> {
    await this.#client.query('SAVEPOINT rx_persistify_all');
    for (;;) {
      try {
        const applied = await this.#apply(leftOut.copy(), version, now);
        await this.#client.query(checkConstraints);
        return applied;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        await this.#client.query('ROLLBACK TO SAVEPOINT rx_persistify_all');
        const known = leftOut.size;
        await this.#findRefused(leftOut, version, now);
        await this.#client.query('ROLLBACK TO SAVEPOINT rx_persistify_all');
        // The table refused the whole, but nothing in it: there is nothing to go without.
        if (leftOut.size === known) throw error;
      }
    }
  }

  async #apply(leftOut: LeftOutMutations, version: number, now: number): Promise<Applied> {
    const gone = new Set<unknown>();
    for (const kind of order) {
      for (const part of this.#parts(this.#places(kind, leftOut))) for (const [key] of await this.#store(kind, part, version, now)) gone.add(key);
    }
    const isCleared = this.#places(kinds.clear, leftOut).length > 0;
    const expiries = this.#places(kinds.expire, leftOut);
    const isGone = (place: number): boolean => gone.has(this.#batch.keys[place]);
    const changed = this.#places(kinds.set, leftOut).concat(this.#places(kinds.delete, leftOut), expiries.filter(isGone));
    leftOut.addUnmet(expiries.filter((place) => !isGone(place)));
    return { leftOut, isChanged: isCleared || changed.length > 0, keys: isCleared ? null : this.#keysAt(changed) };
  }

  /**
   * Goes through the batch once more, to be undone: a part that is refused is halved, and what is refused alone is left out. What
   * was taken stays meanwhile, as a mutation may be refused for another one before it.
   */
  async #findRefused(leftOut: LeftOutMutations, version: number, now: number): Promise<void> {
    await this.#client.query(checkConstraints); // from now on after each statement
    for (const kind of order) {
      const parts = this.#parts(this.#places(kind, leftOut)).reverse();
      for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
        const refusal = await this.#refusalOf(kind, part, version, now);
        if (refusal === undefined) continue;
        const middle = Math.ceil(part.length / 2);
        const [only] = part;
        if (part.length === 1 && only !== undefined) leftOut.add(only, 'refused', refusal);
        else parts.push(part.slice(middle), part.slice(0, middle));
      }
    }
  }

  async #refusalOf(kind: number, places: readonly number[], version: number, now: number): Promise<string | undefined> {
    await this.#client.query('SAVEPOINT rx_persistify_part');
    try {
      await this.#store(kind, places, version, now);
      await this.#client.query('RELEASE SAVEPOINT rx_persistify_part');
      return undefined;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await this.#client.query('ROLLBACK TO SAVEPOINT rx_persistify_part');
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Returns the keys that have ended. */
  async #store(kind: number, places: readonly number[], version: number, now: number): Promise<readonly (readonly unknown[])[]> {
    const { data } = this.#config;
    const keys = this.#keysAt(places);
    switch (kind) {
      case kinds.clear:
        await this.#rows(data.clear(), []);
        break;
      case kinds.set:
        await this.#upsert(places, version, now);
        break;
      case kinds.delete:
        await this.#rows(data.delete('$1::text[]'), [keys]);
        break;
      case kinds.touch:
        await this.#rows(data.touch('$1::text[]', '$2::bigint[]'), [keys, places.map((place) => this.#deadlineAt(place))]);
        break;
      case kinds.expire:
        return this.#rows(data.expire('$1::text[]', '$2::bigint[]', '$3::bigint'), [keys, places.map((place) => numberAt(this.#batch.versions, place)), now]);
    }
    return [];
  }

  async #upsert(places: readonly number[], version: number, now: number): Promise<void> {
    const text = this.#config.data.upsert({ keys: '$1::text[]', lines: '$2::text', deadlines: '$3::bigint[]', now: '$4::bigint', version: '$5::bigint' });
    const lines = places.map((place) => this.#batch.texts[place]).join('\n');
    const deadlines = this.#batch.deadlines === null ? null : places.map((place) => this.#deadlineAt(place));
    await this.#rows(text, [this.#keysAt(places), lines, deadlines, now, version]);
  }

  async #versions(): Promise<ReadonlyMap<string, number>> {
    const versions = new Map<string, number>();
    if (this.#batch.versions === null) return versions;
    const none = new LeftOutMutations(this.#batch);
    const places = [...this.#places(kinds.set, none), ...this.#places(kinds.delete, none)];
    for (const part of this.#parts(places.filter((place) => numberAt(this.#batch.versions, place) !== undefined))) {
      for (const [key, version] of await this.#rows(this.#config.data.versions('$1::text[]'), [this.#keysAt(part)])) versions.set(textOf(key), numberOf(version));
    }
    return versions;
  }

  async #settled(): Promise<{ readonly number: number; readonly result: BatchResult } | undefined> {
    const { names, dictionary } = this.#config;
    const text = `SELECT w.number, w.version, w.result FROM ${names.writers} AS w WHERE w.dictionary = ${dictionary.id} AND w.writer = $1`;
    const [row] = await this.#rows(text, [this.#writer]);
    if (row === undefined) return undefined;
    return { number: numberOf(row[0]), result: { version: numberOf(row[1]), leftOut: leftOutFrom(textOf(row[2])) } };
  }

  async #settle({ version, leftOut }: BatchResult, now: number): Promise<void> {
    const { names, dictionary } = this.#config;
    const text =
      `INSERT INTO ${names.writers} (dictionary, writer, number, version, result, settled_at) VALUES (${dictionary.id}, $1, $2, $3, $4, $5) ` +
      'ON CONFLICT (dictionary, writer) DO UPDATE SET number = excluded.number, version = excluded.version, result = excluded.result, settled_at = excluded.settled_at';
    await this.#rows(text, [this.#writer, this.#number, version, leftOutText(leftOut), now]);
  }

  async #advance(version: number, keys: readonly string[] | null, now: number): Promise<void> {
    const { names, dictionary } = this.#config;
    await this.#rows(`UPDATE ${names.dictionaries} SET head = $1 WHERE id = ${dictionary.id}`, [version]);
    const log = `INSERT INTO ${names.log} (dictionary, version, writer, number, committed_at, keys) VALUES (${dictionary.id}, $1, $2, $3, $4, $5)`;
    await this.#rows(log, [version, this.#writer, this.#number, now, keys]);
    if (version % logPruning.every === 0) await this.#rows(logPruning.statement(names.log, dictionary.id, '$1::bigint', '$2::bigint'), [version, now]);
  }

  /** The places of the mutations of a kind that are not left out. */
  #places(kind: number, leftOut: LeftOutMutations): readonly number[] {
    const places: number[] = [];
    for (let place = 0; place < this.#batch.kinds.length; place++) if (this.#batch.kinds[place] === kind && !leftOut.has(place)) places.push(place);
    return places;
  }

  /** The places in parts that fit into a message. */
  #parts(places: readonly number[]): (readonly number[])[] {
    const parts: number[][] = [];
    let part: number[] = [];
    let text = 0;
    for (const place of places) {
      const length = this.#batch.texts[place]?.length ?? 0;
      if (part.length > 0 && (part.length === messageRows || text + length > messageText)) {
        parts.push(part);
        [part, text] = [[], 0];
      }
      part.push(place);
      text += length;
    }
    if (part.length > 0) parts.push(part);
    return parts;
  }

  #keysAt(places: readonly number[]): readonly string[] {
    return places.map((place) => this.#batch.keys[place] ?? '');
  }

  #deadlineAt(place: number): number | null {
    return deadlineOrNull(numberAt(this.#batch.deadlines, place));
  }

  async #rows(text: string, values: readonly unknown[]): Promise<readonly (readonly unknown[])[]> {
    const { rows } = await this.#client.query({ text, values, rowMode: 'array' });
    return rows;
  }

  #begin(): string {
    const { isFull, statementTimeoutMs } = this.#config;
    return [
      'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
      `SET LOCAL lock_timeout = ${lockTimeoutMs}`,
      `SET LOCAL statement_timeout = ${statementTimeoutMs}`,
      `SET LOCAL idle_in_transaction_session_timeout = ${idleTimeoutMs}`,
      `SELECT set_config('synchronous_commit', CASE WHEN ${isFull} THEN CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END ELSE 'off' END, true)`,
    ].join('; ');
  }
}

interface Applied {
  readonly leftOut: LeftOutMutations;
  readonly isChanged: boolean;
  /** None if it cleared everything. */
  readonly keys: readonly string[] | null;
}
