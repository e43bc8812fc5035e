import { setTimeout as delay, setImmediate as macrotask } from 'node:timers/promises';

import type { Batch, BatchResult } from '../../mutation.ts';
import { abandoned, type Sliced } from './commit.ts';
import type { Committer } from './committer.ts';
import { DatabaseWriter } from './database-writer.ts';
import type { Driver } from './driver.ts';
import type { SqliteSettings } from './options.ts';
import { packBatch } from '../packed-batch.ts';
import type { Dictionary } from './schema.ts';

/** Commits on the thread that opens the stores, at most 1,000 rows at a stretch. */
export class MainThreadCommitter implements Committer {
  readonly #writer: DatabaseWriter;
  #last: Promise<unknown> = Promise.resolve();

  constructor(driver: Driver, settings: SqliteSettings) {
    this.#writer = new DatabaseWriter(driver, settings);
  }

  open(name: string, table: string): Promise<Dictionary> {
    return this.#inTurn(() => this.#writer.open(name, table));
  }

  write(dictionary: Dictionary, batch: Batch, signal: AbortSignal): Promise<BatchResult> {
    return this.#inTurn(() => {
      if (signal.aborted) throw abandoned();
      return inSlices(this.#writer.write(dictionary, packBatch(batch)), signal);
    });
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

/** Does the work to its end, with a macrotask at each pause; an aborted one is undone at the next. */
async function inSlices<T>(work: Sliced<T>, signal: AbortSignal): Promise<T> {
  let step = work.next();
  while (step.done !== true) {
    await (step.value === 'locked' ? delay(1) : macrotask());
    step = signal.aborted ? work.throw(abandoned()) : work.next();
  }
  return step.value;
}
