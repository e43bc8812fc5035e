import { InvalidKeyError, OptionsError } from '../../errors.ts';
import type { OpenContext, Provider, ProviderSession } from '../provider.ts';
import { SharedAccess } from '../shared-access.ts';
import { closeDatabase, openDatabase } from './database-access.ts';
import { defaultTableName, unfitTableName } from './identifiers.ts';
import { checkOptions, type SqliteOptions } from './options.ts';
import { retryWhileBusy } from './retry-while-busy.ts';
import { SqliteSession } from './session.ts';

export type { SqliteColumns, SqliteOptions } from './options.ts';

/** How long `open` waits for a lock that another connection holds. */
const openPatienceMs = 5_000;

/**
 * Stores dictionaries in an SQLite file, each in a table of its own, through better-sqlite3 (to be installed beside this
 * package: `npm install better-sqlite3`). Several processes may have the same file open.
 *
 * The file is in WAL mode, so it must lie on a local file system, and `-wal` and `-shm` files stand beside it while it is open.
 * Its tables are plain ones; but what another program writes into them is not noticed by an open store.
 * A table that is there already is taken over if it has the columns, and refused, and left as it is, if not.
 *
 * @throws OptionsError if an option is unknown, or is not what it should be.
 * @example
 * const stores = persistify(sqlite({ file: './data/app.sqlite' }));
 */
export function sqlite(options: SqliteOptions): Provider {
  const { worker, table, ...settings } = checkOptions(options);
  const database = new SharedAccess(() => openDatabase(settings, worker), closeDatabase);
  return {
    name: 'sqlite',
    async open(storeName: string, context: OpenContext): Promise<ProviderSession> {
      if (!storeName.isWellFormed()) throw new InvalidKeyError(`SQLite cannot hold the name ${JSON.stringify(storeName)}: it has half a surrogate pair.`);
      const tableName = table === undefined ? defaultTableName(storeName) : checkTableName(table(storeName));
      const access = await database.acquire();
      try {
        const dictionary = await retryWhileBusy(() => access.committer.open(storeName, tableName), openPatienceMs);
        return new SqliteSession(access, settings, dictionary, context, () => database.release());
      } catch (error) {
        await database.release();
        throw error;
      }
    },
  };
}

function checkTableName(name: unknown): string {
  const problem = typeof name === 'string' ? unfitTableName(name) : 'it is no text';
  if (problem !== undefined || typeof name !== 'string') {
    throw new OptionsError(`sqlite(): table must give the name of a table, and gave ${typeof name === 'string' ? JSON.stringify(name) : typeof name}: ${problem ?? ''}.`);
  }
  return name;
}
