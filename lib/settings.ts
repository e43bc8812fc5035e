import { asyncScheduler, type SchedulerLike } from 'rxjs';

import type { CacheOptions, StoreOptions, TtlOptions } from './options.ts';
import { valueFormat, type ValueFormat } from './value-format.ts';

/** The options of a store with every default filled in. */
export interface Settings {
  readonly batch: { readonly size: number; readonly intervalMs: number };
  readonly retry: { readonly maxAttempts: number; readonly delayMs: number; readonly maxDelayMs: number; readonly probeMs: number };
  readonly limits: { readonly pendingKeys: number; readonly pendingBytes: number };
  /** None: entries live for ever, unless they are told otherwise. */
  readonly ttl: TtlOptions | undefined;
  readonly format: ValueFormat;
  readonly scheduler: SchedulerLike;
  readonly throwOnFailure: boolean;
}

export function settingsFrom({ batch, retry, limits, ttl, schema, codec, scheduler, throwOnFailure }: StoreOptions): Settings {
  return {
    batch: { size: batch?.size ?? 1_000, intervalMs: batch?.intervalMs ?? 100 },
    retry: {
      maxAttempts: retry?.maxAttempts ?? 5,
      delayMs: retry?.delayMs ?? 200,
      maxDelayMs: retry?.maxDelayMs ?? Math.max(10_000, retry?.delayMs ?? 0),
      probeMs: retry?.probeMs ?? 10_000,
    },
    limits: { pendingKeys: limits?.pendingKeys ?? Infinity, pendingBytes: limits?.pendingBytes ?? Infinity },
    ttl,
    format: valueFormat(schema, codec),
    scheduler: scheduler ?? asyncScheduler,
    throwOnFailure: throwOnFailure ?? true,
  };
}

/** The options of a cache likewise. */
export interface CacheSettings {
  readonly keepMs: number;
  readonly maxEntries: number;
}

export function cacheSettingsFrom({ keepMs = Infinity, maxEntries = 10_000 }: CacheOptions): CacheSettings {
  return { keepMs, maxEntries };
}
