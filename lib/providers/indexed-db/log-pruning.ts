import type { IDBPObjectStore } from 'idb';

import { numbersOf, type Schema, type storeNames } from './schema.ts';

/** What the log keeps in any case: the newest rows, and those of the last hour; but never more than a ceiling. */
const logRows = 1_000;
const logAgeMs = 3_600_000;
const logCeiling = 10_000;
/** Pruning looks at some of the oldest rows each so many versions, so that its cost is spread and small. */
const pruneEvery = 64;
const pruneAtMost = 256;

/** Forgets the oldest rows of a dictionary's log: a tab that comes back behind them reads the dictionary anew. */
export async function pruneLog(log: IDBPObjectStore<Schema, typeof storeNames, 'log', 'readwrite'>, dictionary: string, version: number, now: number): Promise<void> {
  if (version % pruneEvery !== 0 || version <= logRows) return;
  const rows = await log.getAll(numbersOf(dictionary, 0, version - logRows), pruneAtMost);
  const last = rows.findLast((row) => row.committedAt < now - logAgeMs || row.version <= version - logCeiling);
  if (last !== undefined) await log.delete(numbersOf(dictionary, 0, last.version));
}
