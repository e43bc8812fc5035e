import { stat } from 'node:fs/promises';

import { CorruptDataError } from '../../errors.ts';
import type { StoreFiles } from './file-names.ts';
import { type JsonFile, openJsonFile } from './json-file.ts';
import { viewLock } from './lock-view.ts';
import { isSameBase, type Place, UnsettledError } from './place.ts';
import { belongsTo } from './recover.ts';
import { Slices } from './slices.ts';

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

/** @throws CorruptDataError for what is no dictionary of this name, or was emptied since the reader stood at `before`. */
export function checkUsable(json: JsonFile, files: StoreFiles, storeName: string, before: Place | undefined): void {
  const location = files.json;
  const name = json.header?.name;
  if (name !== undefined && name !== storeName) throw belongsTo(name, storeName, location);
  if (json.blank && before !== undefined && before.seq > 0) throw new CorruptDataError(`${location} was emptied; to remove every entry, write {} into it`, { location });
}

/** What is told of a file that was there, and is not. */
export function removed(files: StoreFiles): CorruptDataError {
  const location = files.json;
  return new CorruptDataError(`${location} was removed; what it held is shown until it is there again. To remove every entry, write {} into it`, { location });
}

/** The `.json` file as it is now, if it holds what it held when the reader stood at `before`: somebody has only touched it. */
export async function openedAsSame(before: Place, storeName: string): Promise<Place['json']> {
  const { files } = before;
  const json = await openJsonFile(files.json, new Slices());
  if (json === undefined) throw new UnsettledError('a file is gone that was there just now');
  try {
    checkUsable(json, files, storeName, before);
    const { stamp, identity } = json;
    return isSameBase(identity, before.json?.identity) && identity.crc === before.json?.identity.crc ? { stamp, identity } : undefined;
  } finally {
    await json.handle.letGo();
  }
}
