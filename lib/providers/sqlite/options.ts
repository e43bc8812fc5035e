import { resolve } from 'node:path';

import * as z from 'zod/mini';

import { check, object, show, wholeMilliseconds } from '../../check-options.ts';
import { OptionsError } from '../../errors.ts';

/** Where and how `sqlite(…)` stores. */
export interface SqliteOptions {
  /**
   * The path of the database file. The file (0600) and its directories (0700) are made where they are missing.
   * It may hold other tables, too. In-memory databases are refused: the memory provider is for those.
   */
  readonly file: string;
  /**
   * What an acknowledged write outlives. `full`: a power cut (an fsync a commit). `normal`: a crash of the process, while
   * a power cut may take the last commits, but damages nothing.
   * @default 'full'
   */
  readonly durability?: 'full' | 'normal';
  /**
   * Whether commits happen in a worker thread, so that neither fsync nor cold pages hold the event loop. `false`: on the
   * thread that opens the store, a large batch in slices of some milliseconds, but for the commit at its end, which writes each
   * page that it changed; a lone write is acknowledged sooner.
   * @default true
   */
  readonly worker?: boolean;
  /**
   * Names a dictionary's table. Asked once a dictionary, when the file first sees it; the file remembers the answer.
   * @default the dictionary's name, changed where SQLite reserves it or has it already in other letter case
   */
  readonly table?: (storeName: string) => string;
  /** Names the columns. */
  readonly columns?: SqliteColumns;
  /**
   * For how many milliseconds (0 to 60,000) a commit waits for another connection's lock before it fails, to be tried again
   * later. It does not hold the event loop.
   * @default 1_000
   */
  readonly busyTimeoutMs?: number;
  /**
   * How often an open store looks for what other processes have committed, in milliseconds (10 to 60,000). It is only the net
   * behind a watch of the file's directory, by which it mostly hears of a commit within some milliseconds.
   * @default 250
   */
  readonly pollMs?: number;
}

/** The names of a dictionary's columns, for tables that other programs read or that are there already. */
export interface SqliteColumns {
  /** @default 'key' */
  readonly key?: string;
  /** The value as JSON text. @default 'value' */
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

/** The options with their defaults, without what cannot be posted to a worker. */
export interface SqliteSettings {
  /** An absolute path. */
  readonly file: string;
  readonly durability: 'full' | 'normal';
  readonly columns: Required<SqliteColumns>;
  readonly busyTimeoutMs: number;
  readonly pollMs: number;
}

const columnName = z.optional(z.custom<string>((name) => typeof name === 'string' && name !== '' && !name.includes('\0'), 'the name of a column'));

const schema = object({
  file: z.string('the path of a file'),
  durability: z.optional(z.enum(['full', 'normal'], "'full' or 'normal'")),
  worker: z.optional(z.boolean('true or false')),
  table: z.optional(z.custom<(storeName: string) => string>((value) => typeof value === 'function', "a function from a dictionary's name to a table's")),
  columns: z.optional(object({ key: columnName, value: columnName, createdAt: columnName, updatedAt: columnName, version: columnName, expiresAt: columnName })),
  busyTimeoutMs: wholeMilliseconds(0, 60_000),
  pollMs: wholeMilliseconds(10, 60_000),
});

/**
 * The settings that these options mean.
 * @throws OptionsError that names the option, what was expected and what came.
 */
export function checkOptions(options: SqliteOptions): SqliteSettings & Pick<SqliteOptions, 'table'> & { readonly worker: boolean } {
  check(schema, options, 'sqlite()');
  const { file, durability = 'full', worker = true, table, columns, busyTimeoutMs = 1_000, pollMs = 250 } = options;
  return {
    file: checkFile(file),
    durability,
    worker,
    columns: checkColumns({
      key: columns?.key ?? 'key',
      value: columns?.value ?? 'value',
      createdAt: columns?.createdAt ?? 'created_at',
      updatedAt: columns?.updatedAt ?? 'updated_at',
      version: columns?.version ?? 'version',
      expiresAt: columns?.expiresAt ?? 'expires_at',
    }),
    busyTimeoutMs,
    pollMs,
    ...(table === undefined ? {} : { table }),
  };
}

function checkFile(file: string): string {
  const came = `sqlite(): file must be the path of a file, not ${show(file)}`;
  if (file.trim() === '' || file.startsWith(':memory:')) throw new OptionsError(`${came}; for a store in memory use the memory provider.`);
  if (file.startsWith('file:')) throw new OptionsError(`${came}; make a path of a URL with fileURLToPath of node:url.`);
  // better-sqlite3 trims the name that it is given (lib/database.js), and would open another file.
  if (file.includes('\0') || file !== file.trimEnd()) throw new OptionsError(`${came}; it must not hold a NUL or end in white space.`);
  return resolve(file);
}

function checkColumns(columns: Required<SqliteColumns>): Required<SqliteColumns> {
  const seen = new Map<string, string>();
  for (const [option, name] of Object.entries(columns)) {
    const folded = name.toLowerCase();
    const twin = seen.get(folded);
    if (twin !== undefined) {
      throw new OptionsError(`sqlite(): columns.${twin} and columns.${option} must be different names, not ${show(name)} both.`);
    }
    if (['rowid', '_rowid_', 'oid'].includes(folded)) {
      throw new OptionsError(`sqlite(): columns.${option} must not be a name that SQLite gives to its row ids, as ${show(name)} is.`);
    }
    seen.set(folded, option);
  }
  return columns;
}
