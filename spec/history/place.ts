import type { Provider } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';

export const providerNames = ['sqlite'] as const;
export type ProviderName = (typeof providerNames)[number];

export const storeName = 'history';

/** Where a process opens the dictionary; of a kind that can be sent to it. */
export interface Place {
  readonly provider: 'sqlite';
  readonly file: string;
  readonly pollMs?: number;
}

export function providerAt({ file, pollMs }: Place): Provider {
  return sqlite({ file, ...(pollMs === undefined ? {} : { pollMs }) });
}
