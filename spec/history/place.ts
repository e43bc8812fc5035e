import type { Provider } from 'rx-persistify';
import { postgres } from 'rx-persistify/postgres';
import { sqlite } from 'rx-persistify/sqlite';

export const providerNames = ['sqlite', 'postgres'] as const;
export type ProviderName = (typeof providerNames)[number];

export const storeName = 'history';

/** Where a process opens the dictionary; of a kind that can be sent to it. */
export type Place =
  | { readonly provider: 'sqlite'; readonly file: string; readonly pollMs?: number }
  | { readonly provider: 'postgres'; readonly connection: string; readonly pollMs?: number };

/** So that a connection that has fallen silent is noticed within a history. */
const patience = { statementTimeoutMs: 3_000, connectTimeoutMs: 2_000 };

export function providerAt(place: Place): Provider {
  const poll = place.pollMs === undefined ? {} : { pollMs: place.pollMs };
  if (place.provider === 'sqlite') return sqlite({ file: place.file, ...poll });
  return postgres({ connection: place.connection, ...patience, ...poll });
}
