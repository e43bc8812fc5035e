import { OptionsError } from '../errors.ts';
import type { Closable, Unsaved } from './closing.ts';

const exitSignals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGBREAK', 'SIGUSR2'] as const;

/** A signal that asks a program to end. */
export type ExitSignal = (typeof exitSignals)[number];

export interface FlushOnExitOptions {
  /** How long saving and closing may take, all stores together, in milliseconds. @default 5_000 */
  readonly deadlineMs?: number;
  /** Which signals end the program; none: only that there is nothing left to do. @default ['SIGTERM', 'SIGINT'] */
  readonly signals?: readonly ExitSignal[];
  /**
   * Told once, if something was not saved, just before the program ends: nothing asynchronous that it begins is waited for.
   * @default a line to `console.error` for each store
   */
  readonly report?: (unsaved: readonly Unsaved[]) => void;
}

const known: readonly (keyof FlushOnExitOptions)[] = ['deadlineMs', 'signals', 'report'];

/** @throws OptionsError that names the option, what was expected and what came. */
export function checkExitOptions(options: unknown): void {
  if (!isObject(options) || Array.isArray(options)) throw mustBe('the second argument', 'an object of options, such as { deadlineMs: 5_000 }', options);
  const unknown = Object.keys(options).find((name) => !known.some((option) => option === name));
  if (unknown !== undefined) throw new OptionsError(`flushOnExit: there is no option ${unknown}. Known are ${known.join(', ')}.`);
  const [deadlineMs, signals, report] = known.map((name): unknown => Reflect.get(options, name));
  if (deadlineMs !== undefined && !isMilliseconds(deadlineMs)) throw mustBe('deadlineMs', 'a number of milliseconds from 0 to 2147483647', deadlineMs);
  if (signals !== undefined) checkSignals(signals);
  if (report !== undefined && typeof report !== 'function') throw mustBe('report', 'a function', report);
}

/**
 * What gives the stores that there are when it is called. What can be read twice is checked at once; what is no store then
 * is one that fails to close, so that the others close all the same.
 * @throws OptionsError
 */
export function readerOf(stores: unknown): () => readonly Closable[] {
  if (isClosable(stores)) return () => [stores];
  if (!isIterable(stores)) throw mustBe('the first argument', 'an open store or an iterable of open stores, such as [prefs, sessions]', stores);
  const iterator: unknown = stores[Symbol.iterator]();
  const wrong = iterator === stores ? [] : Array.from(stores).filter((store) => !isClosable(store));
  if (wrong.length > 0) throw noStore(wrong[0]);
  return () => Array.from(stores, (store) => (isClosable(store) ? store : { name: show(store), unsaved: [], close: () => Promise.reject(noStore(store)) }));
}

function noStore(value: unknown): OptionsError {
  return mustBe('each store', 'an object with name, unsaved and close, as open() resolves to', value);
}

function checkSignals(signals: unknown): void {
  const expected = `an array of ${exitSignals.join(', ')}`;
  if (!Array.isArray(signals)) throw mustBe('signals', expected, signals);
  const wrong: unknown[] = signals.filter((signal) => !exitSignals.some((exitSignal) => exitSignal === signal));
  if (wrong.length > 0) throw mustBe('signals', expected, wrong[0]);
}

function isMilliseconds(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value < 2 ** 31;
}

function isClosable(value: unknown): value is Closable {
  return isObject(value) && typeof Reflect.get(value, 'close') === 'function' && typeof Reflect.get(value, 'name') === 'string' && Array.isArray(Reflect.get(value, 'unsaved'));
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return isObject(value) && typeof Reflect.get(value, Symbol.iterator) === 'function';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function mustBe(what: string, expected: string, value: unknown): OptionsError {
  return new OptionsError(`flushOnExit: ${what} must be ${expected}, not ${show(value)}.`);
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (value instanceof Promise) return 'a promise (await it first)';
  if (isObject(value)) return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
