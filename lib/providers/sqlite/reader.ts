import type { Entry } from '../provider.ts';
import { openForReading } from './connection.ts';
import type { Database, Driver, Statement } from './driver.ts';
import { describeFailure } from './failures.ts';
import { qualified, quote } from './identifiers.ts';
import type { SqliteSettings } from './options.ts';
import { entryOf, readable, rowOf } from './rows.ts';
import type { Dictionary } from './schema.ts';

/** Reads single keys, on a connection that is opened at the first read and kept. */
export class Reader {
  readonly #driver: Driver;
  readonly #settings: SqliteSettings;
  readonly #statements = new Map<string, Statement>();
  #database: Database | undefined;

  constructor(driver: Driver, settings: SqliteSettings) {
    this.#driver = driver;
    this.#settings = settings;
  }

  /** The entries of these keys that are there. */
  read(dictionary: Dictionary, keys: readonly string[]): readonly Entry[] {
    try {
      const statement = this.#statementOf(dictionary);
      return keys.flatMap(key => entryOf(rowOf(statement.get(key)) ?? []) ?? []);
    } catch (error) {
      this.close();
      throw describeFailure(error, `Reading ${JSON.stringify(dictionary.name)}`, this.#settings.file);
    }
  }

  close(): void {
    this.#statements.clear();
    this.#database?.close();
    this.#database = undefined;
  }

  #statementOf({ name, table }: Dictionary): Statement {
    this.#database ??= openForReading(this.#driver, this.#settings);
    let statement = this.#statements.get(name);
    if (statement === undefined) {
      const { key, value, version, expiresAt } = this.#settings.columns;
      const names = [quote(key), readable(quote(value)), quote(version), quote(expiresAt)].join(', ');
      statement = this.#database.prepare(`SELECT ${names} FROM ${qualified(table)} WHERE ${quote(key)} = ?`).raw();
      this.#statements.set(name, statement);
    }
    return statement;
  }
}
