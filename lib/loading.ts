import type { Quarantined } from './change.ts';
import { CorruptDataError, LoadError, PersistifyError, ProviderError } from './errors.ts';
import { checkKey } from './key.ts';
import type { LoadedEntry } from './layers.ts';
import type { Cursor, Entry, Page, ProviderSession } from './providers/provider.ts';
import type { ValueFormat } from './value-format.ts';

/** What takes up what is loaded. */
export interface LoadTarget {
  readonly entry: (entry: Entry, value: unknown) => void;
  readonly quarantined: (quarantined: Quarantined) => void;
}

/**
 * Reads every entry, and hands over its value, or why there is none. Resolves to the place read.
 * @throws LoadError if storage cannot be read.
 */
export async function loadAll(session: ProviderSession, format: ValueFormat, target: LoadTarget): Promise<Cursor> {
  let place: Cursor = { version: 0 };
  try {
    for await (const page of session.load()) {
      place = placeOf(page);
      for (const entry of page.entries) takeUp(entry, format, target);
    }
  } catch (error) {
    throw asLoadError(error);
  }
  return place;
}

/** The place in the order of commits that a page is of. */
export function placeOf({ version, writer, number }: Page): Cursor {
  return { version, ...(writer !== undefined && { writer }), ...(number !== undefined && { number }) };
}

/** As `open` and `reload` throw it. A provider's word that data is damaged or locked stands as it is. */
export function asLoadError(error: unknown): PersistifyError {
  if (error instanceof PersistifyError && !(error instanceof ProviderError)) return error;
  return new LoadError(`Storage could not be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

/** What went wrong, where it is told as `open` does. */
export function causeOf(error: unknown): unknown {
  return error instanceof LoadError ? error.cause : error;
}

/** Hands over the value of one stored entry, or why there is none. */
export function takeUp(entry: Entry, { fromText }: ValueFormat, target: LoadTarget): void {
  let value: unknown;
  try {
    checkKey(entry.key); // another program may have made it
    value = fromText(entry.key, entry.json);
  } catch (error) {
    target.quarantined({ key: entry.key, json: entry.json, error: error instanceof PersistifyError ? error : new CorruptDataError(String(error), { key: entry.key, cause: error }) });
    return;
  }
  target.entry(entry, value);
}

/** A stored entry with its value. */
export function loadedEntry<V>({ json, version, expiresAt }: Entry, value: V): LoadedEntry<V> {
  return expiresAt === undefined ? { value, version, json } : { value, version, json, expiresAt };
}
