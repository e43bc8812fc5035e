import type { Database } from './driver.ts';
import { qualified, quote } from './identifiers.ts';
import type { SqliteColumns } from './options.ts';
import { rowOf, textOf } from './rows.ts';

/** Whether there is a table of a name, and whether it can hold a dictionary. */
export type TableFit = { readonly type: 'absent' } | { readonly type: 'fit' } | { readonly type: 'unfit'; readonly problem: string };

interface Column {
  readonly name: string;
  readonly affinity: 'text' | 'number' | 'other';
  readonly nullable: boolean;
  /** Whether a row must name a value for it. */
  readonly demanded: boolean;
  readonly generated: boolean;
}

/** Looks whether `table` can hold a dictionary. A table that the user made fits if it has the columns; more do no harm if they may be left out. */
export function describeTable(database: Database, table: string, columns: Required<SqliteColumns>): TableFit {
  const type = database
    .prepare("SELECT iif(type = 'table' AND sql LIKE 'create virtual%', 'virtual table', type) FROM main.sqlite_schema WHERE name = ? COLLATE NOCASE AND type <> 'trigger'")
    .pluck()
    .get(table);
  if (type === undefined) return { type: 'absent' };
  const problem = type === 'table' ? (columnProblem(readColumns(database, table), columns) ?? keyProblem(database, table, columns.key)) : `it is ${type === 'index' ? 'an' : 'a'} ${textOf(type)}`;
  return problem === undefined ? { type: 'fit' } : { type: 'unfit', problem };
}

/**
 * Takes over the rows of a fitting table that no dictionary owns, and gives the version to go on from.
 * Rows without a version that counts get the first one, as the conditions of later writes name it.
 */
export function adoptTable(database: Database, table: string, columns: Required<SqliteColumns>): number {
  const version = quote(columns.version);
  database.exec(`UPDATE ${qualified(table)} SET ${version} = 1 WHERE typeof(${version}) <> 'integer' OR ${version} < 1`);
  const head = database.prepare(`SELECT max(${version}) FROM ${qualified(table)}`).pluck().get();
  return typeof head === 'number' ? head : 0;
}

function columnProblem(found: readonly Column[], columns: Required<SqliteColumns>): string | undefined {
  const byName = new Map(found.map(column => [column.name.toLowerCase(), column]));
  for (const [role, name] of Object.entries(columns)) {
    const column = byName.get(name.toLowerCase());
    if (column === undefined) return `it has no column ${quote(name)}`;
    const affinity = role === 'key' || role === 'value' ? 'text' : 'number';
    if (column.affinity !== affinity) return `its column ${quote(name)} is not ${affinity === 'text' ? 'TEXT' : 'INTEGER'}`;
    if (column.generated) return `its column ${quote(name)} is a generated one`;
    if (role === 'expiresAt' && !column.nullable) return `its column ${quote(name)} may not be null`;
    byName.delete(name.toLowerCase());
  }
  for (const column of byName.values()) {
    if (column.demanded) return `its column ${quote(column.name)} may not be null and has no default`;
  }
  return undefined;
}

/** An upsert needs a unique index of exactly the key, that compares by bytes and leaves out no row. */
function keyProblem(database: Database, table: string, key: string): string | undefined {
  for (const answer of database.prepare(`PRAGMA main.index_list(${quote(table)})`).raw().all()) {
    const [, index, unique, , partial] = rowOf(answer) ?? [];
    if (unique !== 1 || partial !== 0) continue;
    const parts = database.prepare(`PRAGMA main.index_xinfo(${quote(textOf(index))})`).raw().all().map(part => rowOf(part) ?? []);
    const keyParts = parts.filter(part => part[5] === 1);
    const [, , name, , collation] = keyParts[0] ?? [];
    if (keyParts.length === 1 && textOf(name).toLowerCase() === key.toLowerCase() && collation === 'BINARY') return undefined;
  }
  return `its column ${quote(key)} is not unique by the collation BINARY`;
}

function readColumns(database: Database, table: string): readonly Column[] {
  return database
    .prepare(`PRAGMA main.table_xinfo(${quote(table)})`)
    .raw()
    .all()
    .map(answer => {
      const [, name, type, notNull, defaultValue, primaryKey, hidden] = rowOf(answer) ?? [];
      const integerKey = primaryKey === 1 && textOf(type).toUpperCase() === 'INTEGER';
      return {
        name: textOf(name),
        affinity: affinityOf(textOf(type)),
        nullable: notNull === 0,
        demanded: notNull === 1 && defaultValue === null && !integerKey,
        generated: hidden === 2 || hidden === 3,
      };
    });
}

/** By the rules of sqlite.org/datatype3.html, in their order. */
function affinityOf(type: string): Column['affinity'] {
  const name = type.toUpperCase();
  if (name.includes('INT')) return 'number';
  if (/CHAR|CLOB|TEXT/.test(name)) return 'text';
  return name === '' || /BLOB|REAL|FLOA|DOUB/.test(name) ? 'other' : 'number';
}
