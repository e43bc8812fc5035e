import type { Provider } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { postgres } from 'rx-persistify/postgres';
import { sqlite } from 'rx-persistify/sqlite';

/** Where a writer opens its dictionary; of a kind that can be sent to it. */
export type Place =
  | { readonly provider: 'json-file'; readonly directory: string }
  | { readonly provider: 'sqlite'; readonly file: string; readonly worker: boolean }
  | { readonly provider: 'postgres'; readonly connection: string; readonly schema: string };

export function providerAt(place: Place): Provider {
  switch (place.provider) {
    case 'json-file':
      // With so small a log, that it is folded many times.
      return jsonFile({ directory: place.directory, logBytes: 1 << 20 });
    case 'sqlite':
      return sqlite({ file: place.file, worker: place.worker });
    case 'postgres':
      return postgres({ connection: place.connection, schema: place.schema });
  }
}
