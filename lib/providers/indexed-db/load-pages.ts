import { CorruptDataError, type PersistifyError } from '../../errors.ts';
import type { Entry, Page } from '../provider.ts';
import type { Connection } from './connection.ts';
import type { Dictionary } from './dictionary.ts';
import { placeOf } from './failures.ts';
import { openDictionary } from './open-dictionary.ts';
import type { ParkedBatches } from './parked-batches.ts';
import { allBehind, allOf, type Database, type DictionaryRow, type Schema } from './schema.ts';

export interface LoadConfig {
  readonly connection: Connection<Schema>;
  readonly parked: ParkedBatches;
  readonly dictionary: Dictionary;
  readonly database: string;
  readonly durability: 'strict' | 'relaxed';
  readonly report: (error: PersistifyError) => void;
}

const pageRows = 1_000;
/** Pages that are read in one transaction, and so are in memory before the first of them is told. */
const stretchPages = 50;

/** Some pages as they were at one moment. */
interface Stretch {
  readonly row: DictionaryRow | undefined;
  readonly pages: readonly (readonly unknown[])[];
}

/**
 * Every entry, in pages. A transaction does not last while nothing is asked of it, so that it cannot wait for who looks at a page:
 * what is of up to 50,000 entries is of one moment; behind those, what is committed meanwhile may be among it, and the feed tells it
 * as well.
 */
export async function* loadPages({ connection, parked, dictionary, database, durability, report }: LoadConfig): AsyncGenerator<Page, void, undefined> {
  const use = { doing: `Loading ${JSON.stringify(dictionary.name)}` };
  const read = (after?: string): Promise<Stretch> => connection.use((opened) => readStretch(opened, dictionary.name, after), use);
  await parked.commit();
  let stretch = await read();
  if (stretch.row === undefined) {
    dictionary.meet(stretch.row);
    await connection.use((opened) => openDictionary(opened, dictionary, { durability, forgetsWriters: false }), use);
    stretch = await read();
  }
  dictionary.meet(stretch.row);
  dictionary.beginReading();
  const version = stretch.row?.head ?? 0;
  dictionary.reached(version);
  let unreadable = 0;
  for (;;) {
    let last: Entry | undefined;
    for (const rows of stretch.pages) {
      const entries = rows.filter(isEntry);
      unreadable += rows.length - entries.length;
      last = entries.at(-1) ?? last;
      yield { entries, version };
    }
    if (last === undefined || stretch.pages.length < stretchPages) break;
    stretch = await read(last.key);
  }
  if (unreadable > 0) {
    const message = `${placeOf(database)}: ${unreadable} entries of the dictionary ${JSON.stringify(dictionary.name)} are not what this package writes; they are left as they are.`;
    report(new CorruptDataError(message, { location: placeOf(database) }));
  }
}

/** At least one page. */
async function readStretch(database: Database, name: string, from: string | undefined): Promise<Stretch> {
  const transaction = database.transaction(['dictionaries', 'entries']);
  transaction.done.catch(() => undefined); // its requests tell
  const entries = transaction.objectStore('entries');
  const row = await transaction.objectStore('dictionaries').get(name);
  const pages: unknown[][] = [];
  let after = from;
  while (pages.length < stretchPages) {
    const rows: unknown[] = await entries.getAll(after === undefined ? allOf(name) : allBehind(name, after), pageRows);
    pages.push(rows);
    after = rows.filter(isEntry).at(-1)?.key;
    if (rows.length < pageRows || after === undefined) break;
  }
  return { row, pages };
}

/** Others of this origin may write to the database, too, as with a browser's tools for developers. */
export function isEntry(row: unknown): row is Entry {
  if (typeof row !== 'object' || row === null || !('key' in row) || !('json' in row) || !('version' in row)) return false;
  return typeof row.key === 'string' && typeof row.json === 'string' && typeof row.version === 'number';
}
