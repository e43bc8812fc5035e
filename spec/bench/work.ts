import { performance } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';

import { Random } from '../crash/random.ts';

export interface Value {
  /** Differs in each round: SQLite skips what is there already. */
  readonly stamp: number;
  readonly id?: number;
  readonly on?: boolean;
  readonly text?: string;
}

export type Pair = readonly [key: string, value: Value];

/** As JSON, of the two usual sizes. */
export const smallBytes = 60;
export const mediumBytes = 600;

export function keyAt(index: number): string {
  return `sensor:${index.toString(36).padStart(8, '0')}`;
}

/** What a value takes as JSON beside its text. */
const otherBytes = 42;

/** A value of so many bytes as JSON, about; the smallest are 20. */
export function valueOf(bytes: number, index: number, stamp: number): Value {
  return bytes < otherBytes ? { stamp: 100_000_000 + index + stamp } : { id: index, stamp, on: index % 2 === 0, text: fillerOf(bytes - otherBytes) };
}

/** The pairs of the keys `from` to `to`. */
export function pairs(from: number, to: number, bytes: number, stamp: number): Pair[] {
  return Array.from({ length: to - from }, (_, offset) => [keyAt(from + offset), valueOf(bytes, from + offset, stamp)]);
}

/** Pairs of distinct keys, chosen at random out of so many. */
export function randomPairs(count: number, among: number, bytes: number, stamp: number): Pair[] {
  const random = new Random(stamp);
  const chosen = new Set<number>();
  while (chosen.size < Math.min(count, among)) chosen.add(random.whole(0, among - 1));
  return [...chosen].map((index) => [keyAt(index), valueOf(bytes, index, stamp)]);
}

/** The numbers from 0 to below `count`, in an order that looks random. */
export function shuffled(count: number): number[] {
  const random = new Random(count);
  const order = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = random.whole(0, last);
    [order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0];
  }
  return order;
}

/** Divides into parts of `size`; the last may be shorter. */
export function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size));
}

/** The milliseconds that `work` takes. */
export async function timed(work: () => unknown): Promise<number> {
  const startedAt = performance.now();
  const result = work();
  if (result instanceof Promise) await result;
  return performance.now() - startedAt;
}

/** The bytes that are held, when what nobody holds is collected. */
export async function usedBytes(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('Run node with --expose-gc.');
  for (let round = 0; round < 3; round++) {
    await turn();
    globalThis.gc();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const fillers = new Map<number, string>();

function fillerOf(length: number): string {
  let filler = fillers.get(length);
  if (filler === undefined) {
    const text = 'the quick brown fox jumps over the lazy dog '.repeat(Math.ceil(length / 44)).slice(0, length);
    filler = Buffer.from(text).toString(); // one flat string, which what is cut out of a longer one is not
    fillers.set(length, filler);
  }
  return filler;
}
