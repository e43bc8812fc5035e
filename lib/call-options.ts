import * as z from 'zod/mini';

import { check, object, show } from './check-options.ts';
import { OptionsError } from './errors.ts';

/** What a call may be given beside its key, value or function. */
const options = {
  ttlMs: { holds: (value: unknown) => typeof value === 'number' && value >= 1, expected: 'a number of milliseconds of at least 1' },
  deadlineMs: { holds: (value: unknown) => typeof value === 'number' && value >= 0, expected: 'a number of milliseconds from 0' },
  signal: { holds: isSignal, expected: 'an AbortSignal' },
};

type Name = keyof typeof options;

const optional = (name: Name) => z.optional(z.custom(options[name].holds, options[name].expected));

/** For everything that waits. */
export const signal = optional('signal');

const groups = {
  setting: group('ttlMs'),
  waiting: group('signal'),
  'setting and waiting': group('ttlMs', 'signal'),
  closing: group('deadlineMs', 'signal'),
};

/** Which options a call takes. */
export type CallOptions = keyof typeof groups;

/**
 * Checks what `call` was given, before anything is applied.
 * @throws OptionsError
 */
export function checkCallOptions(call: string, takes: CallOptions, given: unknown): void {
  if (given === undefined || isRight(groups[takes].names, given)) return;
  check(groups[takes].schema, given, call);
}

/** @throws OptionsError if what `call` was given to be called is no function. */
export function checkCallback(call: string, callback: unknown): void {
  if (typeof callback !== 'function') throw new OptionsError(`${call}: expected a function to be called, not ${show(callback)}.`);
}

/** As `checkCallOptions`, for a call that waits: that rejects, and does not throw. `undefined`: there is nothing to refuse. */
export function refusedOptions(call: string, takes: CallOptions, given: unknown): Promise<never> | undefined {
  return given === undefined ? undefined : rejected(() => checkCallOptions(call, takes, given));
}

/** As `checkCallback`, likewise. */
export function refusedCallback(call: string, callback: unknown): Promise<never> | undefined {
  return typeof callback === 'function' ? undefined : rejected(() => checkCallback(call, callback));
}

function rejected(step: () => void): Promise<never> | undefined {
  try {
    step();
    return undefined;
  } catch (error) {
    if (error instanceof OptionsError) return Promise.reject(error);
    throw error;
  }
}

function group(...names: readonly Name[]): { readonly names: readonly string[]; readonly schema: z.ZodMiniType } {
  return { names, schema: object(Object.fromEntries(names.map((name) => [name, optional(name)]))) };
}

/** Looked at by hand, as zod takes a microsecond, which is as long as a `set` takes: it tells what is wrong, where something is. */
function isRight(names: readonly string[], given: unknown): boolean {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return false;
  try {
    for (const name of Object.keys(given)) if (!names.includes(name)) return false;
    return names.every((name) => isOption(name, Reflect.get(given, name)));
  } catch {
    return false; // an accessor threw
  }
}

function isOption(name: string, value: unknown): boolean {
  return value === undefined || options[name as Name].holds(value); // the names are those of a group
}

/** That of another realm, or of a library, is one too. */
function isSignal(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'aborted' in value && typeof value.aborted === 'boolean' && 'addEventListener' in value && typeof value.addEventListener === 'function';
}
