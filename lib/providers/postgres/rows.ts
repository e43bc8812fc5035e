import type { Entry } from '../provider.ts';
import type { ValueParsers } from './driver.ts';

/** The number of the type `boolean` (postgresql.org/docs/current/catalog-pg-type-h.html). */
const booleanType = 16;

/**
 * Of a statement of ours: all values are texts, but for what is true or false. What node-postgres makes of a type otherwise is for
 * the program to say (`pg.types.setTypeParser` is for the whole process), and many have it make bigints of whole numbers.
 */
export const valueParsers: ValueParsers = {
  getTypeParser: (type) => (type === booleanType ? (text) => text === 't' : (text) => text),
};

/** A whole number: as a text, or as a number or bigint where a pool that was given heeds no `valueParsers`. */
export function numberOf(value: unknown): number {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' ? Number(value) : Number.NaN;
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A version as it counts. A row that another program made may hold none, or 0; the contract's least is 1. */
export function versionOf(value: unknown): number {
  const version = numberOf(value);
  return version >= 1 ? version : 1;
}

/** The entry of a row of key, value, version, expires_at. A null value is no JSON, which is for the core to find. */
export function entryOf([key, value, version, expiresAt]: readonly unknown[]): Entry {
  const entry = { key: textOf(key), json: textOf(value), version: versionOf(version) };
  return expiresAt === null || expiresAt === undefined ? entry : { ...entry, expiresAt: numberOf(expiresAt) };
}
