import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { expect, onTestFinished } from 'vitest';

import type { Sample } from '../soak.ts';
import type { Cell } from './matrix.ts';

const program = fileURLToPath(new URL('../../../build/spec/faults/soak.js', import.meta.url));

/** A round may leave no more than this: a listener, a subscription or a timer takes several times as much. */
const mostBytesARound = 200;

/** What the engine compiles, and what it learns for that, counts as heap and comes for thousands of rounds. Without it the heap is flat to some bytes. */
const flags = ['--expose-gc', '--jitless', '--no-expose-wasm', '--no-lazy-feedback-allocation', '--no-flush-bytecode'];

/** Uses stores in a process of its own for many rounds, and looks whether it comes to hold ever more. */
export async function soak(cell: Cell, url: string): Promise<{ readonly rounds: number; readonly bytesARound: number }> {
  const { column, directory } = cell;
  const place = column === 'postgres' ? url : directory;
  const rounds = column === 'memory' ? 450 : 120; // the log of one in memory is as long as it may be after 200 rounds
  const child = spawn(process.execPath, [...flags, program, column, place, String(rounds), String(cell.times(0, 900_000))], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const samples: Sample[] = [];
  let said = '';
  createInterface({ input: child.stdout }).on('line', (line) => samples.push(JSON.parse(line) as Sample)); // as the program writes it
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  expect([code, said], `how the process ended: ${said}`).toEqual([0, '']);
  // At first caches fill, and logs get as long as they may.
  const steady = samples.slice(samples.length / 2);
  const bytesARound = Math.round(slopeOf(steady.map(({ round, heap }) => [round, heap])));
  expect(bytesARound, `bytes that each round leaves: ${JSON.stringify(steady.map(({ heap }) => heap))}`).toBeLessThan(mostBytesARound);
  for (const what of ['files', 'resources', 'listeners'] as const) {
    const counts = steady.map((sample) => sample[what]);
    const middle = Math.ceil(counts.length / 2);
    // What is on its way out may be seen now and then.
    expect(Math.min(...counts.slice(middle)), `${what}, of which there were ${counts.join(', ')}`).toBeLessThanOrEqual(Math.min(...counts.slice(0, middle)));
  }
  return { rounds: samples.at(-1)?.round ?? 0, bytesARound: Math.max(0, bytesARound) };
}

/** By how much it grows: the median of the slopes between any two points, to which a single wild one is nothing (Theil and Sen). */
export function slopeOf(points: readonly (readonly [at: number, value: number])[]): number {
  const slopes = points.flatMap(([at, value], index) => points.slice(index + 1).map(([otherAt, other]) => (other - value) / (otherAt - at))).sort((left, right) => left - right);
  return slopes[Math.floor(slopes.length / 2)] ?? 0;
}
