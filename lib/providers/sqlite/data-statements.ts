import type { Database, Statement } from './driver.ts';
import { qualified, quote } from './identifiers.ts';
import type { SqliteColumns } from './options.ts';
import { numberAt, type PackedBatch } from '../packed-batch.ts';
import { rowOf, versionOf } from './rows.ts';

/** Rows a statement: 50 take 0.6 to 0.85x the time of single ones, and more gain nothing (ran). */
const rowsPerStatement = 50;

/** What a commit does to a dictionary's own table, prepared once a connection. */
export class DataStatements {
  readonly #database: Database;
  readonly #table: string;
  readonly #columns: Required<SqliteColumns>;
  readonly #upserts = new Map<number, Statement>();
  readonly #deletes = new Map<number, Statement>();
  readonly #touch: Statement;
  readonly #expire: Statement;
  readonly #version: Statement;
  readonly #clear: Statement;

  constructor(database: Database, table: string, columns: Required<SqliteColumns>) {
    this.#database = database;
    this.#table = qualified(table);
    this.#columns = columns;
    const key = quote(columns.key);
    const version = quote(columns.version);
    const expiresAt = quote(columns.expiresAt);
    // A deadline of null is never: it is the later one, and no comparison with it holds.
    this.#touch = database.prepare(`UPDATE ${this.#table} SET ${expiresAt} = ? WHERE ${key} = ? AND ${expiresAt} < ?`);
    this.#expire = database.prepare(`DELETE FROM ${this.#table} WHERE ${key} = ? AND max(ifnull(${version}, 1), 1) = ? AND ${expiresAt} <= ?`);
    this.#version = database.prepare(`SELECT ${version} FROM ${this.#table} WHERE ${key} = ?`).raw();
    // Without a WHERE, SQLite frees whole pages instead of deleting rows.
    this.#clear = database.prepare(`DELETE FROM ${this.#table}`);
  }

  /** The version that an `expect` is compared with; 0 for a key that is absent. */
  currentVersion(key: string): number {
    const row = rowOf(this.#version.get(key));
    return row === undefined ? 0 : versionOf(row[0]);
  }

  clear(): void {
    this.#clear.run();
  }

  /** Stores these sets of the batch. */
  upsert(batch: PackedBatch, indexes: readonly number[], version: number, now: number): void {
    for (let start = 0; start < indexes.length; ) {
      const count = indexes.length - start < rowsPerStatement ? 1 : rowsPerStatement;
      const parameters: unknown[] = [now, now, version];
      for (let at = start; at < start + count; at++) {
        const index = indexes[at] ?? 0;
        const deadline = numberAt(batch.deadlines, index);
        parameters.push(batch.keys[index], batch.texts[index], deadline === Infinity ? null : (deadline ?? null));
      }
      this.#upsertOf(count).run(parameters);
      start += count;
    }
  }

  /** Removes these keys of the batch. */
  delete(batch: PackedBatch, indexes: readonly number[]): void {
    for (let start = 0; start < indexes.length; ) {
      const count = indexes.length - start < rowsPerStatement ? 1 : rowsPerStatement;
      this.#deleteOf(count).run(indexes.slice(start, start + count).map(index => batch.keys[index]));
      start += count;
    }
  }

  touch(key: string | undefined, deadline: number): void {
    this.#touch.run(deadline === Infinity ? null : deadline, key, deadline);
  }

  /** Removes the key if its time has come and nobody has written it since; tells whether it did. */
  expire(key: string | undefined, version: number, now: number): boolean {
    return this.#expire.run(key, version, now).changes > 0;
  }

  #upsertOf(count: number): Statement {
    let statement = this.#upserts.get(count);
    if (statement === undefined) {
      const { key, value, createdAt, updatedAt, version, expiresAt } = this.#columns;
      const names = [key, value, createdAt, updatedAt, version, expiresAt].map(quote).join(', ');
      const updates = [value, updatedAt, version, expiresAt].map(name => `${quote(name)} = excluded.${quote(name)}`).join(', ');
      const rows = Array.from({ length: count }, () => '(?, ?, ?)').join(', ');
      // The times and the version are bound once: three parameters a row instead of six. WHERE keeps ON CONFLICT from
      // being read as a join (sqlite.org/lang_upsert.html, parsing ambiguity).
      statement = this.#database.prepare(
        `INSERT INTO ${this.#table} (${names}) SELECT column1, column2, ?, ?, ?, column3 FROM (VALUES ${rows}) WHERE true ` +
          `ON CONFLICT (${quote(key)}) DO UPDATE SET ${updates}`,
      );
      this.#upserts.set(count, statement);
    }
    return statement;
  }

  #deleteOf(count: number): Statement {
    let statement = this.#deletes.get(count);
    if (statement === undefined) {
      const keys = Array.from({ length: count }, () => '?').join(', ');
      statement = this.#database.prepare(`DELETE FROM ${this.#table} WHERE ${quote(this.#columns.key)} IN (${keys})`);
      this.#deletes.set(count, statement);
    }
    return statement;
  }
}
