import type { Entry } from '../provider.ts';

/** better-sqlite3 takes and gives nothing longer than V8's longest string, of 536,870,888 units. */
export const maxValueBytes = 500_000_000;

/**
 * A value's column as it is read: null where it is too long to be taken, as one that another program made may be. The row would
 * else be an error, and everything behind it out of reach.
 */
export function readable(column: string): string {
  return `iif(octet_length(${column}) > ${maxValueBytes}, NULL, ${column})`;
}

/** A row as `raw()` gives it. The driver's answers have no type: here, and nowhere else, they get one. */
export function rowOf(answer: unknown): readonly unknown[] | undefined {
  return Array.isArray(answer) ? answer : undefined;
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A version as it counts. A row that another program made may hold none, or 0; the contract's least is 1. */
export function versionOf(value: unknown): number {
  return typeof value === 'number' && value >= 1 ? value : 1;
}

/** The entry of a row of key, value, version, expires_at; none where the key is no text, which no store can have written. */
export function entryOf(row: readonly unknown[]): Entry | undefined {
  const [key, value, version, expiresAt] = row;
  if (typeof key !== 'string') return undefined;
  // A blob is read as the text that it may be; a null is no JSON, which is for the core to find.
  const json = typeof value === 'string' ? value : value instanceof Uint8Array ? new TextDecoder().decode(value) : '';
  const entry = { key, json, version: versionOf(version) };
  return typeof expiresAt === 'number' ? { ...entry, expiresAt } : entry;
}
