import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';

import { sqlite } from 'rx-persistify/sqlite';
import { expect, onTestFinished } from 'vitest';

import { readJournal } from '../../crash/journal.ts';
import { judge } from '../../crash/oracle.ts';
import { inspect } from '../../crash/storage.ts';
import type { EndingPlan, OwnEnd } from '../ending-writer.ts';
import { databaseName } from './histories.ts';
import type { Trial } from './matrix.ts';
import { freshPlace, providerOf } from './place.ts';
import type { Storages } from './storages.ts';
import { Subject } from './subject.ts';

/** Of the program, and of Node where nothing is caught. */
const exitCodes: Readonly<Record<OwnEnd, number>> = { exit: 7, throw: 1, reject: 1 };

const writer = join(import.meta.dirname, '../../../build/spec/faults/ending-writer.js');

/** A process that ends by its own doing, again and again on the same storage, in the middle of a batch. */
export function endsByItself(storages: Storages, ends: readonly OwnEnd[]): Trial {
  return async (cell) => {
    const { random } = cell;
    const place = freshPlace(cell, storages);
    const { schema = '' } = place.column === 'postgres' ? place.options : {};
    const journal = join(cell.directory, 'journal');
    const tally = { ends: 0, acknowledged: 0 };
    let before: ReadonlyMap<string, string> = new Map();
    for (; tally.ends < cell.times(5, 200); tally.ends++) {
      const end = ends[tally.ends % ends.length] ?? 'exit';
      await rm(journal, { force: true });
      await run({
        cycle: 1_000_000 + tally.ends,
        seed: random.whole(0, 2 ** 31),
        mood: random.chance(0.2) ? 'bulk' : 'steady',
        life: 500,
        provider: { name: place.column, directory: cell.directory, url: place.column === 'postgres' ? storages.server.url : '', schema },
        journal,
        end,
        batches: random.whole(1, 40),
        afterMs: random.whole(0, 3),
      });
      const { found, problem } = await inspect(providerOf(place));
      expect(problem, 'what opening found').toBeUndefined();
      const verdict = judge({ before, journal: readJournal(journal), found });
      if (!verdict.right) throw new Error(`${verdict.wrong}: ${verdict.detail}`);
      tally.acknowledged += verdict.acknowledged;
      before = found;
    }
    return tally;
  };
}

async function run(plan: EndingPlan): Promise<void> {
  const child = fork(writer, [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.send(plan);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect({ code, signal }, stderr).toEqual({ code: exitCodes[plan.end], signal: null });
  if (plan.end === 'exit') expect(stderr).toBe('');
  else expect(stderr).toContain('on purpose');
}

/** The thread that commits is ended at any moment: that is told, what was under way is settled, and a new one goes on. */
export const workerLost: Trial = async (cell) => {
  const tally = { 'workers lost': 0, acknowledged: 0 };
  const workers: Worker[] = [];
  const started = (worker: Worker): void => void workers.push(worker);
  process.on('worker', started);
  onTestFinished(() => void process.off('worker', started));
  const provider = sqlite({ file: join(cell.directory, databaseName) });
  const subject = await Subject.open({ provider, random: cell.random, configure: (builder) => builder.withRetry({ maxAttempts: 20, delayMs: 1, maxDelayMs: 50, probeMs: 100 }) });
  while (tally['workers lost'] < cell.times(15, 300)) {
    const living = subject.live(60);
    await new Promise((resolve) => setTimeout(resolve, cell.random.next() * 15));
    const worker = workers.at(-1);
    if (worker !== undefined && worker.threadId > 0) {
      tally['workers lost']++;
      await worker.terminate();
    }
    await living;
    expect(await subject.flush()).toBe(true);
  }
  expect(subject.hasTold('the worker thread died')).toBe(true);
  // One that is lost before it had begun looks as one that cannot be started, which is told as lasting.
  for (const { willRetry, error } of subject.failures) expect(willRetry || error.message.includes('cannot be started'), error.message).toBe(true);
  await subject.close();
  tally.acknowledged = (await subject.expectKept(provider, { isWhole: true })).acknowledged;
  return tally;
};
