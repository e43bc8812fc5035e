import { asyncScheduler, type SchedulerLike } from 'rxjs';

import type { StoreOptions } from './options.ts';
import { valueFormat, type ValueFormat } from './value-format.ts';

/** The options of a store with every default filled in. */
export interface Settings {
  readonly batch: { readonly size: number; readonly intervalMs: number };
  readonly retry: { readonly maxAttempts: number; readonly delayMs: number; readonly maxDelayMs: number; readonly probeMs: number };
  readonly limits: { readonly pendingKeys: number; readonly pendingBytes: number };
  readonly format: ValueFormat;
  readonly scheduler: SchedulerLike;
  readonly throwOnFailure: boolean;
}

export function settingsFrom(options: StoreOptions): Settings {
  return {
    batch: { size: 1_000, intervalMs: 100, ...options.batch },
    retry: { maxAttempts: 5, delayMs: 200, maxDelayMs: 10_000, probeMs: 10_000, ...options.retry },
    limits: { pendingKeys: Infinity, pendingBytes: Infinity, ...options.limits },
    format: valueFormat(options.schema, options.codec),
    scheduler: options.scheduler ?? asyncScheduler,
    throwOnFailure: options.throwOnFailure ?? true,
  };
}
