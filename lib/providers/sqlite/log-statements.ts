import type { Cursor, Entry } from '../provider.ts';
import type { Database, Statement } from './driver.ts';
import { Head } from './head.ts';
import { qualified, quote } from './identifiers.ts';
import type { SqliteSettings } from './options.ts';
import { entryOf, readable, rowOf, textOf } from './rows.ts';
import type { Dictionary } from './schema.ts';

/** A row of the log. */
export interface LogRow {
  readonly cursor: Required<Cursor>;
  /** A JSON array; none if the commit cleared the dictionary. */
  readonly keys: string | undefined;
}

/** What a feed reads of one dictionary, prepared once a connection. */
export class LogStatements {
  readonly database: Database;
  readonly head: Head;
  readonly #name: string;
  readonly #place: Statement;
  readonly #row: Statement;
  readonly #entry: Statement;
  readonly #scan: Statement;

  constructor(database: Database, dictionary: Dictionary, settings: SqliteSettings) {
    const { key, value, version, expiresAt } = settings.columns;
    const table = qualified(dictionary.table);
    this.database = database;
    this.head = new Head(database, dictionary, settings.file);
    this.#name = dictionary.name;
    this.#place = database.prepare('SELECT writer, number FROM main.rx_persistify_log WHERE dictionary = ? AND version = ?').raw();
    this.#row = database.prepare('SELECT writer, number, iif(writer = ?, NULL, keys) FROM main.rx_persistify_log WHERE dictionary = ? AND version = ?').raw();
    this.#entry = database.prepare(`SELECT ${[quote(key), readable(quote(value)), quote(version), quote(expiresAt)].join(', ')} FROM ${table} WHERE ${quote(key)} = ?`).raw();
    // No WHERE: one step would then look at millions of rows where none has the version.
    this.#scan = database
      .prepare(`SELECT ${quote(key)}, iif(${quote(version)} >= ?, ${readable(quote(value))}, NULL), ${quote(version)}, ${quote(expiresAt)} FROM ${table}`)
      .raw();
  }

  /** Who made the commit of this version; none where the log does not hold it. */
  place(version: number): Required<Cursor> | undefined {
    const row = rowOf(this.#place.get(this.#name, version));
    return row === undefined ? undefined : { version, writer: textOf(row[0]), number: Number(row[1]) };
  }

  /** @param own the writer whose keys are left out: nobody asks for them, and there may be many. */
  row(version: number, own: string): LogRow | undefined {
    const row = rowOf(this.#row.get(own, this.#name, version));
    if (row === undefined) return undefined;
    const [writer, number, keys] = row;
    return { cursor: { version, writer: textOf(writer), number: Number(number) }, keys: typeof keys === 'string' ? keys : undefined };
  }

  entry(key: string): Entry | undefined {
    return entryOf(rowOf(this.#entry.get(key)) ?? []);
  }

  /** Looks at every row, one a step: the entry, where the commit of this version or a later one wrote it. */
  *entriesSince(version: number): Generator<Entry | undefined, undefined, undefined> {
    for (const answer of this.#scan.iterate(version)) {
      const row = rowOf(answer) ?? [];
      yield Number(row[2]) >= version ? entryOf(row) : undefined;
    }
  }
}
