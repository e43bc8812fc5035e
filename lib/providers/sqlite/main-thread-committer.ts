import { setImmediate as macrotask } from 'node:timers/promises';

import type { BatchResult } from '../../mutation.ts';
import { abandoned, type Sliced } from './commit.ts';
import type { Committer } from './committer.ts';
import { DatabaseWriter } from './database-writer.ts';
import { loadDriver } from './driver.ts';
import type { SqliteSettings } from './options.ts';
import type { PackedBatch } from '../packed-batch.ts';
import type { Dictionary } from './schema.ts';

/** Commits on the thread that opens the stores, at most 1,000 rows at a stretch. */
export class MainThreadCommitter implements Committer {
  readonly #writer: Promise<DatabaseWriter>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(settings: SqliteSettings) {
    this.#writer = loadDriver().then(driver => new DatabaseWriter(driver, settings));
    // Whoever asks for it is told.
    this.#writer.catch(() => undefined);
  }

  open(name: string, table: string): Promise<Dictionary> {
    return this.#inTurn(async () => (await this.#writer).open(name, table));
  }

  write(dictionary: Dictionary, batch: PackedBatch, signal: AbortSignal): Promise<BatchResult> {
    return this.#inTurn(async () => {
      if (signal.aborted) throw abandoned();
      return inSlices((await this.#writer).write(dictionary, batch), signal);
    });
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      const writer = await this.#writer.catch(() => undefined);
      writer?.close();
    });
  }

  /** A transaction stays open from one macrotask to the next, so nothing else may use the connection meanwhile. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

/** Does the work to its end, with a macrotask at each pause; an aborted one is undone at the next. */
async function inSlices<T>(work: Sliced<T>, signal: AbortSignal): Promise<T> {
  let step = work.next();
  while (step.done !== true) {
    await macrotask();
    step = signal.aborted ? work.throw(abandoned()) : work.next();
  }
  return step.value;
}
