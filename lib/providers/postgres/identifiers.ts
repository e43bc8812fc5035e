import { createHash } from 'node:crypto';

import { byteLength, longestIdentifier } from './options.ts';

/** The name as an identifier in SQL, whatever it holds. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The text as a literal in SQL, whatever it holds, with any setting of standard_conforming_strings. */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return text.includes('\\') ? ` E${quoted}` : quoted;
}

/** Why no table can have this name, or `undefined` if one can. */
export function unfitTableName(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name.includes('\0')) return 'it holds a NUL character';
  if (!name.isWellFormed()) return 'it holds half a surrogate pair';
  if (byteLength(name) > longestIdentifier) return `it is longer than ${longestIdentifier} bytes`;
  if (name.startsWith('rx_persistify_')) return 'names of this kind are reserved';
  return undefined;
}

/** A table's name for a dictionary that has none of its user's choice: its own where that can be. */
export function defaultTableName(storeName: string): string {
  return unfitTableName(storeName) === undefined ? storeName : shortened(storeName.startsWith('rx_persistify_') ? `dictionary_${storeName}` : storeName, shortHash(storeName));
}

/** The name with a suffix, in the bytes that there are. */
export function shortened(name: string, suffix: string): string {
  let kept = '';
  for (const letter of name) {
    if (byteLength(kept + letter) > longestIdentifier - 1 - suffix.length) break;
    kept += letter;
  }
  return `${kept}_${suffix}`;
}

/** Tells texts apart in an identifier. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
