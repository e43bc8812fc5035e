import { openDB, type DBSchema, type IDBPDatabase } from 'idb';

import { unlessAborted } from '../../aborted.ts';
import { ProviderError } from '../../errors.ts';
import { describeFailure, isConnectionLost, placeOf } from './failures.ts';
import { currentVersion, type Layout } from './schema.ts';

/** For how long other tabs may hold up an opening. */
const openPatienceMs = 5_000;

/** What the connection is wanted for. */
export interface Use {
  /** For messages, as in `Saving "prefs"`. */
  readonly doing: string;
  /** Ends the waiting for the connection. */
  readonly signal?: AbortSignal;
}

/**
 * The connection to a database, opened when it is needed: again, if the browser has closed it, or another tab has had the database
 * deleted or renewed meanwhile, to whose wish it gives way at once.
 */
export class Connection<S extends DBSchema> {
  readonly #name: string;
  readonly #layout: Layout<S>;
  #opening: Promise<IDBPDatabase<S>> | undefined;
  #isClosed = false;

  constructor(name: string, layout: Layout<S>) {
    this.#name = name;
    this.#layout = layout;
  }

  /** @throws ProviderError, or another one in the terms of the contract. */
  async use<T>(work: (database: IDBPDatabase<S>) => Promise<T>, { doing, signal }: Use): Promise<T> {
    const context = { doing, database: this.#name };
    const opening = this.#open();
    const database = await unlessAborted(opening, signal).catch((error: unknown) => {
      if (signal?.aborted === true) throw new ProviderError(`${doing} was aborted before it began.`, { kind: 'retry', cause: error });
      throw describeFailure(error, context);
    });
    try {
      return await work(database);
    } catch (error) {
      // Some browsers lose a connection without a word: then there is no way to begin anything on it.
      if (isConnectionLost(error)) this.#forget(opening, database);
      throw describeFailure(error, context);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const database = await this.#opening?.catch(() => undefined);
    database?.close(); // what is under way ends first
  }

  #open(): Promise<IDBPDatabase<S>> {
    if (this.#opening === undefined) {
      const opening = this.#openInTime();
      this.#opening = opening;
      opening.then(
        (database) => {
          database.addEventListener('close', () => this.#forget(opening, database));
          database.addEventListener('versionchange', () => this.#forget(opening, database));
        },
        () => this.#forget(opening),
      );
    }
    return this.#opening;
  }

  #forget(opening: Promise<IDBPDatabase<S>>, database?: IDBPDatabase<S>): void {
    if (this.#opening === opening) this.#opening = undefined;
    database?.close();
  }

  async #openInTime(): Promise<IDBPDatabase<S>> {
    if (this.#isClosed) throw new ProviderError(`The store in ${placeOf(this.#name)} is closed.`, { kind: 'halt' });
    if (typeof indexedDB === 'undefined') {
      throw new ProviderError('There is no IndexedDB here: it is there in the pages and workers of a browser that is allowed to store site data. Elsewhere take memory(), or another provider.', { kind: 'halt' });
    }
    const { storeNames, create } = this.#layout;
    const found = { isForeign: false, isLate: false };
    const opening = openDB<S>(this.#name, currentVersion, {
      upgrade(database, _oldVersion, _newVersion, transaction) {
        found.isForeign = database.objectStoreNames.length > 0;
        transaction.done.catch(() => undefined); // the opening fails by it
        if (found.isForeign) transaction.abort();
        else create(database);
      },
    });
    let patience: ReturnType<typeof setTimeout> | undefined;
    const giveUp = new Promise<never>((_, reject) => {
      patience = setTimeout(() => {
        found.isLate = true;
        reject(new ProviderError(`${placeOf(this.#name)} cannot be opened: another tab holds an older one of its name, or has it deleted. Reload or close that tab.`, { kind: 'retry' }));
      }, openPatienceMs);
    });
    try {
      const database = await Promise.race([opening, giveUp]);
      if (storeNames.some((name) => !database.objectStoreNames.contains(name))) {
        found.isForeign = true;
        database.close();
        throw new Error('A part of it is missing.');
      }
      return database;
    } catch (error) {
      if (found.isLate) opening.then((database) => database.close()).catch(() => undefined);
      if (found.isForeign) throw new ProviderError(`${placeOf(this.#name)} holds something else. It is left as it is: name another database.`, { kind: 'halt', cause: error });
      throw error;
    } finally {
      clearTimeout(patience);
    }
  }
}
