import { DictionaryTransaction } from './dictionary-transaction.ts';
import type { Dictionary } from './dictionary.ts';
import { numbersOf, type Database } from './schema.ts';

/** A writer that has been silent for so long has no batch left to retry. */
const writerAgeMs = 7 * 24 * 3_600_000;
/** How many of them are forgotten at a time. */
const forgottenWriters = 100;

/** What opening a dictionary found out. */
export interface Opened {
  /** Whether the browser knows of transactions that are more durable than others, and makes those of this dictionary so. */
  readonly isStrict: boolean;
}

export interface Opening {
  readonly durability: 'strict' | 'relaxed';
  /** Whether writers that are gone are forgotten. */
  readonly forgetsWriters: boolean;
}

/** Makes the dictionary if it is not there. */
export async function openDictionary(database: Database, dictionary: Dictionary, { durability, forgetsWriters }: Opening): Promise<Opened> {
  const transaction = new DictionaryTransaction(database, dictionary, durability);
  await transaction.run(async () => {
    await transaction.open();
    if (!forgetsWriters) return;
    const gone = await transaction.writers.index('settledAt').getAllKeys(numbersOf(dictionary.name, 0, Date.now() - writerAgeMs), forgottenWriters);
    await Promise.all(gone.map((key) => transaction.writers.delete(key)));
  });
  return { isStrict: transaction.isStrict };
}
