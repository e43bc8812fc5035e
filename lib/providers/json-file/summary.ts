import { Deadlines } from './deadlines.ts';
import type { JsonFile } from './json-file.ts';
import { keyOf } from './keys.ts';
import type { LogIndex } from './log-index.ts';
import { heldDeadlines } from './read-json.ts';
import type { Slices } from './slices.ts';

/** What is kept in memory of a `.json` file and the logs on it. */
export interface Summary {
  readonly deadlines: Deadlines;
  /** Whether there is no entry at all. */
  readonly empty: boolean;
}

export async function sumUp(json: JsonFile | undefined, index: LogIndex, slices: Slices): Promise<Summary> {
  const deadlines = new Deadlines();
  if (json !== undefined && !index.cleared) {
    for (const [key, expiresAt] of (await heldDeadlines(json, slices)).entries()) {
      deadlines.set(keyOf(key), expiresAt);
      if (slices.due) await slices.rest();
    }
  }
  const { isUsed } = deadlines;
  for (const [raw, change] of index.changes()) {
    // Where no key has a deadline yet, there is none to be taken away.
    if (!isUsed && (change.type !== 'set' || change.expiresAt === undefined)) continue;
    const key = keyOf(raw);
    if (change.type === 'touch') deadlines.postpone(key, change.expiresAt);
    else deadlines.set(key, change.type === 'set' ? change.expiresAt : undefined);
    if (slices.due) await slices.rest();
  }
  const isBare = json === undefined || json.empty || index.cleared;
  return { deadlines, empty: isBare && !hasEntries(index) };
}

function hasEntries(index: LogIndex): boolean {
  return index.added().next().done !== true;
}
