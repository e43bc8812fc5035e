import { unwrap } from 'idb';

import type { Batch } from '../../mutation.ts';
import { Connection, type Use } from './connection.ts';
import { PageLife } from './page-life.ts';
import { allOf, parkedLayout, parkedName, type ParkedKey, type ParkedSchema } from './schema.ts';

export interface ParkingConfig {
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

  /** What is parked for a dictionary, of each writer in the order of its numbers. */
  read(dictionary: string, use: Use): Promise<readonly Batch[]> {
    return this.#parked.use(async (database) => {
      const transaction = database.transaction('parked');
      const read = Promise.all([transaction.store.getAll(allOf(dictionary)), transaction.done]);
      transaction.commit();
      const [batches] = await read;
      return batches;
    }, use);
  }

  remove(dictionary: string, batch: Batch, use: Use): Promise<void> {
    return this.#parked.use(async (database) => {
      const transaction = database.transaction('parked', 'readwrite');
      const removed = Promise.all([transaction.store.delete(keyOf(dictionary, batch)), transaction.done]);
      transaction.commit();
      await removed;
    }, use);
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
      for (const { dictionary, batch } of underWay) transaction.objectStore('parked').put(batch, keyOf(dictionary, batch));
      transaction.commit();
      return Promise.resolve();
    }, { doing: 'Parking' });
    parking.catch(() => undefined); // a page that lives on commits it all the same, and hears then what is wrong
  }
}

function keyOf(dictionary: string, { writer, number }: Batch): ParkedKey {
  return [dictionary, writer, number];
}
