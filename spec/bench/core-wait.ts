import { openSync, readSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

let file: number | undefined | 'none';
const block = Buffer.alloc(128);

/**
 * For how many milliseconds the main thread has stood ready and no core was free, since it began: what neighbours took, and on a
 * machine of few cores our own other threads. 0 where Linux does not tell (docs.kernel.org/scheduler/sched-stats.html).
 */
export function waitedForCoreMs(): number {
  file ??= open();
  if (file === 'none') return 0;
  const length = readSync(file, block, 0, block.length, 0);
  return Number(block.toString('latin1', 0, length).split(' ')[1] ?? 0) / 1e6;
}

/** The milliseconds that work of the main thread alone takes, less those in which it waited for a core. */
export async function timedOnCore(work: () => unknown): Promise<number> {
  const waitedMs = waitedForCoreMs();
  const startedAt = performance.now();
  const result = work();
  if (result instanceof Promise) await result;
  return performance.now() - startedAt - (waitedForCoreMs() - waitedMs);
}

function open(): number | 'none' {
  try {
    return openSync('/proc/self/schedstat', 'r');
  } catch {
    return 'none';
  }
}
