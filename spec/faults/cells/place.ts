import { join } from 'node:path';

import type { Provider } from 'rx-persistify';
import { jsonFile, type JsonFileOptions } from 'rx-persistify/json-file';
import { postgres, type PostgresOptions } from 'rx-persistify/postgres';
import { sqlite, type SqliteOptions } from 'rx-persistify/sqlite';

import { databaseName } from './histories.ts';
import type { Cell } from './matrix.ts';
import type { Storages } from './storages.ts';

/** Where a dictionary is kept, in words that another process understands: a provider, and its options. */
export type Place =
  | { readonly column: 'json-file'; readonly options: JsonFileOptions }
  | { readonly column: 'sqlite'; readonly options: SqliteOptions }
  | { readonly column: 'postgres'; readonly options: PostgresOptions };

/** A place with nothing in it. */
export function freshPlace({ column, directory }: Pick<Cell, 'column' | 'directory'>, storages: Storages): Place {
  switch (column) {
    case 'json-file':
      return { column, options: { directory } };
    case 'sqlite':
      return { column, options: { file: join(directory, databaseName) } };
    case 'postgres':
      return { column, options: { connection: storages.server.url, schema: storages.server.freshSchema() } };
    case 'memory':
      throw new Error('No other process sees what is in the memory of this one.');
  }
}

export function providerOf(place: Place): Provider {
  switch (place.column) {
    case 'json-file':
      return jsonFile(place.options);
    case 'sqlite':
      return sqlite(place.options);
    case 'postgres':
      return postgres(place.options);
  }
}

/** The start of a program that has `persistify`, and `providerOf` as above. `dist`: of another build of the package. */
export function imports(dist?: string): string {
  const from = (entry: string): string => JSON.stringify(dist === undefined ? `rx-persistify${entry}` : `${dist}${entry === '' ? '' : `/providers${entry}`}/index.js`);
  return `
import { persistify } from ${from('')};
import { jsonFile } from ${from('/json-file')};
import { sqlite } from ${from('/sqlite')};
import { postgres } from ${from('/postgres')};
const providerOf = ({ column, options }) => ({ 'json-file': jsonFile, sqlite, postgres })[column](options);
const say = (text) => process.stdout.write(text.replaceAll('\\n', ' ') + '\\n');
`;
}
