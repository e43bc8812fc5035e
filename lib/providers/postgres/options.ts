import * as z from 'zod/mini';

import { check, object, wholeBetween, wholeMilliseconds } from '../../check-options.ts';
import { OptionsError } from '../../errors.ts';
import { checkConnection } from './connection-options.ts';
import type { Pool, PostgresConnection } from './driver.ts';

export type { PostgresConnection } from './driver.ts';

/** Where and how `postgres(…)` stores. */
export interface PostgresOptions {
  /**
   * A connection string (`postgres://user:password@host:5432/database?sslmode=require`), or what node-postgres takes in its place.
   * @default the environment (PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE), as node-postgres has it
   */
  readonly connection?: string | PostgresConnection | undefined;
  /** A `pg.Pool` of your own in place of `connection`. It is not ended, and one of its clients serves the feed. */
  readonly pool?: PostgresPool;
  /**
   * How many connections there are at most beside the one of the feed. A dictionary needs one at a time.
   * @default 4
   */
  readonly poolSize?: number;
  /**
   * The schema of all tables and functions; made where it is missing.
   * @default 'public'
   */
  readonly schema?: string;
  /**
   * Names a dictionary's table. Asked once a dictionary, when the schema first sees it; the schema remembers the answer.
   * @default the dictionary's name; shortened, with a hash, where PostgreSQL could not hold it in 63 bytes
   */
  readonly table?: (storeName: string) => string;
  /** Names the columns. */
  readonly columns?: PostgresColumns;
  /**
   * The type of the value's column in tables that are made. `json` keeps the text as it was written and is faster. `jsonb` can be
   * indexed and queried, reorders the members of objects, and refuses the character U+0000.
   * @default 'json'
   */
  readonly valueType?: 'json' | 'jsonb';
  /**
   * What an acknowledged write outlives. `full`: a power cut of the server; the server's `synchronous_commit` holds, but `off` is
   * taken as `on`. `normal`: `synchronous_commit` is `off`, and a crash of the server may take the last commits, but damages nothing.
   * @default 'full'
   */
  readonly durability?: 'full' | 'normal';
  /**
   * Whether a pooler in transaction mode (PgBouncer, Supavisor, …) stands between. Then nothing is kept in a server's session:
   * no prepared statements, no settings, and no LISTEN, unless `listen` names a way past the pooler.
   * @default false
   */
  readonly pooler?: boolean;
  /**
   * How the feed hears of commits at once. `true`: by LISTEN on a connection of its own. A string or an object: likewise, by this
   * connection, which leads past a pooler. `false`: it looks each `pollMs`.
   * @default true, and false with `pooler`
   */
  readonly listen?: boolean | string | PostgresConnection;
  /**
   * How often an open store looks for what others have committed, in milliseconds (10 to 60,000). With LISTEN it is only the net
   * behind, for a connection that has died unnoticed.
   * @default 500
   */
  readonly pollMs?: number;
  /**
   * For how many milliseconds a statement may run before it is given up, to be tried again (100 to 3,600,000).
   * @default 30_000
   */
  readonly statementTimeoutMs?: number;
  /**
   * For how many milliseconds making a connection, or waiting for a free one, may take (100 to 600,000).
   * @default 5_000
   */
  readonly connectTimeoutMs?: number;
}

/** What is used of a `pg.Pool`. */
export type PostgresPool = Pool;

/** The names of a dictionary's columns, for tables that other programs read or that are there already. */
export interface PostgresColumns {
  /** @default 'key' */
  readonly key?: string;
  /** The value as JSON. @default 'value' */
  readonly value?: string;
  /** When the entry was made, in milliseconds since 1970. @default 'created_at' */
  readonly createdAt?: string;
  /** When the value was last set, in milliseconds since 1970. @default 'updated_at' */
  readonly updatedAt?: string;
  /** The version of the commit that wrote the entry. @default 'version' */
  readonly version?: string;
  /** When the entry ends, in milliseconds since 1970, or null. @default 'expires_at' */
  readonly expiresAt?: string;
}

