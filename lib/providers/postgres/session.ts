import type { Observable } from 'rxjs';

import { ProviderError } from '../../errors.ts';
import type { Batch, BatchResult } from '../../mutation.ts';
import type { Capabilities, Cursor, Entry, Feed, OpenContext, Page, ProviderSession, WriteContext } from '../provider.ts';
import { Subscriptions } from '../subscriptions.ts';
import { commitFunction } from './commit-function.ts';
import { Committer } from './committer.ts';
import { payloadOf } from './doorbell.ts';
import { describeFailure } from './failures.ts';
import { currentFormat } from './format.ts';
import { literal } from './identifiers.ts';
import { loadPages } from './load-pages.ts';
import { LogReader, type LogReaderConfig } from './log-reader.ts';
import type { PostgresSettings } from './options.ts';
import { OwnPast } from './own-past.ts';
import { entryOf } from './rows.ts';
import type { ServerAccess } from './server-access.ts';
import { DataSql, namesOf, type Dictionary, type Names } from './statements.ts';

/** A quarter of what PostgreSQL's fields and messages take, and all that its `jsonb` takes. */
const maxValueBytes = 250_000_000;

/** Keys that are read by one statement. */
const readSlice = 1_000;

/** One dictionary of the schema. */
export class PostgresSession implements ProviderSession {
  readonly capabilities: Capabilities;
  readonly #access: ServerAccess;
  readonly #settings: PostgresSettings;
  readonly #dictionary: Dictionary;
  readonly #release: () => Promise<void>;
  readonly #names: Names;
  readonly #data: DataSql;
  readonly #committer: Committer;
  readonly #past: OwnPast;
  readonly #subscriptions = new Subscriptions();
  readonly #log: Omit<LogReaderConfig, 'since' | 'losses' | 'tell'>;
  readonly #payload: string;
  /** How many losses had been found when it was last read. */
  #knownLosses = 0;
  #rungAt = 0;
  #closed: Promise<void> | undefined;

  constructor(access: ServerAccess, settings: PostgresSettings, dictionary: Dictionary, context: OpenContext, release: () => Promise<void>) {
    const { connections } = access;
    this.capabilities = {
      shared: true,
      durability: settings.durability === 'full' ? 'power' : 'process',
      maxValueBytes,
      ...(dictionary.valueType === 'jsonb' && { accepts: whyNotJsonb }),
    };
    this.#access = access;
    this.#settings = settings;
    this.#dictionary = dictionary;
    this.#release = release;
    this.#payload = payloadOf(settings.schema, dictionary.id);
    this.#names = namesOf(settings.schema, dictionary);
    this.#data = new DataSql(this.#names, settings.columns, dictionary);
    this.#past = new OwnPast(`The dictionary ${JSON.stringify(dictionary.name)} in ${connections.place}`, context.report);
    this.#log = { dictionary, names: this.#names, data: this.#data, past: this.#past, writer: context.writer };
    this.#committer = new Committer({
      ...this.#log,
      connections,
      commitFunction: commitFunction(settings, dictionary),
      isPrepared: !settings.pooler,
      isFull: settings.durability === 'full',
      statementTimeoutMs: settings.statementTimeoutMs,
    });
  }

  load(): AsyncIterable<Page> {
    this.#knownLosses = this.#past.losses;
    const { table, id, name } = this.#dictionary;
    const { dictionaries, log } = this.#names;
    const { connections } = this.#access;
    return loadPages({
      connections,
      data: this.#data,
      head: `SELECT d.head, l.writer, l.number FROM ${dictionaries} AS d LEFT JOIN ${log} AS l ON l.dictionary = d.id AND l.version = d.head WHERE d.id = ${id} AND d.table_name = ${literal(table)} AND d.format = ${currentFormat}`,
      doing: `Loading ${JSON.stringify(name)}`,
      statementTimeoutMs: this.#settings.statementTimeoutMs,
      gone: () => new ProviderError(`The dictionary ${JSON.stringify(name)} was removed from ${connections.place} while it was open.`, { kind: 'halt' }),
    });
  }

  async read(keys: readonly string[]): Promise<readonly Entry[]> {
    const entries: Entry[] = [];
    const text = this.#data.entriesOf('$1::text[]');
    await this.#access.connections.use(
      async (client) => {
        for (let start = 0; start < keys.length; start += readSlice) {
          const values = [keys.slice(start, start + readSlice)];
          const { rows } = await client.query({ text, values, rowMode: 'array' });
          for (const row of rows) entries.push(entryOf(row));
        }
      },
      { doing: `Reading ${JSON.stringify(this.#dictionary.name)}` },
    );
    return entries;
  }

  async write(batch: Batch, { signal }: WriteContext): Promise<BatchResult> {
    const { acknowledged } = this.#past;
    const { result, previous } = await this.#committer.commit(batch, signal);
    this.#past.check(acknowledged, previous);
    this.#past.acknowledge(batch.number, result.version);
    if (result.version > this.#rungAt) this.#access.doorbell.ring(this.#payload);
    this.#rungAt = result.version;
    return result;
  }

  /** Of this session's own commits it tells the cursor alone: what they set is known here, and would be sent and parsed once more. */
  watch(since: Cursor): Observable<Feed> {
    const { feed, connections } = this.#access;
    return this.#subscriptions.watch(({ tell, fail }) => {
      const reader = new LogReader({ ...this.#log, since, losses: this.#knownLosses, tell });
      const leave = feed.join({
        payload: this.#payload,
        read: (query) => reader.read(query),
        fail: (error) => fail(describeFailure(error, { doing: `Watching ${JSON.stringify(this.#dictionary.name)}`, place: connections.place })),
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

/** `jsonb` has text that PostgreSQL's own type can hold, and that has no NUL. */
function whyNotJsonb(json: string): string | undefined {
  const isNul = json.includes('\\u0000') && /(?<!\\)(?:\\\\)*\\u0000/.test(json);
  return isNul ? 'the type jsonb cannot hold the character U+0000; `valueType: \'json\'` can' : undefined;
}
