import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { persistify, type Provider } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { sqlite } from 'rx-persistify/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

interface Reading {
  readonly celsius: number;
  readonly note: string;
}

const small = 100;
const large = 100_000;
const keyOf = (index: number): string => `sensor-${String(index).padStart(6, '0')}`;
const readingOf = (celsius: number): Reading => ({ celsius, note: 'the same length' });

/** What a save left behind. `wchar` is what this process handed to write calls, to whatever file, the test runner's own included (proc(5)). */
interface Cost {
  readonly files: number;
  readonly wchar: number | undefined;
}

describe('one mutated key and flush writes as much in a store of 100,000 keys as in one of 100', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rx-persistify-bytes-'));
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('to a JSON file: the log grows by the same bytes, and nothing else is written', { timeout: 60_000 }, async () => {
    const costIn = (keys: number): Promise<Cost> => costOfOne(jsonFile({ directory: join(directory, String(keys)) }), keys, () => sizesIn(join(directory, String(keys)), /\.log$/));
    const few = await costIn(small);
    const many = await costIn(large);
    expect(few.files).toBeGreaterThan(keyOf(0).length);
    expect(few.files).toBeLessThan(1_000);
    // Numbers of more digits in the record's header (its `seq`, its length) may take some bytes more.
    expect(Math.abs(many.files - few.files)).toBeLessThan(16);
    expectSameWork(few, many, 1_000);
  });

  it.each([true, false])('to SQLite, worker: %s: the write-ahead log grows by as many pages, and a few for the depth of the tree', { timeout: 60_000 }, async (worker) => {
    const costIn = (keys: number): Promise<Cost> => {
      const file = join(directory, String(keys), 'data.sqlite');
      return costOfOne(sqlite({ file, worker }), keys, () => walFrames(`${file}-wal`));
    };
    const few = await costIn(small);
    const many = await costIn(large);
    expect(few.files).toBeGreaterThan(0);
    expect(few.files).toBeLessThanOrEqual(12);
    expect(many.files - few.files).toBeLessThanOrEqual(3);
    expectSameWork(few, many, 4 * (4_096 + 24));
  });
});

/** What it costs to set one key of so many, and to flush, as the median of some. */
async function costOfOne(provider: Provider, keys: number, written: () => number): Promise<Cost> {
  const filled = await persistify(provider).open<Record<string, Reading>>('readings');
  for (let index = 0; index < keys; index++) filled.set(keyOf(index), readingOf(20));
  await filled.close(); // and what a large batch has set going, such as a fold, is over
  const store = await persistify(provider).open<Record<string, Reading>>('readings');
  await store.setAndSave(keyOf(0), readingOf(21)); // the first one begins a log
  const costs: Cost[] = [];
  for (let round = 0; round < 5; round++) {
    const files = written();
    const wchar = bytesHandedOver();
    store.set(keyOf(Math.floor(((round + 0.5) * keys) / 5)), readingOf(21));
    await store.flush();
    const after = bytesHandedOver();
    costs.push({ files: written() - files, wchar: after === undefined || wchar === undefined ? undefined : after - wchar });
  }
  await store.close();
  return { files: median(costs.map((cost) => cost.files)), wchar: costs[0]?.wchar === undefined ? undefined : median(costs.map(({ wchar }) => wchar ?? 0)) };
}

function expectSameWork(few: Cost, many: Cost, slack: number): void {
  if (few.wchar === undefined || many.wchar === undefined) return; // there is no /proc here
  expect(few.wchar).toBeGreaterThan(0);
  expect(many.wchar - few.wchar).toBeLessThanOrEqual(slack);
}

function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[values.length >> 1] ?? NaN;
}

function sizesIn(directory: string, name: RegExp): number {
  return readdirSync(directory)
    .filter((file) => name.test(file))
    .reduce((sum, file) => sum + statSync(join(directory, file)).size, 0);
}

/** How many pages the log has taken since it was begun; its file's size says little, as the room is used again (sqlite.org/fileformat.html). */
function walFrames(path: string): number {
  const wal = readFileSync(path);
  const pageBytes = wal.readUInt32BE(8);
  const salts = wal.readBigUInt64BE(16);
  let frames = 0;
  for (let at = 32; at + 24 <= wal.length && wal.readBigUInt64BE(at + 8) === salts; at += 24 + pageBytes) frames++;
  return frames;
}

function bytesHandedOver(): number | undefined {
  if (!existsSync('/proc/self/io')) return undefined;
  return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}
