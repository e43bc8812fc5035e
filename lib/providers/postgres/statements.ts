import { quote } from './identifiers.ts';
import type { PostgresColumns } from './options.ts';

/** V8's longest string has 536,870,888 units. */
const longestText = 500_000_000;
/** PostgreSQL compresses no more than to the 255th part. */
const surelyShortEnough = 1_000_000;

/** What a value's column may be. */
export type ValueType = 'json' | 'jsonb' | 'text';

/** A dictionary as its schema knows it. */
export interface Dictionary {
  readonly id: number;
  readonly name: string;
  readonly table: string;
  readonly valueType: ValueType;
}

/** The rows of this library's own tables that a dictionary has, and its data, as they are named in SQL. */
export interface Names {
  readonly dictionaries: string;
  readonly writers: string;
  readonly log: string;
  readonly data: string;
}

export function namesOf(schema: string, { table }: Pick<Dictionary, 'table'>): Names {
  const named = (name: string): string => `${quote(schema)}.${quote(name)}`;
  return {
    dictionaries: named('rx_persistify_dictionaries'),
    writers: named('rx_persistify_writers'),
    log: named('rx_persistify_log'),
    data: named(table),
  };
}

/** Expressions in SQL: parameters of a statement, or variables of a function. */
export interface UpsertParts {
  readonly keys: string;
  /** The values' texts, one a line: they hold no line breaks, and lines are read faster than the elements of an array. */
  readonly lines: string;
  /** An array, null where no set has one. */
  readonly deadlines: string;
  readonly now: string;
  readonly version: string;
}

/** The statements by which a dictionary's own table is changed and read; the same for one message and for many. */
export class DataSql {
  readonly #data: string;
  readonly #columns: Required<PostgresColumns>;
  readonly #valueType: ValueType;
  /** The version of the last commit, where a statement does not know it otherwise. */
  readonly #head: string;

  constructor({ data, dictionaries }: Names, columns: Required<PostgresColumns>, { id, valueType }: Dictionary) {
    this.#data = data;
    this.#columns = columns;
    this.#valueType = valueType;
    this.#head = `(SELECT h.head FROM ${dictionaries} AS h WHERE h.id = ${id})`;
  }

  upsert({ keys, lines, deadlines, now, version }: UpsertParts): string {
    const { key, value, createdAt, updatedAt, version: versionColumn, expiresAt } = this.#columns;
    const names = [key, value, createdAt, updatedAt, versionColumn, expiresAt].map(quote).join(', ');
    const updates = [value, updatedAt, versionColumn, expiresAt].map((name) => `${quote(name)} = excluded.${quote(name)}`).join(', ');
    return (
      `INSERT INTO ${this.#data} AS t (${names}) SELECT s.k, s.v::${this.#valueType}, ${now}, ${now}, ${version}, s.d ` +
      `FROM unnest(${keys}, string_to_array(${lines}, E'\\n'), ${deadlines}) AS s (k, v, d) ON CONFLICT (${quote(key)}) DO UPDATE SET ${updates}`
    );
  }

  /** Without a WHERE, as all goes. */
  clear(): string {
    return `DELETE FROM ${this.#data}`;
  }

  delete(keys: string): string {
    return `DELETE FROM ${this.#data} AS t WHERE t.${quote(this.#columns.key)} = ANY (${keys})`;
  }

  /** A deadline of null is never: it is the later one, and no comparison with it holds. */
  touch(keys: string, deadlines: string): string {
    const { key, expiresAt } = this.#columns;
    const deadline = `t.${quote(expiresAt)}`;
    return (
      `UPDATE ${this.#data} AS t SET ${quote(expiresAt)} = s.d FROM unnest(${keys}, ${deadlines}) AS s (k, d) ` +
      `WHERE t.${quote(key)} = s.k AND ${deadline} IS NOT NULL AND (s.d IS NULL OR ${deadline} < s.d)`
    );
  }

  /** Removes what has ended and was not written since; answers the keys removed. `head` is that before this commit. */
  expire(keys: string, versions: string, now: string, head?: string): string {
    const { key, expiresAt } = this.#columns;
    return (
      `DELETE FROM ${this.#data} AS t USING unnest(${keys}, ${versions}) AS s (k, v) ` +
      `WHERE t.${quote(key)} = s.k AND ${this.#version(head)} = s.v AND t.${quote(expiresAt)} <= ${now} RETURNING s.k`
    );
  }

  /** The version of each of these keys that is there. */
  versions(keys: string): string {
    const { key } = this.#columns;
    return `SELECT t.${quote(key)}, ${this.#version()} FROM ${this.#data} AS t WHERE t.${quote(key)} = ANY (${keys})`;
  }

  /** Whether one of these keys has not the version beside it; 0: it is to be absent. `head` is that before this commit. */
  hasConflict(keys: string, versions: string, head: string): string {
    const { key } = this.#columns;
    return (
      `EXISTS (SELECT FROM unnest(${keys}, ${versions}) AS s (k, v) LEFT JOIN ${this.#data} AS t ON t.${quote(key)} = s.k ` +
      `WHERE CASE WHEN t.${quote(key)} IS NULL THEN 0 ELSE ${this.#version(head)} END <> s.v)`
    );
  }

  /**
   * Key, value, version and deadline of every entry. A value that is too long to be taken, as one that another program made may be,
   * is read as null: node-postgres would end the process with an uncaught exception. What is compressed to less cannot be so long.
   */
  entries(condition = ''): string {
    const { key, value, expiresAt } = this.#columns;
    const stored = `t.${quote(value)}`;
    const readable = `CASE WHEN pg_column_size(${stored}) > ${surelyShortEnough} AND octet_length(${stored}::text) > ${longestText} THEN NULL ELSE ${stored}::text END`;
    return `SELECT t.${quote(key)}, ${readable}, ${this.#version()}, t.${quote(expiresAt)} FROM ${this.#data} AS t${condition}`;
  }

  entryOf(key: string): string {
    return this.entries(` WHERE t.${quote(this.#columns.key)} = ${key}`);
  }

  entriesOf(keys: string): string {
    return this.entries(` WHERE t.${quote(this.#columns.key)} = ANY (${keys})`);
  }

  keysSince(version: string): string {
    return `SELECT t.${quote(this.#columns.key)} FROM ${this.#data} AS t WHERE ${this.#version()} >= ${version}`;
  }

  /**
   * A row's version as it counts. Another program may have made the row with none, or with one that no commit has reached, as where it
   * was copied from another dictionary's table: were that taken at its word, commits to the key would count as older until they reach it.
   */
  #version(head = this.#head): string {
    const version = `t.${quote(this.#columns.version)}`;
    return `CASE WHEN ${version} BETWEEN 1 AND ${head} THEN ${version} ELSE 1 END`;
  }
}
