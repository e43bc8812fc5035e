// A graceful end. There is to see: a program is sent SIGTERM in the middle of 10,000 writes, of which only some are on disk;
// `flushOnExit` saves the others, the program ends by the signal all the same, and its next start finds every one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';

import { persistify } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';

import { check, heading, inTemporaryDirectory } from './support/demo.ts';

const program = fileURLToPath(new URL('graceful-end/program.js', import.meta.url));

await inTemporaryDirectory(async (directory) => {
  const file = join(directory, 'orders.sqlite');

  heading('The program takes 10,000 orders, and is stopped in the middle:');
  const first = start(file, 10_000);
  await first.printed('taken 6500');
  const onDisk = countOrders(file);
  first.stop();
  const ending = await first.ended;
  const applied = first.numberAfter('applied');
  console.log(`  ${applied} orders were taken, ${onDisk} of them were on disk when SIGTERM was sent`);
  check('it was stopped in the middle', applied >= 6_500 && applied < 10_000, true);
  check('not all were on disk', onDisk < applied, true);
  check('it ended by the signal', ending, { code: null, signal: 'SIGTERM' });
  check('now every one is on disk', countOrders(file), applied);

  heading('The next start:');
  const second = start(file, 0);
  check('it has nothing to do, and ends', await second.ended, { code: 0, signal: null });
  console.log(`  it found ${second.numberAfter('found')} orders`);
  check('that is every order that had been taken', second.numberAfter('found'), applied);
  const orders = await persistify(sqlite({ file })).open<Record<string, number>>('orders');
  const wrong = Array.from({ length: applied }, (_, index) => index).filter((index) => orders.get(`order ${index}`) !== index);
  check('and each is what it was', wrong.slice(0, 5), []);
  await orders.close();
});

interface Run {
  readonly stop: () => void;
  /** Resolves when that line is printed, or when no more will be. */
  readonly printed: (line: string) => Promise<void>;
  readonly ended: Promise<{ readonly code: unknown; readonly signal: unknown }>;
  /** From the line that begins with `word`. */
  readonly numberAfter: (word: string) => number;
}

/** Starts the program, to take orders until there are as many as `wanted`. */
function start(file: string, wanted: number): Run {
  const child = spawn(process.execPath, [program, file, String(wanted)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const reading = createInterface(child.stdout).on('line', (line) => lines.push(line));
  return {
    stop: () => void child.kill('SIGTERM'),
    printed: (expected) => new Promise((resolve) => void reading.on('line', (line) => line === expected && resolve()).on('close', resolve)),
    ended: once(child, 'close').then(([code, signal]: unknown[]) => ({ code, signal })),
    numberAfter: (word) => Number(lines.find((line) => line.startsWith(`${word} `))?.slice(word.length + 1)),
  };
}

/** What is committed, as any other program would see it. */
function countOrders(file: string): number {
  const database = new Database(file, { readonly: true });
  try {
    return Number(database.prepare('SELECT count(*) FROM orders').pluck().get());
  } finally {
    database.close();
  }
}
