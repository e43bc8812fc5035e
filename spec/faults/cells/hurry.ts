import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { waitedForCoreMs } from '../../bench/core-wait.ts';
import type { AccountedStore } from './accounted-store.ts';

export interface Pace {
  readonly perSecond: number;
  readonly forMs: number;
}

/** Keys that are set. */
const keys = 20_000;

/** Sets so much in each second, and measures for how long the event loop was held at the most. */
export async function hurry(store: AccountedStore, { perSecond, forMs }: Pace): Promise<{ readonly sets: number; readonly longestHoldMs: number }> {
  const clock = new MachineClock();
  await clock.started;
  try {
    const startedAt = performance.now();
    let sets = 0;
    let longestHoldMs = 0;
    for (let before = startedAt, waited = waitedForCoreMs(), ticks = clock.ticks; before < startedAt + forMs;) {
      await delay(1);
      const now = performance.now();
      const waitedNow = waitedForCoreMs();
      // Where this thread had no core, or another one was held as well, it was the machine that was busy, and not this loop.
      longestHoldMs = Math.max(longestHoldMs, Math.min(now - before - (waitedNow - waited), (clock.ticks - ticks) * 1.2 + 1));
      waited = waitedNow;
      ticks = clock.ticks;
      before = now;
      // No more in a turn than would be felt, be it behind.
      for (let due = Math.min(500, Math.floor(((now - startedAt) / 1_000) * perSecond) - sets); due > 0; due--, sets++) store.setOneOf(keys);
    }
    return { sets, longestHoldMs };
  } finally {
    await clock.stop();
  }
}

const program = `
const { workerData } = require('node:worker_threads');
const never = new Int32Array(new SharedArrayBuffer(4));
for (;;) {
  Atomics.wait(never, 0, 0, 1);
  Atomics.add(workerData, 0, 1);
}`;

/** A thread that counts milliseconds, as far as the machine lets it. */
class MachineClock {
  readonly #count = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker = new Worker(program, { eval: true, workerData: this.#count });

  readonly started = once(this.#worker, 'online');

  get ticks(): number {
    return Atomics.load(this.#count, 0);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}
