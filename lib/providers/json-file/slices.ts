import { setImmediate as nextMacrotask } from 'node:timers/promises';

const sliceMs = 1.5;

/**
 * Divides long work, so that it never holds the event loop for long: check `due` every few dozen steps, and `rest` when it says so.
 * The slice is well below the 10 ms that we promise, as one step between two checks may itself take a millisecond or two, and a
 * batch that is made and written may fall into the same turn of the loop.
 */
export class Slices {
  #startedAt = performance.now();

  get due(): boolean {
    return performance.now() - this.#startedAt >= sliceMs;
  }

  async rest(): Promise<void> {
    await nextMacrotask();
    this.#startedAt = performance.now();
  }
}
