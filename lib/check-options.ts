import * as z from 'zod/mini';

import { OptionsError } from './errors.ts';

/** Options by name; others are refused. Each member's message says what is expected of it: `z.boolean('true or false')`. */
export const object = <S extends z.core.$ZodShape>(shape: S) => z.strictObject(shape, 'an object of options');

/** An option that is a whole number in these bounds; `of`: what is counted, as in `of milliseconds `. */
export const wholeBetween = (least: number, most: number, of = '') =>
  z.optional(z.custom<number>((value) => typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most, `a whole number ${of}from ${least} to ${most}`));

/** An option that is a number for which that holds; `expected` says it. */
export const numberThat = (holds: (value: number) => boolean, expected: string) => z.optional(z.custom<number>((value) => typeof value === 'number' && holds(value), expected));

/** How often a second; Infinity is allowed. */
export const ratePerSecond = () => numberThat((value) => value > 0, 'a number above 0');

/** As long as a timer can run, also a fraction of a millisecond. */
export const timerMilliseconds = () => numberThat((value) => value >= 1 && value < 2 ** 31, 'a number of milliseconds from 1 to 2147483647');

export const aFunction = () => z.optional(z.custom<() => unknown>((value) => typeof value === 'function', 'a function'));

/** @see wholeBetween */
export const wholeMilliseconds = (least: number, most: number) => wholeBetween(least, most, 'of milliseconds ');

/**
 * Checks what a user gave against a schema whose messages say what is expected.
 * @param where heads the message: the call, or the option.
 * @throws OptionsError that names what was wrong, what was expected and what came, with a guess at a name that is not known.
 */
export function check(schema: z.ZodMiniType, value: unknown, where: string): void {
  const result = parse(schema, value, where);
  if (!result.success) throw new OptionsError(result.error.issues.map((issue) => describe(issue, schema, where)).join(' '));
}

function parse(schema: z.ZodMiniType, value: unknown, where: string): ReturnType<typeof z.safeParse> {
  try {
    return z.safeParse(schema, value, { reportInput: true });
  } catch (cause) {
    throw unreadable(where, cause);
  }
}

/** What options are refused with that throw as they are read. */
export function unreadable(where: string, cause: unknown): OptionsError {
  return new OptionsError(`${where}: the options could not be read; one of them, an accessor or proxy, threw.`, { cause });
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodMiniType, where: string): string {
  const path = issue.path.map(String).join('.');
  if (issue.code !== 'unrecognized_keys') {
    return `${where}: ${path === '' ? 'the argument' : path} must be ${issue.message}, not ${show(issue.input)}.${path === '' && typeof issue.input === 'string' ? asOption(schema) : ''}`;
  }
  const known = knownNames(schema, issue.path.map(String));
  return issue.keys.map((name) => unknownOption(name, known, where, path === '' ? '' : `${path}.`)).join(' ');
}

/** What is said of a name that is not known, with a guess at the one meant. */
export function unknownOption(name: string, known: readonly string[], where: string, path = ''): string {
  const meant = closest(name, known);
  return `${where}: there is no option ${path}${name}.${meant === undefined ? '' : ` Did you mean ${meant}?`} Known are ${known.join(', ')}.`;
}

/** What is given alone was probably meant to be the one option that is needed. */
function asOption(schema: unknown): string {
  const needed = Object.entries(unwrap(schema) ?? {}).find(([, member]) => !(member instanceof z.ZodMiniOptional));
  return needed === undefined ? '' : ` Did you mean { ${needed[0]}: … }?`;
}

function knownNames(schema: z.ZodMiniType, path: readonly string[]): string[] {
  let at: unknown = schema;
  for (const step of path) at = unwrap(at)?.[step];
  return Object.keys(unwrap(at) ?? {});
}

function unwrap(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  if (schema instanceof z.ZodMiniOptional) return unwrap(schema.def.innerType);
  return schema instanceof z.ZodMiniObject ? schema.def.shape : undefined;
}

/** A value as a message names it. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'bigint' ? `${value}n` : String(value);
}

/** What other libraries call the same. */
const synonyms = ['directory dir folder file filename path database', 'connection connectionstring url uri dsn', 'ms ttlms ttl maxage', 'maxattempts retries attempts'].map((group) => group.split(' '));

/** The candidate that `name` was probably meant to be: one of the same meaning, or at most a third of its letters away (Levenshtein distance). */
export function closest(name: string, candidates: readonly string[]): string | undefined {
  const group = synonyms.find((names) => names.includes(name.toLowerCase()));
  const same = candidates.find((candidate) => group?.includes(candidate.toLowerCase()));
  if (same !== undefined) return same;
  const ranked = candidates.map((candidate) => ({ candidate, distance: distance(name.toLowerCase(), candidate.toLowerCase()) }));
  const best = ranked.sort((left, right) => left.distance - right.distance)[0];
  return best !== undefined && best.distance <= Math.max(2, best.candidate.length / 3) ? best.candidate : undefined;
}

function distance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [row, letter] of Array.from(from).entries()) {
    const current = [row + 1];
    for (const [column, other] of Array.from(to).entries()) {
      const substituted = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      current.push(Math.min(substituted, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
