import { setImmediate as macrotask, setTimeout as delay } from 'node:timers/promises';

import { VirtualTimeScheduler } from 'rxjs';

/** Time that a cell moves: ten minutes of it take no longer than what is done in them. */
export class VirtualClock {
  readonly scheduler = new VirtualTimeScheduler();

  get now(): number {
    return this.scheduler.now();
  }

  /** Runs what is due by then, and lets what is asynchronous in between come to an end. */
  async advance(ms: number, turns = 2): Promise<void> {
    const until = this.now + ms;
    this.scheduler.maxFrames = until;
    this.scheduler.flush();
    this.scheduler.frame = until;
    for (let turn = 0; turn < turns; turn++) await macrotask();
  }

  /** The same, until the condition holds; meanwhile also real disks, servers and threads get their time. */
  async advanceUntil(condition: () => boolean, ms: number, limitMs: number): Promise<void> {
    const endsAt = performance.now() + limitMs;
    while (!condition()) {
      if (performance.now() > endsAt) throw new Error(`It did not come about within ${limitMs} ms.`);
      await this.advance(ms);
      await delay(1);
    }
  }
}
