import { unknownOption, show, unreadable } from './check-options.ts';
import { OptionsError } from './errors.ts';

interface Rule {
  readonly holds: (value: unknown) => boolean;
  readonly expected: string;
}

const ttlMs: Rule = { holds: (value) => typeof value === 'number' && value >= 1, expected: 'a number of milliseconds of at least 1' };
const deadlineMs: Rule = { holds: (value) => typeof value === 'number' && value >= 0, expected: 'a number of milliseconds from 0' };
export const signal: Rule = { holds: isSignal, expected: 'an AbortSignal' };

const rules = (byName: Readonly<Record<string, Rule>>): ReadonlyMap<string, Rule> => new Map(Object.entries(byName));

const groups = {
  set: rules({ ttlMs }),
  wait: rules({ signal }),
  setAndWait: rules({ ttlMs, signal }),
  close: rules({ deadlineMs, signal }),
};

/** Which options a call takes. */
export type CallOptions = keyof typeof groups;

/**
 * Checks what `call` was given, before anything is applied. By hand, as zod takes longer for it than a `set` does for all else.
 * @throws OptionsError
 */
export function checkCallOptions(call: string, takes: CallOptions, given: unknown): void {
  if (given === undefined) return;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new OptionsError(`${call}: the argument must be an object of options, not ${show(given)}.`);
  for (const name of Object.keys(given)) {
    const rule = groups[takes].get(name);
    if (rule === undefined) throw new OptionsError(unknownOption(name, [...groups[takes].keys()], call));
    const value = read(given, name, call);
    if (value !== undefined && !rule.holds(value)) throw new OptionsError(`${call}: ${name} must be ${rule.expected}, not ${show(value)}.`);
  }
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

function read(options: object, name: string, call: string): unknown {
  try {
    return Reflect.get(options, name);
  } catch (cause) {
    throw unreadable(call, cause);
  }
}

/** That of another realm, or of a library, is one too. */
function isSignal(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'aborted' in value && typeof value.aborted === 'boolean' && 'addEventListener' in value && typeof value.addEventListener === 'function';
}
