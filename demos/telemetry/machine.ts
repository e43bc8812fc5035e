import { readFile } from 'node:fs/promises';
import { cpus, freemem, loadavg, totalmem } from 'node:os';
import { monitorEventLoopDelay, performance, type IntervalHistogram } from 'node:perf_hooks';

import { parseDisks, parseNetwork } from './proc-files.ts';
import type { CoreTimes, Reading } from './sampling.ts';

const resolutionMs = 10;
const nanosecondsPerMs = 1e6;

/** The machine that this runs on. */
export class Machine {
  readonly #loopDelay: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs });

  constructor() {
    this.#loopDelay.enable();
  }

  async read(): Promise<Reading> {
    const [network, disks] = await Promise.all([readIfThere('/proc/net/dev'), readIfThere('/proc/diskstats')]);
    return {
      monotonicMs: performance.now(),
      cores: cpus().map(toCoreTimes),
      memory: { usedBytes: totalmem() - freemem(), processBytes: process.memoryUsage.rss() },
      load: process.platform === 'win32' ? undefined : loadavg(), // there it is always 0 (nodejs.org, os.loadavg)
      network: network === undefined ? undefined : parseNetwork(network),
      disks: disks === undefined ? undefined : parseDisks(disks),
      eventLoop: this.#readLoopDelay(),
    };
  }

  close(): void {
    this.#loopDelay.disable();
  }

  /** The histogram holds the time from tick to tick of a timer; what goes beyond the timer's own time is the delay. */
  #readLoopDelay(): Reading['eventLoop'] {
    const { count, mean, max } = this.#loopDelay;
    const delayMs = (nanoseconds: number): number => (count === 0 ? 0 : Math.max(0, nanoseconds / nanosecondsPerMs - resolutionMs));
    const delay = { meanMs: delayMs(mean), maxMs: delayMs(max) };
    this.#loopDelay.reset();
    return delay;
  }
}

function toCoreTimes({ times }: ReturnType<typeof cpus>[number]): CoreTimes {
  return { idle: times.idle, total: times.user + times.nice + times.sys + times.idle + times.irq };
}

/** The text of a file of Linux's, or `undefined` on other systems, or where it must not be read. */
async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
