import { unwrap } from 'idb';

import type { Batch } from '../../mutation.ts';
import { DictionaryTransaction } from './dictionary-transaction.ts';
import type { Dictionary } from './dictionary.ts';
import { allOf, type Database, type ParkedKey } from './schema.ts';

// A transaction on the parked batches asks for everything at once and ends itself, so that none waits for a page. Browsers see such
// a one through when its page is left (ran in Chromium: for 3,000 puts, on navigation and when the tab is closed), unless it has to
// wait for another one of that page, with which it is dropped. So no other transaction may have them in its scope.

/**
 * Puts a batch down to be committed by whoever comes next: of a page that is left, no answer is waited for any more, and a
 * commit needs one, as it depends on what is there. Committed twice it is not, as it has its number.
 */
export function parkBatch(database: Database, dictionary: string, batch: Batch, durability: 'strict' | 'relaxed'): void {
  const transaction = unwrap(database).transaction('parked', 'readwrite', { durability });
  transaction.objectStore('parked').put(batch, [dictionary, batch.writer, batch.number]);
  transaction.commit();
}

/**
 * Commits what pages that were left have parked for a dictionary. It makes the dictionary if it is not there. Where others do the same
 * at the same time, or have ended in the midst of it, each batch is committed once all the same.
 */
export async function commitParked(database: Database, dictionary: Dictionary, durability: 'strict' | 'relaxed'): Promise<void> {
  const { keys, batches } = await readParked(database, dictionary.name);
  if (keys.length === 0) return;
  const transaction = new DictionaryTransaction(database, dictionary, durability);
  await transaction.run(async () => {
    for (const batch of batches) await transaction.apply(batch);
  });
  await removeParked(database, keys);
}

interface Parked {
  readonly keys: readonly ParkedKey[];
  readonly batches: readonly Batch[];
}

async function readParked(database: Database, dictionary: string): Promise<Parked> {
  const transaction = database.transaction('parked');
  const read = Promise.all([transaction.store.getAllKeys(allOf(dictionary)), transaction.store.getAll(allOf(dictionary)), transaction.done]);
  transaction.commit();
  const [keys, batches] = await read;
  return { keys, batches };
}

async function removeParked(database: Database, keys: readonly ParkedKey[]): Promise<void> {
  const transaction = database.transaction('parked', 'readwrite');
  const removed = Promise.all([...keys.map((key) => transaction.store.delete(key)), transaction.done]);
  transaction.commit();
  await removed;
}
