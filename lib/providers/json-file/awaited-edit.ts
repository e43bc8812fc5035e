import { stat } from 'node:fs/promises';

import type { StoreFiles } from './file-names.ts';
import { viewLock } from './lock-view.ts';
import { UnsettledError } from './place.ts';

/** Editors truncate and write, or write in pieces: a file that has changed within this time may not be whole. */
const settleMs = 40;
/** An owner that has not taken in an edit after this time has refused it, or hangs. */
const ownerMs = 5_000;

/**
 * Waits with an edit of the `.json` file until it is whole, and until its living owner has taken it in: only he says after which of
 * his commits it comes. An owner who opened the file as it is has taken it in by that.
 * @throws UnsettledError if it is to be looked at again later.
 */
export async function checkTakenIn(files: StoreFiles): Promise<void> {
  // The one time that no program can set back.
  const { ctimeMs } = await stat(files.json);
  const ageMs = Date.now() - ctimeMs;
  if (ageMs < 0 || ageMs >= ownerMs) return;
  if (ageMs < settleMs) throw new UnsettledError('an edit may not be whole yet');
  const lock = await viewLock(files);
  if (lock !== undefined && ctimeMs > lock.sinceMs && lock.isAlive()) throw new UnsettledError('its owner has not taken in an edit yet');
}
