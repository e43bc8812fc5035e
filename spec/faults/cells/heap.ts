import { setImmediate as macrotask } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

/** How much of the heap is in use, in bytes, after what is not was collected. */
export async function heapInUse(): Promise<number> {
  if (typeof collect !== 'function') throw new Error('There is no way to collect garbage.');
  await macrotask(); // what is settled is let go of
  Reflect.apply(collect, undefined, []);
  return process.memoryUsage().heapUsed;
}
