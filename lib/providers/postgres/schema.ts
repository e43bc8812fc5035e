import { CorruptDataError, ProviderError } from '../../errors.ts';
import { commitFunction } from './commit-function.ts';
import type { Client } from './driver.ts';
import { sqlState } from './failures.ts';
import { checkFormat, currentFormat } from './format.ts';
import { literal, quote, shortened } from './identifiers.ts';
import type { PostgresSettings } from './options.ts';
import { numberOf, textOf } from './rows.ts';
import { namesOf, type Dictionary, type ValueType } from './statements.ts';
import { adoptTable, describeTable } from './table-fit.ts';

export interface DictionaryRequest {
  readonly name: string;
  /** The table to make if the schema does not know the dictionary. */
  readonly table: string;
  readonly settings: PostgresSettings;
  /** For messages. */
  readonly place: string;
}

/** As `server_version_num` tells it. */
const oldestServer = 120_000;

/**
 * Finds the dictionary in the schema, or makes it. A schema that has it, and its function, is only read, so that a user without
 * the right to create anything can open it.
 * @throws ProviderError if its format is newer, or its table's name is taken by a table that does not fit.
 * @throws CorruptDataError if its table is gone.
 */
export async function openDictionary(client: Client, request: DictionaryRequest): Promise<Dictionary> {
  await checkServer(client, request.place);
  const known = await findDictionary(client, request);
  if (known !== undefined && (await hasFunction(client, request, known))) return known;
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
  // IF NOT EXISTS does not help two that make a table at once: one of them fails.
  await client.query(`SELECT pg_advisory_xact_lock(hashtext(${literal(`rx-persistify ${request.settings.schema}`)}))`);
  const dictionary = await openLocked(client, request).catch((error: unknown) => {
    throw sqlState(error) === '42501' ? missingRight(error, request) : error;
  });
  await client.query('COMMIT');
  return dictionary;
}

async function checkServer(client: Client, place: string): Promise<void> {
  const text = "SELECT current_setting('server_version_num')::integer, current_setting('server_version'), current_setting('server_encoding')";
  const [[number, version, encoding] = []] = await rows(client, text);
  if (numberOf(number) < oldestServer) throw new ProviderError(`${place} is PostgreSQL ${textOf(version)}; version 12 is the least.`, { kind: 'halt' });
  if (encoding !== 'UTF8') {
    const message = `${place} is a database of the encoding ${textOf(encoding)}, which cannot hold every key and value. Make one with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`;
    throw new ProviderError(message, { kind: 'halt' });
  }
}

async function openLocked(client: Client, request: DictionaryRequest): Promise<Dictionary> {
  const { settings } = request;
  const [[hasSchema] = []] = await rows(client, 'SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)', [settings.schema]);
  // Not IF NOT EXISTS, which asks for the right to create schemas also where there is nothing to create.
  if (hasSchema !== true) await client.query(`CREATE SCHEMA ${quote(settings.schema)}`);
  for (const [table, definition] of bookkeeping(settings.schema)) {
    if (!(await exists(client, settings.schema, table))) await client.query(definition);
  }
  const dictionary = (await findDictionary(client, request)) ?? (await makeDictionary(client, request));
  if (!(await hasFunction(client, request, dictionary))) await client.query(commitFunction(settings, dictionary).definition);
  // What is left of a dictionary of this name that was removed by hand has another id, and is no part of this one's past.
  const { dictionaries, log, writers } = namesOf(settings.schema, dictionary);
  for (const table of [log, writers]) await client.query(`DELETE FROM ${table} AS o WHERE NOT EXISTS (SELECT FROM ${dictionaries} AS d WHERE d.id = o.dictionary)`);
  return dictionary;
}

/** Their rows are updated in place (HOT), for which a page needs room. */
function bookkeeping(schema: string): readonly (readonly [string, string])[] {
  const { dictionaries, writers, log } = namesOf(schema, { table: '' });
  return [
    [
      'rx_persistify_dictionaries',
      `CREATE TABLE ${dictionaries} (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  table_name text COLLATE "C" NOT NULL UNIQUE,
  format integer NOT NULL,
  head bigint NOT NULL
) WITH (fillfactor = 50)`,
    ],
    [
      'rx_persistify_writers',
      `CREATE TABLE ${writers} (
  dictionary integer NOT NULL,
  writer text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  version bigint NOT NULL,
  result text NOT NULL,
  settled_at bigint NOT NULL,
  PRIMARY KEY (dictionary, writer)
) WITH (fillfactor = 50)`,
    ],
    [
      'rx_persistify_log',
      `CREATE TABLE ${log} (
  dictionary integer NOT NULL,
  version bigint NOT NULL,
  writer text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  committed_at bigint NOT NULL,
  keys text[],
  PRIMARY KEY (dictionary, version)
)`,
    ],
  ];
}