/** The options with their defaults. */
export interface PostgresSettings {
  readonly connection: PostgresConnection | string | undefined;
  readonly pool: Pool | undefined;
  readonly poolSize: number;
  readonly schema: string;
  readonly table: ((storeName: string) => string) | undefined;
  readonly columns: Required<PostgresColumns>;
  readonly valueType: 'json' | 'jsonb';
  readonly durability: 'full' | 'normal';
  readonly pooler: boolean;
  readonly listen: boolean | string | PostgresConnection;
  readonly pollMs: number;
  readonly statementTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

/** PostgreSQL cuts longer identifiers. */
export const longestIdentifier = 63;

export const byteLength = (text: string): number => new TextEncoder().encode(text).length;

const isIdentifier = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.isWellFormed() && !value.includes('\0') && byteLength(value) <= longestIdentifier;
const isPool = (value: unknown): boolean => typeof value === 'object' && value !== null && 'connect' in value && typeof value.connect === 'function';
const identifier = z.optional(z.custom<string>(isIdentifier, `a name of 1 to ${longestIdentifier} bytes`));
/** Checked apart, by what never shows the value. */
const secret = z.optional(z.unknown());

const schema = object({
  connection: secret,
  pool: z.optional(z.custom<Pool>(isPool, 'a pg.Pool')),
  poolSize: wholeBetween(1, 1_000),
  schema: identifier,
  table: z.optional(z.custom<(storeName: string) => string>((value) => typeof value === 'function', "a function from a dictionary's name to a table's")),
  columns: z.optional(object({ key: identifier, value: identifier, createdAt: identifier, updatedAt: identifier, version: identifier, expiresAt: identifier })),
  valueType: z.optional(z.enum(['json', 'jsonb'], "'json' or 'jsonb'")),
  durability: z.optional(z.enum(['full', 'normal'], "'full' or 'normal'")),
  pooler: z.optional(z.boolean('true or false')),
  listen: secret,
  pollMs: wholeMilliseconds(10, 60_000),
  statementTimeoutMs: wholeMilliseconds(100, 3_600_000),
  connectTimeoutMs: wholeMilliseconds(100, 600_000),
});

/**
 * The settings that these options mean.
 * @throws OptionsError that names the option, what was expected and what came; but never what may hold a password.
 */
export function checkOptions(options: PostgresOptions): PostgresSettings {
  checkPlaces(options);
  check(schema, options, 'postgres()');
  const { connection, pool, poolSize = 4, schema: schemaName = 'public', table, columns, valueType = 'json', durability = 'full', pooler = false } = options;
  const { listen = !pooler, pollMs = 500, statementTimeoutMs = 30_000, connectTimeoutMs = 5_000 } = options;
  if (connection !== undefined) checkConnection('connection', connection);
  if (typeof listen !== 'boolean') checkConnection('listen', listen, 'true, false, ');
  if (pool !== undefined && connection !== undefined) throw new OptionsError('postgres(): either connection or pool can be given, not both: a pool has its connections already.');
  if (pooler && options.listen === true) {
    throw new OptionsError('postgres(): listen: true cannot work through a pooler: give listen a connection that leads past it, or leave it out to look each pollMs.');
  }
  const named = {
    key: columns?.key ?? 'key',
    value: columns?.value ?? 'value',
    createdAt: columns?.createdAt ?? 'created_at',
    updatedAt: columns?.updatedAt ?? 'updated_at',
    version: columns?.version ?? 'version',
    expiresAt: columns?.expiresAt ?? 'expires_at',
  };
  checkDistinct(named);
  return { connection, pool, poolSize, schema: schemaName, table, columns: named, valueType, durability, pooler, listen, pollMs, statementTimeoutMs, connectTimeoutMs };
}

/** A connection string in another's place is not shown. */
function checkPlaces(options: unknown): void {
  if (typeof options === 'string') throw new OptionsError('postgres(): the argument must be an object of options, not a string. A connection string is given as { connection: … }.');
  if (typeof options === 'object' && options !== null && 'pool' in options && typeof options.pool === 'string') throw new OptionsError('postgres(): pool must be a pg.Pool, not a string.');
}

function checkDistinct(columns: Required<PostgresColumns>): void {
  const seen = new Map<string, string>();
  for (const [option, name] of Object.entries(columns)) {
    const twin = seen.get(name);
    if (twin !== undefined) throw new OptionsError(`postgres(): columns.${twin} and columns.${option} must be different names, not ${JSON.stringify(name)} both.`);
    seen.set(name, option);
  }
}
