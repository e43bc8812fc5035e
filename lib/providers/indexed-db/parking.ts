import { unwrap } from 'idb';

import type { Batch } from '../../mutation.ts';
import type { Database } from './schema.ts';

/**
 * Puts a batch down to be committed by whoever comes next: of a page that is left, no answer is waited for any more, and a
 * commit needs one, as it depends on what is there. This is asked for at once and whole, and browsers see such a transaction through
 * (ran in Chromium: for 3,000 puts, on navigation and when the tab is closed). Committed twice it is not, as it has its number.
 */
export function parkBatch(database: Database, dictionary: string, batch: Batch, durability: 'strict' | 'relaxed'): void {
  const transaction = unwrap(database).transaction('parked', 'readwrite', { durability });
  transaction.objectStore('parked').put(batch, [dictionary, batch.writer]);
  transaction.commit();
}
