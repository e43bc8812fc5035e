import type { PersistifyError } from '../../errors.ts';
import type { Batch } from '../../mutation.ts';
import type { Use } from './connection.ts';
import type { DatabaseAccess } from './database-access.ts';
import type { Dictionary } from './dictionary.ts';
import { DictionaryTransaction } from './dictionary-transaction.ts';
import { describeFailure } from './failures.ts';

/** What pages that were left have parked for one dictionary. */
export class ParkedBatches {
  readonly #access: DatabaseAccess;
  readonly #dictionary: Dictionary;
  readonly #report: (error: PersistifyError) => void;
  /** What is in the way, as it was told. */
  #told: string | undefined;

  constructor(access: DatabaseAccess, dictionary: Dictionary, report: (error: PersistifyError) => void) {
    this.#access = access;
    this.#dictionary = dictionary;
    this.#report = report;
  }

  /**
   * Commits it. It makes the dictionary if it is not there. Where others do the same at the same time, or have ended in the midst of it,
   * each batch is committed once all the same.
   *
   * Never rejects: what is in the way, as a want of room, is told, once, and left for a later look. The dictionary can be read all
   * the same, and what it has be deleted, by which there may be room again. Resolves to whether nothing is left.
   */
  async commit(): Promise<boolean> {
    const { parking, settings } = this.#access;
    const use = { doing: `Saving what a page has parked for ${JSON.stringify(this.#dictionary.name)}` };
    /** By writer. */
    const failures = new Map<string, unknown>();
    try {
      for (const batch of await parking.read(this.#dictionary.name, use)) {
        // One for which there is no room holds back no other but those of its writer, which must not overtake it.
        if (!failures.has(batch.writer)) await this.#commit(batch, use).catch((error: unknown) => failures.set(batch.writer, error));
      }
    } catch (error) {
      failures.set('', error);
    }
    if (failures.size === 0) {
      this.#told = undefined;
      return true;
    }
    const [first] = failures.values();
    this.#tell(describeFailure(first, { ...use, database: settings.database }));
    return false;
  }

  async #commit(batch: Batch, use: Use): Promise<void> {
    const { connection, parking, settings } = this.#access;
    await connection.use((database) => {
      const transaction = new DictionaryTransaction(database, this.#dictionary, settings.durability);
      return transaction.run(() => transaction.apply(batch));
    }, use);
    await parking.remove(this.#dictionary.name, batch, use);
  }

  #tell(failure: PersistifyError): void {
    if (failure.message !== this.#told) this.#report(failure);
    this.#told = failure.message;
  }
}
