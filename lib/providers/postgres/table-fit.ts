import type { Client } from './driver.ts';
import { quote } from './identifiers.ts';
import type { PostgresColumns } from './options.ts';
import { numberOf, textOf } from './rows.ts';
import type { ValueType } from './statements.ts';

/** Whether there is a table of a name, and whether it can hold a dictionary. */
export type TableFit = { readonly type: 'absent' } | { readonly type: 'fit'; readonly valueType: ValueType } | { readonly type: 'unfit'; readonly problem: string };

interface Column {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  /** Whether a row must name a value for it. */
  readonly demanded: boolean;
  readonly generated: boolean;
}

const valueTypes: readonly string[] = ['json', 'jsonb', 'text'] satisfies readonly ValueType[];

/** Looks whether `table` can hold a dictionary. A table that the user made fits if it has the columns; more do no harm if they may be left out. */
export async function describeTable(client: Client, schema: string, table: string, columns: Required<PostgresColumns>): Promise<TableFit> {
  const named = 'FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2';
  const kind = await client.query({ text: `SELECT c.relkind, c.oid ${named}`, values: [schema, table], rowMode: 'array' });
  const [found] = kind.rows;
  if (found === undefined) return { type: 'absent' };
  if (found[0] !== 'r' && found[0] !== 'p') return { type: 'unfit', problem: 'it is no table' };
  const all = await readColumns(client, found[1]);
  const problem = columnProblem(all, columns) ?? (await keyProblem(client, found[1], columns.key)) ?? (await heirProblem(client, found[1]));
  if (problem !== undefined) return { type: 'unfit', problem };
  const type = all.find(({ name }) => name === columns.value)?.type;
  return { type: 'fit', valueType: type === 'jsonb' || type === 'text' ? type : 'json' };
}

/** A version above it leaves no room for others: beyond twice as much, no number of JavaScript tells them apart. */
const highestVersion = 2 ** 52;

/**
 * Takes over the rows of a fitting table that no dictionary owns, and gives the version to go on from.
 * Rows without a version that counts get the first one, as the conditions of later writes name it.
 */
export async function adoptTable(client: Client, data: string, columns: Required<PostgresColumns>): Promise<number> {
  const version = quote(columns.version);
  await client.query(`UPDATE ${data} SET ${version} = 1 WHERE ${version} IS NULL OR ${version} NOT BETWEEN 1 AND ${highestVersion}`);
  const answer = await client.query({ text: `SELECT coalesce(max(${version}), 0) FROM ${data}`, rowMode: 'array' });
  return numberOf(answer.rows[0]?.[0]);
}

async function readColumns(client: Client, table: unknown): Promise<readonly Column[]> {
  const text = `SELECT a.attname, format_type(a.atttypid, NULL), a.attnotnull, a.atthasdef OR a.attidentity <> '', a.attgenerated <> '' OR a.attidentity = 'a'
    FROM pg_attribute AS a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped`;
  const { rows } = await client.query({ text, values: [table], rowMode: 'array' });
  return rows.map(([name, type, notNull, hasDefault, generated]) => ({
    name: textOf(name),
    type: textOf(type),
    nullable: notNull === false,
    demanded: notNull === true && hasDefault === false,
    generated: generated === true,
  }));
}

function columnProblem(found: readonly Column[], columns: Required<PostgresColumns>): string | undefined {
  const others = new Map(found.map((column) => [column.name, column]));
  for (const [role, name] of Object.entries(columns)) {
    const column = others.get(name);
    if (column === undefined) return `it has no column ${quote(name)}`;
    const types = role === 'key' ? ['text', 'character varying'] : role === 'value' ? valueTypes : ['bigint'];
    if (!types.includes(column.type)) return `its column ${quote(name)} is ${column.type}, and not ${types.join(' or ')}`;
    if (column.generated) return `its column ${quote(name)} is a generated one`;
    if (role === 'expiresAt' && !column.nullable) return `its column ${quote(name)} may not be null`;
    others.delete(name);
  }
  const demanded = [...others.values()].find((column) => column.demanded);
  return demanded === undefined ? undefined : `its column ${quote(demanded.name)} may not be null and has no default`;
}

/**
 * An upsert needs a unique index of exactly the key, that leaves out no row and is checked at once; and keys that are different
 * texts are different ones, which a nondeterministic collation denies.
 */
async function keyProblem(client: Client, table: unknown, key: string): Promise<string | undefined> {
  const text = `SELECT c.collisdeterministic FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] JOIN pg_collation AS c ON c.oid = a.attcollation
    WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indnkeyatts = 1 AND a.attname = $2`;
  const [unique] = (await client.query({ text, values: [table, key], rowMode: 'array' })).rows;
  if (unique === undefined) return `its column ${quote(key)} is not unique`;
  return unique[0] === true ? undefined : `the collation of its column ${quote(key)} takes different texts for equal`;
}

/** Rows of a table that inherits from this one are read with it, and no unique index is over both: a key may be there twice. Partitions are no such. */
async function heirProblem(client: Client, table: unknown): Promise<string | undefined> {
  const text = 'SELECT h.relname FROM pg_inherits AS i JOIN pg_class AS h ON h.oid = i.inhrelid WHERE i.inhparent = $1 AND NOT h.relispartition LIMIT 1';
  const [heir] = (await client.query({ text, values: [table], rowMode: 'array' })).rows;
  return heir === undefined ? undefined : `the table ${quote(textOf(heir[0]))} inherits from it`;
}
