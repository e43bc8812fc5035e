import * as z from 'zod/mini';

import { check, object, wholeMilliseconds } from '../../check-options.ts';

/** Where and how `indexedDb(…)` stores. */
export interface IndexedDbOptions {
  /**
   * The name of the database. It holds any number of dictionaries, and nothing of any other program. Beside it is one whose name ends in
   * ` parked`, for what pages that were left could not commit any more.
   * @default 'rx-persistify'
   */
  readonly database?: string;
  /**
   * What an acknowledged write outlives. `strict`: a power cut, where the browser can promise that (`capabilities.durability` says so).
   * `relaxed`: a crash of the browser, while a power cut may take the last commits.
   * @default 'strict'
   */
  readonly durability?: 'strict' | 'relaxed';
  /**
   * How often an open store looks for what other tabs have committed, in milliseconds (10 to 60,000). It is only the net behind
   * a BroadcastChannel, by which it mostly hears of a commit within some milliseconds.
   * @default 1_000
   */
  readonly pollMs?: number;
}

const schema = object({
  database: z.optional(z.custom<string>((value) => typeof value === 'string' && value !== '', 'the name of a database')),
  durability: z.optional(z.enum(['strict', 'relaxed'], "'strict' or 'relaxed'")),
  pollMs: wholeMilliseconds(10, 60_000),
});

/**
 * The options with every default filled in.
 * @throws OptionsError that names the option, what was expected and what came.
 */
export function settingsFrom(options: IndexedDbOptions): Required<IndexedDbOptions> {
  check(schema, options, 'indexedDb()');
  const { database = 'rx-persistify', durability = 'strict', pollMs = 1_000 } = options;
  return { database, durability, pollMs };
}
