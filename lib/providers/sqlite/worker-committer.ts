import { Worker } from 'node:worker_threads';

import { ProviderError } from '../../errors.ts';
import type { BatchResult } from '../../mutation.ts';
import type { Committer } from './committer.ts';
import { fileIdentity } from './connection.ts';
import { leftOutFrom } from '../left-out-text.ts';
import type { SqliteSettings } from './options.ts';
import type { PackedBatch } from '../packed-batch.ts';
import type { Dictionary } from './schema.ts';
import { receiveFailure, type WorkerAnswer, type WorkerMessage, type WorkerRequest, type WorkerStart } from './worker-messages.ts';

/** How long an aborted write may still take to tell its true result; only a disk that hangs takes longer. */
const abortGraceMs = 1_000;
/** How long a worker may take to close the file before it is terminated. */
const closeGraceMs = 5_000;

interface Pending {
  readonly resolve: (answer: WorkerAnswer) => void;
  readonly reject: (error: Error) => void;
}

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

/**
 * Commits in a worker thread, which is started when there is something to do, and again if it died. It keeps the process
 * alive while a request is under way, and not a moment longer.
 */
export class WorkerCommitter implements Committer {
  readonly #settings: SqliteSettings;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  /** Which file it is, for a worker that takes the place of a dead one. */
  #identity: string | undefined;
  #lastId = 0;

  constructor(settings: SqliteSettings) {
    this.#settings = settings;
  }

  async open(name: string, table: string): Promise<Dictionary> {
    const answer = await this.#ask({ type: 'open', name, table }).answer;
    const { dictionary } = expectAnswer(answer, 'opened');
    this.#identity ??= fileIdentity(this.#settings.file);
    return dictionary;
  }

  async write(dictionary: Dictionary, batch: PackedBatch, signal: AbortSignal): Promise<BatchResult> {
    const aborted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const { id, answer } = this.#ask({ type: 'write', dictionary, batch, aborted });
    let grace: NodeJS.Timeout | undefined;
    const abort = (): void => {
      Atomics.store(aborted, 0, 1);
      Atomics.notify(aborted, 0);
      grace = setTimeout(() => this.#giveUp(id), abortGraceMs);
    };
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      const { version, leftOut } = expectAnswer(await answer, 'written');
      return { version, leftOut: leftOutFrom(leftOut) };
    } finally {
      signal.removeEventListener('abort', abort);
      clearTimeout(grace);
    }
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    const { id, answer } = this.#ask({ type: 'close' });
    const grace = setTimeout(() => this.#giveUp(id), closeGraceMs);
    try {
      await answer;
      this.#worker = undefined;
      await worker.terminate();
    } catch {
      // It died, or hangs: the file is in a state from which the next one that opens it recovers.
      this.#worker = undefined;
      void worker.terminate();
    } finally {
      clearTimeout(grace);
    }
  }

  #ask(request: WithoutId<WorkerRequest>): { readonly id: number; readonly answer: Promise<WorkerAnswer> } {
    const id = ++this.#lastId;
    const worker = (this.#worker ??= this.#start());
    const answer = new Promise<WorkerAnswer>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    if (this.#pending.size === 1) worker.ref();
    worker.postMessage({ ...request, id });
    return { id, answer };
  }

  #start(): Worker {
    const workerData: WorkerStart = { settings: this.#settings, identity: this.#identity };
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData, name: 'rx-persistify sqlite', ...inheritableArguments() });
    let ready = false;
    worker.on('message', (message: WorkerMessage) => {
      if (message.type === 'ready') ready = true;
      else this.#settle(message.id, pending => (message.type === 'failed' ? pending.reject(receiveFailure(message.failure)) : pending.resolve(message)));
    });
    worker.on('error', error => this.#died(worker, this.#describeDeath(ready, error)));
    worker.on('exit', code => this.#died(worker, this.#describeDeath(ready, new Error(`It exited with code ${code}.`))));
    return worker;
  }

  #settle(id: number, settle: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#worker?.unref();
    settle(pending);
  }

  /** Stops waiting for a request that the worker may still be doing. Its next attempt waits behind it, and is told the true result. */
  #giveUp(id: number): void {
    const message = `${this.#settings.file}: the disk has not answered yet; the write may or may not be stored.`;
    this.#settle(id, ({ reject }) => reject(new ProviderError(message, { kind: 'retry', outcomeUnknown: true })));
  }

  #died(worker: Worker, error: ProviderError): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
  }

  #describeDeath(ready: boolean, cause: Error): ProviderError {
    if (ready) {
      const message = `${this.#settings.file}: the worker thread died; what was under way may or may not be stored.`;
      return new ProviderError(message, { kind: 'retry', outcomeUnknown: true, cause });
    }
    // Node says it in several ways, as it depends on where it ran out of them.
    if (/\b(EMFILE|ENFILE|EAGAIN)\b|too many open files/i.test(cause.message)) {
      const message = `The worker thread of the sqlite provider cannot be started now (${cause.message}): the process, or the system, may have no more files or threads. Close some, raise the limit (ulimit -n, -u), or use the option "worker: false".`;
      return new ProviderError(message, { kind: 'retry', cause });
    }
    const message = `The worker thread of the sqlite provider cannot be started (${cause.message}). Where a bundler has left providers/sqlite/worker.js behind, copy it beside, or use the option "worker: false".`;
    return new ProviderError(message, { kind: 'halt', cause });
  }
}

/** A worker inherits the arguments of its process; `node --input-type=module -e …` has one with which no file can be started. */
function inheritableArguments(): { readonly execArgv?: string[] } {
  return process.execArgv.some(argument => argument.startsWith('--input-type')) ? { execArgv: [] } : {};
}

function expectAnswer<T extends WorkerAnswer['type']>(answer: WorkerAnswer, type: T): Extract<WorkerAnswer, { type: T }> {
  if (!isAnswer(answer, type)) throw new ProviderError(`The worker thread answered "${answer.type}" where "${type}" was asked.`, { kind: 'halt' });
  return answer;
}

function isAnswer<T extends WorkerAnswer['type']>(answer: WorkerAnswer, type: T): answer is Extract<WorkerAnswer, { type: T }> {
  return answer.type === type;
}
