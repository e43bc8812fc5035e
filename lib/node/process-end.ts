import { constants } from 'node:os';

import { Closing, type Closable, type Unsaved } from './closing.ts';
import type { ExitSignal } from './exit-options.ts';
import { tolerateLateWrites } from './late-writes.ts';

export interface ProcessEndConfig {
  readonly stores: () => readonly Closable[];
  readonly deadlineMs: number;
  readonly signals: readonly ExitSignal[];
  readonly report: (unsaved: readonly Unsaved[]) => void;
}

/** Ctrl-C reaches a program twice, from the terminal and from npm, which hands signals on: it is one signal all the same. */
const ECHO_MS = 300;
/** How long a process that nothing listens for takes at most to die of a signal. */
const DYING_MS = 100;

/**
 * By this a listener for a signal is known as one of ours, also of another copy of this package, whatever its version, as where a
 * library has brought its own: each would take the other for the program, and leave the end to it. It tells whether stores are being
 * closed: the last to be done ends the process.
 */
const isEnding: unique symbol = Symbol.for('rx-persistify: is ending');

interface EndListener {
  (): void;
  readonly [isEnding]: () => boolean;
}

/** Listens for the end of the process; when it comes, closes the stores, tells what is left, and lets the process end. */
export class ProcessEnd {
  readonly #config: ProcessEndConfig;
  readonly #listeners: ReadonlyMap<ExitSignal, EndListener>;
  #isListening = true;
  #closing: Closing | undefined;
  #signal: ExitSignal | undefined;
  #signalledAt = 0;
  #othersDecide = false;

  constructor(config: ProcessEndConfig) {
    this.#config = config;
    this.#listeners = new Map(config.signals.map((signal) => [signal, this.#listenerFor(signal)]));
    // First of all, as a listener that is there once is gone when it has been called.
    for (const [signal, listener] of this.#listeners) process.prependListener(signal, listener);
    process.on('beforeExit', this.#onBeforeExit);
  }

  /** Listens no more. An end that has begun goes on: a signal that was taken must not be lost. */
  takeBack(): void {
    if (this.#closing === undefined) this.#stopListening();
  }

  #listenerFor(signal: ExitSignal): EndListener {
    return Object.assign(() => this.#onSignal(signal), { [isEnding]: () => this.#closing !== undefined });
  }

  readonly #onBeforeExit = (): void => {
    if (this.#closing === undefined) void this.#end();
  };

  #onSignal(signal: ExitSignal): void {
    const now = performance.now();
    if (this.#signal === undefined) {
      this.#signal = signal;
      this.#signalledAt = now;
      this.#othersDecide = doOthersListen(signal);
      if (this.#closing === undefined) void this.#end();
      return;
    }
    const isEcho = signal === this.#signal && now - this.#signalledAt < ECHO_MS;
    if (isEcho || doOthersListen(signal)) return;
    this.#signal = signal;
    this.#othersDecide = false;
    this.#finish(`A second signal, ${signal}, ended the program before.`);
  }

  async #end(): Promise<void> {
    const { deadlineMs } = this.#config;
    const tolerateNoMore = tolerateLateWrites();
    try {
      this.#closing = new Closing(this.#config.stores(), deadlineMs);
      await this.#closing.ended;
    } finally {
      tolerateNoMore();
      this.#finish(`The deadline of ${deadlineMs} ms passed.`);
    }
  }

  #finish(late: string): void {
    if (!this.#isListening) return; // a second signal was quicker
    this.#stopListening();
    try {
      this.#tell(this.#closing?.left(late) ?? []);
    } finally {
      if (this.#signal !== undefined && !this.#othersDecide && !isAnotherEnding(this.#signal)) raise(this.#signal);
    }
  }

  #tell(left: readonly Unsaved[]): void {
    if (left.length === 0) return;
    process.exitCode ??= 1;
    try {
      this.#config.report(left);
    } catch (error) {
      console.error(error); // the process ends all the same
    }
  }

  #stopListening(): void {
    this.#isListening = false;
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
    process.off('beforeExit', this.#onBeforeExit);
  }
}

/** Whether others are closing stores, and will hear of `signal`, or have. */
function isAnotherEnding(signal: ExitSignal): boolean {
  return process.listeners(signal).some((listener) => isEndListener(listener) && listener[isEnding]());
}

/** Whether something in this program listens for `signal` beside us. */
function doOthersListen(signal: ExitSignal): boolean {
  return !process.listeners(signal).every(isEndListener);
}

function isEndListener(listener: object): listener is EndListener {
  return isEnding in listener;
}

/** Ends the process as `signal` does that nobody listens for; who has come to listen meanwhile is told instead. */
function raise(signal: ExitSignal): void {
  const isHeard = process.listenerCount(signal) > 0;
  process.kill(process.pid, signal);
  // The kernel does not end the first process of a container by a signal; its exit code is what a shell would make of it.
  if (isHeard) return;
  tolerateLateWrites();
  setTimeout(() => process.exit(128 + constants.signals[signal]), DYING_MS);
}
