import type { OpenContext, Provider, ProviderSession } from '../provider.ts';
import { SharedAccess } from '../shared-access.ts';
import { closeDatabase, openDatabase } from './database-access.ts';
import { Dictionary } from './dictionary.ts';
import { openDictionary } from './open-dictionary.ts';
import { settingsFrom, type IndexedDbOptions } from './options.ts';
import { ParkedBatches } from './parked-batches.ts';
import { IndexedDbSession } from './session.ts';

/**
 * Stores dictionaries in an IndexedDB database of the browser, through idb (to be installed beside this package: `npm install idb`),
 * in pages and workers. Any number of tabs and workers of one origin may have the same dictionary open; each hears of the others'
 * commits, in their order, none missed.
 *
 * A tab may end at any time: {@link flushWhenHidden} saves when it is put away. And a browser may delete what a site has stored if room
 * is short, unless `navigator.storage.persist()` was granted; a store that is open then is told by a `DataLostError`.
 *
 * @throws OptionsError if an option is unknown, or is not what it should be.
 * @example
 * const stores = persistify(indexedDb());
 */
export function indexedDb(options: IndexedDbOptions = {}): Provider {
  const settings = settingsFrom(options);
  const shared = new SharedAccess(() => openDatabase(settings), closeDatabase);
  return {
    name: 'indexed-db',
    async open(storeName: string, context: OpenContext): Promise<ProviderSession> {
      const access = await shared.acquire();
      try {
        const dictionary = new Dictionary(storeName, settings.database, context.report);
        const parked = new ParkedBatches(access, dictionary, context.report);
        // A writer is not forgotten while something of it may be parked, which would be committed once more.
        const forgetsWriters = await parked.commit();
        const { durability } = settings;
        const opened = await access.connection.use((database) => openDictionary(database, dictionary, { durability, forgetsWriters }), { doing: `Opening ${JSON.stringify(storeName)}` });
        return new IndexedDbSession({ access, dictionary, parked, opened, context, release: () => shared.release() });
      } catch (error) {
        await shared.release();
        throw error;
      }
    },
  };
}
