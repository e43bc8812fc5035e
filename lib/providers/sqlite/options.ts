import { resolve } from 'node:path';

import * as z from 'zod/mini';

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
   * thread that opens the store, in slices of 1,000 rows; a lone write is acknowledged sooner.
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
   * For how many milliseconds (0 to 50) a commit waits for another connection's lock before it fails, to be tried again later.
   * SQLite waits synchronously: with `worker: false` it holds the event loop.
   * @default 50
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

const columnName = z.optional(z.string().check(z.minLength(1), z.refine(name => !name.includes('\0'))));

const schema = z.strictObject({
  file: z.string(),
  durability: z.optional(z.enum(['full', 'normal'])),
  worker: z.optional(z.boolean()),
  table: z.optional(z.custom<(storeName: string) => string>(value => typeof value === 'function')),
  columns: z.optional(
    z.strictObject({
      key: columnName,
      value: columnName,
      createdAt: columnName,
      updatedAt: columnName,
      version: columnName,
      expiresAt: columnName,
    }),
  ),
  busyTimeoutMs: z.optional(z.int().check(z.gte(0), z.lte(50))),
  pollMs: z.optional(z.int().check(z.gte(10), z.lte(60_000))),
});

const expectations: Readonly<Record<string, string>> = {
  '': 'an object with at least `file`',
  file: 'the path of a file',
  durability: "'full' or 'normal'",
  worker: 'true or false',
  table: "a function from a dictionary's name to a table's",
  columns: 'an object of column names',
  busyTimeoutMs: 'a whole number of milliseconds from 0 to 50',
  pollMs: 'a whole number of milliseconds from 10 to 60,000',
};

const known = {
  '': Object.keys(schema.shape),
  columns: ['key', 'value', 'createdAt', 'updatedAt', 'version', 'expiresAt'],
};

/**
 * The settings that these options mean.
 * @throws OptionsError that names the option, what was expected and what came.
 */
export function checkOptions(options: unknown): SqliteSettings & Pick<SqliteOptions, 'table'> & { readonly worker: boolean } {
  const checked = schema.safeParse(options);
  if (!checked.success) throw new OptionsError(describeIssue(checked.error.issues[0], options));
  const { file, durability = 'full', worker = true, table, columns, busyTimeoutMs = 50, pollMs = 250 } = checked.data;
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
  const came = `sqlite(): option "file" should be the path of a file, got ${describe(file)}`;
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
      throw new OptionsError(`sqlite(): options "columns.${twin}" and "columns.${option}" should be different names, got ${describe(name)} for both.`);
    }
    if (['rowid', '_rowid_', 'oid'].includes(folded)) {
      throw new OptionsError(`sqlite(): option "columns.${option}" should not be a name that SQLite gives to its row ids, got ${describe(name)}.`);
    }
    seen.set(folded, option);
  }
  return columns;
}

type Issue = z.core.$ZodIssue;

function describeIssue(issue: Issue | undefined, options: unknown): string {
  const path = issue?.path.map(String) ?? [];
  const option = path.join('.');
  if (issue?.code === 'unrecognized_keys') {
    const name = issue.keys[0] ?? '';
    const guess = guessName(name, option === 'columns' ? known.columns : known['']);
    const full = option === '' ? name : `${option}.${name}`;
    return `sqlite(): there is no option "${full}"${guess === undefined ? `; there are ${(option === 'columns' ? known.columns : known['']).join(', ')}` : `; did you mean "${guess}"?`}`;
  }
  const expected = expectations[option] ?? 'the name of a column';
  const came = describe(valueAt(options, path));
  return option === '' ? `sqlite() should be given ${expected}, got ${came}.` : `sqlite(): option "${option}" should be ${expected}, got ${came}.`;
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  let current = value;
  for (const name of path) current = typeof current === 'object' && current !== null ? Reflect.get(current, name) : undefined;
  return current;
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean') return String(value);
  return Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** The known name that was probably meant, if one is near. */
function guessName(name: string, names: readonly string[]): string | undefined {
  const near = names.map(candidate => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }));
  near.sort((a, b) => a.distance - b.distance);
  const best = near[0];
  return best !== undefined && best.distance <= Math.max(2, best.candidate.length / 3) ? best.candidate : undefined;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
