import { InvalidKeyError, OptionsError } from '../../errors.ts';
import type { OpenContext, Provider, ProviderSession } from '../provider.ts';
import { SharedAccess } from '../shared-access.ts';
import { defaultTableName, unfitTableName } from './identifiers.ts';
import { checkOptions, type PostgresOptions } from './options.ts';
import { openDictionary } from './schema.ts';
import { connectToServer, leaveServer } from './server-access.ts';
import { PostgresSession } from './session.ts';

export type { PostgresColumns, PostgresConnection, PostgresOptions, PostgresPool } from './options.ts';

/**
 * Stores dictionaries in PostgreSQL (12 or later), each in a table of its own, through node-postgres (to be installed beside this
 * package: `npm install pg`). Any number of processes on any number of machines may have the same dictionary open; each hears of
 * the others' commits, in their order, none missed.
 *
 * Its tables are plain ones, in one schema; but what another program writes into them is not noticed by an open store.
 * A table that is there already is taken over if it has the columns, and refused, and left as it is, if not.
 * The first opening of a dictionary needs the right to create in the schema; after that, reading and writing its tables is enough.
 *
 * @throws OptionsError if an option is unknown, or is not what it should be.
 * @example
 * const stores = persistify(postgres({ connection: 'postgres://app@db.example.com/app?sslmode=verify-full' }));
 */
export function postgres(options: PostgresOptions = {}): Provider {
  const settings = checkOptions(options);
  const server = new SharedAccess(() => connectToServer(settings), leaveServer);
  return {
    name: 'postgres',
    async open(storeName: string, context: OpenContext): Promise<ProviderSession> {
      if (!storeName.isWellFormed() || storeName.includes('\0')) {
        throw new InvalidKeyError(`PostgreSQL cannot hold the name ${JSON.stringify(storeName)}: it has ${storeName.includes('\0') ? 'a NUL character' : 'half a surrogate pair'}.`);
      }
      const table = settings.table === undefined ? defaultTableName(storeName) : checkTableName(settings.table(storeName));
      const access = await server.acquire();
      try {
        const { connections } = access;
        const request = { name: storeName, table, settings, place: connections.place };
        const dictionary = await connections.use((client) => openDictionary(client, request), { doing: `Opening ${JSON.stringify(storeName)}`, transaction: true });
        return new PostgresSession(access, settings, dictionary, context, () => server.release());
      } catch (error) {
        await server.release();
        throw error;
      }
    },
  };
}

function checkTableName(name: unknown): string {
  const problem = typeof name === 'string' ? unfitTableName(name) : 'it is no text';
  if (problem !== undefined || typeof name !== 'string') {
    throw new OptionsError(`postgres(): table must give the name of a table, and gave ${typeof name === 'string' ? JSON.stringify(name) : typeof name}: ${problem ?? ''}.`);
  }
  return name;
}
