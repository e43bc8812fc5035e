import type { Entry } from '../provider.ts';

/** A whole number as node-postgres gives it: a bigint comes as text. */
export function numberOf(value: unknown): number {
  return typeof value === 'string' || typeof value === 'number' ? Number(value) : Number.NaN;
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
