import { setTimeout as delay, setImmediate as macrotask } from 'node:timers/promises';

import type { BatchResult } from '../../mutation.ts';
import { abandoned, type Sliced } from './commit.ts';
import type { Committer } from './committer.ts';
import { DatabaseWriter } from './database-writer.ts';
import type { Driver } from './driver.ts';
import type { SqliteSettings } from './options.ts';
import type { PackedBatch } from '../packed-batch.ts';
import type { Dictionary } from './schema.ts';

/**
 * For how long the event loop is held at a stretch, but for a commit or a checkpoint that takes longer. The file is locked from one
 * stretch to the next: shorter ones would make other processes wait for more turns of a busy event loop.
 */
const stretchMs = 3;

/** Commits on the thread that opens the stores, a large batch in slices between which the event loop goes on. */
export class MainThreadCommitter implements Committer {
  readonly #writer: DatabaseWriter;
  #last: Promise<unknown> = Promise.resolve();

  constructor(driver: Driver, settings: SqliteSettings) {
    this.#writer = new DatabaseWriter(driver, settings);
  }

  open(name: string, table: string): Promise<Dictionary> {
    return this.#inTurn(() => this.#writer.open(name, table));
  }

  write(dictionary: Dictionary, batch: PackedBatch, signal: AbortSignal): Promise<BatchResult> {
    const written = this.#inTurn(() => {
      if (signal.aborted) throw abandoned();
      return inSlices(this.#writer.write(dictionary, batch), signal);
    });
    void this.#inTurn(() => (this.#writer.isTidyingDue ? macrotask().then(() => this.#writer.tidy()) : undefined));
    return written;
  }

  close(): Promise<void> {
    return this.#inTurn(() => this.#writer.close());
  }

  /** A transaction stays open from one macrotask to the next, so nothing else may use the connection meanwhile. */
  #inTurn<T>(work: () => T | Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

/** Does the work to its end, with a macrotask after each stretch; an aborted one is undone at the next pause. */
async function inSlices<T>(work: Sliced<T>, signal: AbortSignal): Promise<T> {
  let endsAt = performance.now() + stretchMs;
  let step = work.next();
  while (step.done !== true) {
    if (step.value === 'locked' || performance.now() >= endsAt) {
      await (step.value === 'locked' ? delay(1) : macrotask());
      endsAt = performance.now() + stretchMs;
    }
    step = signal.aborted ? work.throw(abandoned()) : work.next();
  }
  if (performance.now() >= endsAt) await macrotask(); // what is done with the answer to a large batch takes time, too
  return step.value;
}
