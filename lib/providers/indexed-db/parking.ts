import { unwrap } from 'idb';

import type { Batch } from '../../mutation.ts';
import { Connection } from './connection.ts';
import { DictionaryTransaction } from './dictionary-transaction.ts';
import type { Dictionary } from './dictionary.ts';
import { PageLife } from './page-life.ts';
import { allOf, parkedLayout, parkedName, type ParkedKey, type ParkedSchema, type Schema } from './schema.ts';

export interface ParkingConfig {
  readonly connection: Connection<Schema>;
  readonly database: string;
  readonly durability: 'strict' | 'relaxed';
}

/** A batch that is being committed. */
export interface UnderWay {
  readonly dictionary: string;
  readonly batch: Batch;
  /** So that it may be committed whatever becomes of this. */
  isParked: boolean;
}

/**
 * Puts batches down to be committed by whoever comes next: of a page that is left, no answer is waited for any more, and a commit needs
 * one, as it depends on what is there. Committed twice they are not, as they have their numbers.
 *
 * Its transactions ask for everything at once and end themselves, so that none waits for a page. Browsers see such a one through
 * when its page is left (ran in Chromium: for 3,000 puts, on navigation and when the tab is closed).
 */
export class Parking {
  readonly #config: ParkingConfig;
  readonly #parked: Connection<ParkedSchema>;
  readonly #page = new PageLife(() => this.#park([...this.#underWay]));
  readonly #underWay = new Set<UnderWay>();

  constructor(config: ParkingConfig) {
    this.#config = config;
    this.#parked = new Connection(parkedName(config.database), parkedLayout);
  }

  /** If the page is left before `end`, the batch is parked: with all others that are under way, as a second transaction would wait for the first. */
  begin(dictionary: string, batch: Batch): UnderWay {
    const begun = { dictionary, batch, isParked: false };
    this.#underWay.add(begun);
    if (this.#page.isLeft) this.#park([begun]);
    return begun;
  }

  end(ended: UnderWay): void {
    this.#underWay.delete(ended);
  }

  /**
   * Commits what is parked for a dictionary. It makes the dictionary if it is not there. Where others do the same at the same time, or
   * have ended in the midst of it, each batch is committed once all the same.
   */
  async commit(dictionary: Dictionary, doing: string): Promise<void> {
    const { connection, durability } = this.#config;
    const { keys, batches } = await this.#read(dictionary.name, doing);
    if (keys.length === 0) return;
    await connection.use(async (database) => {
      const transaction = new DictionaryTransaction(database, dictionary, durability);
      await transaction.run(async () => {
        for (const batch of batches) await transaction.apply(batch);
      });
    }, { doing });
    await this.#remove(keys, doing);
  }

  async close(): Promise<void> {
    this.#page.close();
    await this.#parked.close();
  }

  #park(underWay: readonly UnderWay[]): void {
    if (underWay.length === 0) return;
    for (const one of underWay) one.isParked = true;
    const parking = this.#parked.use((database) => {
      const transaction = unwrap(database).transaction('parked', 'readwrite', { durability: this.#config.durability });
      for (const { dictionary, batch } of underWay) transaction.objectStore('parked').put(batch, [dictionary, batch.writer, batch.number]);
      transaction.commit();
      return Promise.resolve();
    }, { doing: 'Parking' });
    parking.catch(() => undefined); // a page that lives on commits it all the same, and hears then what is wrong
  }

  #read(dictionary: string, doing: string): Promise<Parked> {
    return this.#parked.use(async (database) => {
      const transaction = database.transaction('parked');
      const read = Promise.all([transaction.store.getAllKeys(allOf(dictionary)), transaction.store.getAll(allOf(dictionary)), transaction.done]);
      transaction.commit();
      const [keys, batches] = await read;
      return { keys, batches };
    }, { doing });
  }

  #remove(keys: readonly ParkedKey[], doing: string): Promise<void> {
    return this.#parked.use(async (database) => {
      const transaction = database.transaction('parked', 'readwrite');
      const removed = Promise.all([...keys.map((key) => transaction.store.delete(key)), transaction.done]);
      transaction.commit();
      await removed;
    }, { doing });
  }
}

interface Parked {
  readonly keys: readonly ParkedKey[];
  readonly batches: readonly Batch[];
}