async function findDictionary(client: Client, request: DictionaryRequest): Promise<Dictionary | undefined> {
  const { name, settings, place } = request;
  if (!(await exists(client, settings.schema, 'rx_persistify_dictionaries'))) return undefined;
  const { dictionaries } = namesOf(settings.schema, { table: '' });
  const [[format] = []] = await rows(client, `SELECT max(format) FROM ${dictionaries}`);
  checkFormat(format, `The schema ${quote(settings.schema)} in ${place}`);
  const [row] = await rows(client, `SELECT id, table_name FROM ${dictionaries} WHERE name = $1`, [name]);
  if (row === undefined) return undefined;
  const [id, table] = [numberOf(row[0]), textOf(row[1])];
  const found = await describeTable(client, settings.schema, table, settings.columns);
  if (found.type === 'absent') {
    const cure = `DELETE FROM ${dictionaries} WHERE id = ${id}`;
    throw new CorruptDataError(`The table ${quote(table)} of the dictionary ${JSON.stringify(name)} is gone from ${place}. Restore it, or begin anew: ${cure}`, { location: place });
  }
  if (found.type === 'unfit') throw unfit(request, table, found.problem);
  return { id, name, table, valueType: found.valueType };
}

/** The dictionary's own table under a name that is free; or one that is there already, belongs to none, and fits. */
async function makeDictionary(client: Client, request: DictionaryRequest): Promise<Dictionary> {
  const { name, settings } = request;
  const { dictionaries } = namesOf(settings.schema, { table: '' });
  let table = request.table;
  for (let count = 2; await isTaken(client, request, table); count++) table = shortened(request.table, `${count}`);
  const found = await describeTable(client, settings.schema, table, settings.columns);
  if (found.type === 'unfit') throw unfit(request, table, found.problem);
  const { data } = namesOf(settings.schema, { table });
  let head = 0;
  let valueType: ValueType = settings.valueType;
  if (found.type === 'fit') {
    head = await adoptTable(client, data, settings.columns);
    ({ valueType } = found);
  } else {
    await client.query(tableDefinition(data, settings));
  }
  const text = `INSERT INTO ${dictionaries} (name, table_name, format, head) VALUES ($1, $2, $3, $4) RETURNING id`;
  const [[id] = []] = await rows(client, text, [name, table, currentFormat, head]);
  return { id: numberOf(id), name, table, valueType };
}

/** By another dictionary: as its table, or as an index of that, which PostgreSQL names `sessions_pkey`. */
async function isTaken(client: Client, { settings }: DictionaryRequest, table: string): Promise<boolean> {
  const { dictionaries } = namesOf(settings.schema, { table: '' });
  const text = `SELECT FROM ${dictionaries} AS d WHERE d.table_name = $1 OR EXISTS (
    SELECT FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_class AS t ON t.oid = i.indrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $2 AND c.relname = $1 AND t.relname = d.table_name) LIMIT 1`;
  return (await rows(client, text, [table, settings.schema])).length > 0;
}

function tableDefinition(data: string, { columns, valueType }: PostgresSettings): string {
  const { key, value, createdAt, updatedAt, version, expiresAt } = columns;
  return `CREATE TABLE ${data} (
  ${quote(key)} text COLLATE "C" NOT NULL PRIMARY KEY,
  ${quote(value)} ${valueType} NOT NULL,
  ${quote(createdAt)} bigint NOT NULL,
  ${quote(updatedAt)} bigint NOT NULL,
  ${quote(version)} bigint NOT NULL,
  ${quote(expiresAt)} bigint
) WITH (fillfactor = 90)`;
}

async function hasFunction(client: Client, { settings }: DictionaryRequest, dictionary: Dictionary): Promise<boolean> {
  const text = 'SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND p.proname = $2';
  return (await rows(client, text, [settings.schema, commitFunction(settings, dictionary).name])).length > 0;
}

async function exists(client: Client, schema: string, table: string): Promise<boolean> {
  const text = 'SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2';
  return (await rows(client, text, [schema, table])).length > 0;
}

async function rows(client: Client, text: string, values: readonly unknown[] = []): Promise<readonly (readonly unknown[])[]> {
  const answer = await client.query({ text, values, rowMode: 'array' });
  return answer.rows;
}

function unfit({ name, settings, place }: DictionaryRequest, table: string, problem: string): ProviderError {
  const { key, value, createdAt, updatedAt, version, expiresAt } = settings.columns;
  const expected = `${quote(key)} text PRIMARY KEY, ${quote(value)} json, ${[createdAt, updatedAt, version, expiresAt].map((column) => `${quote(column)} bigint`).join(', ')}`;
  const message = `${place} has a table ${quote(table)} in the schema ${quote(settings.schema)} that cannot hold the dictionary ${JSON.stringify(name)}: ${problem}. Expected are the columns ${expected}. It is left as it is: name another table (option "table"), schema (option "schema") or its columns (option "columns").`;
  return new ProviderError(message, { kind: 'halt' });
}

function missingRight(cause: unknown, { name, settings, place }: DictionaryRequest): ProviderError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `Opening ${JSON.stringify(name)} in ${place} failed: ${reason} (42501). Its table, or this version's function, is not there yet: open it once as a user who may CREATE in the schema ${quote(settings.schema)}; after that, SELECT, INSERT, UPDATE and DELETE on its tables are enough.`;
  return new ProviderError(message, { kind: 'halt', cause });
}
