import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { SchedulerLike } from 'rxjs';
import * as z from 'zod/mini';

import { signal } from './call-options.ts';
import { check, object, show } from './check-options.ts';
import { OptionsError } from './errors.ts';
import type { Provider } from './providers/provider.ts';
import { isZodType, type Codec, type Schema } from './value-format.ts';

/** When what is pending is saved: with so many distinct keys, or so long after the first, whichever comes first. */
export interface BatchOptions {
  /** Distinct keys. @default 1_000 */
  readonly size?: number;
  /** Milliseconds. @default 100 */
  readonly intervalMs?: number;
}

/** How a failed attempt to save is met: exponential backoff with full jitter. */
export interface RetryOptions {
  /** How many attempts a series has; the first counts. @default 5 */
  readonly maxAttempts?: number;
  /** The bound of the first wait, in milliseconds; it doubles with each attempt. @default 200, or `maxDelayMs` if that is less */
  readonly delayMs?: number;
  /** No wait is longer, in milliseconds; not less than `delayMs`. @default 10_000, or `delayMs` if that is more */
  readonly maxDelayMs?: number;
  /** While the attempts are spent, one more is made each so many milliseconds. @default 10_000 */
  readonly probeMs?: number;
}

/** How long entries live; `set` may say otherwise for one. */
export interface TtlOptions {
  /** Milliseconds, at least 1. */
  readonly ms: number;
  /** `absolute`: from when it was set. `sliding`: from when it was last set, read by `get` or touched. To be named, as either surprises who thinks of the other. */
  readonly mode: 'sliding' | 'absolute';
}

/** How many of its entries a cache keeps in memory; what is unsaved always stays. */
export interface CacheOptions {
  /** An entry leaves memory so many milliseconds after it was last read or written. @default Infinity */
  readonly keepMs?: number;
  /** More entries than these do not stay: those go that were not read or written for longest. @default 10_000 */
  readonly maxEntries?: number;
}

/** How much may be unsaved. Beyond it plain writes throw `LimitError`, and waiting ones wait. */
export interface LimitOptions {
  /** Distinct keys. @default Infinity */
  readonly pendingKeys?: number;
  /** The length of keys and texts, in UTF-16 units. @default Infinity */
  readonly pendingBytes?: number;
}

/** The options of a store, each with the name of the builder's method that sets it. */
export interface StoreOptions {
  readonly batch?: BatchOptions;
  readonly retry?: RetryOptions;
  readonly limits?: LimitOptions;
  /** How long entries live. @default for ever */
  readonly ttl?: TtlOptions;
  /** What values must be. */
  readonly schema?: Schema;
  /** How values become JSON. */
  readonly codec?: Codec;
  /** Where all time comes from. @default asyncScheduler */
  readonly scheduler?: SchedulerLike;
  /** Whether `setAndSave`, `clearAndSave` and `flush` reject when saving failed; if not, they resolve to `false`. @default true */
  readonly throwOnFailure?: boolean;
}

const wholeFrom = (least: number) => z.custom<number>((value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= least, `a whole number of at least ${least}`);
const milliseconds = z.custom<number>((value) => typeof value === 'number' && value >= 0 && value < 2 ** 31, 'a number of milliseconds from 0 to 2147483647');
const lifetime = z.custom<number>((value) => typeof value === 'number' && value >= 1, 'a number of milliseconds of at least 1');
const bound = z.custom<number>((value) => typeof value === 'number' && value >= 1, 'a number of at least 1');

const sections = {
  batch: object({ size: z.optional(wholeFrom(1)), intervalMs: z.optional(milliseconds) }),
  retry: object({ maxAttempts: z.optional(wholeFrom(1)), delayMs: z.optional(milliseconds), maxDelayMs: z.optional(milliseconds), probeMs: z.optional(milliseconds) }),
  limits: object({ pendingKeys: z.optional(bound), pendingBytes: z.optional(bound) }),
  ttl: object({ ms: lifetime, mode: z.enum(['sliding', 'absolute'], "'sliding' or 'absolute'") }),
  cache: object({ keepMs: z.optional(lifetime), maxEntries: z.optional(bound), signal: z.optional(z.custom<AbortSignal>(signal.holds, signal.expected)) }),
  schema: z.custom<Schema>(isSchema, 'a Standard Schema (zod, valibot, arktype …), or an object with one for each key'),
  codec: z.custom<Codec>(isCodec, 'an object with the functions encode and decode, or a zod codec'),
  scheduler: z.custom<SchedulerLike>((value) => hasFunction(value, 'now') && hasFunction(value, 'schedule'), 'an RxJS scheduler'),
  throwOnFailure: z.boolean('true or false'),
};

const storeOptions = object({
  batch: z.optional(sections.batch),
  retry: z.optional(sections.retry),
  limits: z.optional(sections.limits),
  ttl: z.optional(sections.ttl),
  schema: z.optional(sections.schema),
  codec: z.optional(sections.codec),
  scheduler: z.optional(sections.scheduler),
  throwOnFailure: z.optional(sections.throwOnFailure),
});

/** @throws OptionsError */
export function checkOptions(options: unknown, where: string): asserts options is StoreOptions {
  check(storeOptions, options, where);
  checkRetry((options as StoreOptions).retry, `${where}: retry.`); // which it now is
}

/** @throws OptionsError */
export function checkOption(name: keyof typeof sections, value: unknown, where: string): void {
  check(sections[name], value, where);
  if (name === 'retry') checkRetry(value as RetryOptions, `${where}: `); // which it now is
}

function checkRetry({ delayMs = 0, maxDelayMs = Infinity }: RetryOptions = {}, where: string): void {
  if (maxDelayMs < delayMs) throw new OptionsError(`${where}maxDelayMs must be at least delayMs, which is ${delayMs}, not ${maxDelayMs}.`);
}

/** @throws OptionsError */
export function checkProvider(provider: unknown): asserts provider is Provider {
  if (hasFunction(provider, 'open')) return;
  throw new OptionsError(`persistify(provider): expected a provider such as jsonFile({ directory }), sqlite({ file }), postgres({ connection }) or memory(), not ${show(provider)}.`);
}

function isSchema(value: unknown): boolean {
  if (isStandardSchema(value)) return true;
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isStandardSchema);
}

/** Whether `value` follows the Standard Schema (standardschema.dev); arktype's are functions. */
export function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value;
}

function isCodec(value: unknown): boolean {
  if (hasFunction(value, 'encode') && hasFunction(value, 'decode')) return true;
  return isZodType(value); // those of zod/mini have no methods
}

function hasFunction(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, name) === 'function';
}
