import { fork, type ChildProcess } from 'node:child_process';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

import type { WriterPlan } from './writer.ts';

/** When to kill: so long after the writer has given this signal so many times, or when it takes too long to. */
export interface Aim {
  readonly signal: string;
  readonly times: number;
  readonly afterMs: number;
}

/** How the writer ended. */
export interface Death {
  readonly signal: NodeJS.Signals | null;
  readonly exitCode: number | null;
  readonly stderr: string;
}

/** Nothing that is aimed at lies further off. */
const patienceMs = 4_000;

/** A writer's process: made early, as loading takes longer than living, then given a plan, and killed. */
export class Victim {
  readonly death: Promise<Death>;
  readonly #child: ChildProcess;

  /** @param writer the built program. */
  constructor(writer: string) {
    // With one thread for files, its system calls come in the order in which they were asked for.
    const env = { ...process.env, UV_THREADPOOL_SIZE: '1' };
    const child = fork(writer, [], { stdio: ['ignore', 'inherit', 'pipe', 'pipe', 'ipc'], execArgv: [], env });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    this.#child = child;
    this.death = new Promise((resolve) => {
      child.once('close', (exitCode, signal) => resolve({ exitCode, signal, stderr }));
    });
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('The writer was not started.');
    return pid;
  }

  /** Resolves when its program has been loaded. */
  async ready(): Promise<void> {
    await this.#signals((given) => given === 'r');
  }

  /** Has it live by `plan`, to its end. */
  async live(plan: WriterPlan): Promise<void> {
    this.#child.send(plan);
    await this.death;
  }

  /** Has it live by `plan` until what was aimed at. `onSignal` hears the signals, each with its moment in milliseconds. */
  async liveUntil(plan: WriterPlan, { signal, times, afterMs }: Aim, onSignal: (signal: string, at: number) => void): Promise<void> {
    let left = times;
    const aimedAt = this.#signals((given) => {
      onSignal(given, performance.now());
      return given === signal && --left === 0;
    });
    this.#child.send(plan);
    const tooLate = new AbortController();
    await Promise.race([aimedAt.then(() => exactly(afterMs)), delay(patienceMs, undefined, { signal: tooLate.signal }), this.death]);
    tooLate.abort();
  }

  /** Has it stand still. */
  stop(): void {
    this.#child.kill('SIGSTOP');
  }

  /** By kill -9. */
  async kill(): Promise<Death> {
    this.#child.kill('SIGKILL');
    return this.death;
  }

  /** Resolves at the signal that `isIt` says is the one. It hears those after it, too. */
  #signals(isIt: (signal: string) => boolean): Promise<void> {
    const pipe = this.#child.stdio[3] as Readable; // as it was asked for in `fork`
    return new Promise((resolve) => {
      pipe.setEncoding('latin1').on('data', (text: string) => {
        for (const given of text) if (isIt(given)) resolve();
      });
    });
  }
}

/** A timer counts whole milliseconds, and most writes take less than one. */
async function exactly(milliseconds: number): Promise<void> {
  const end = performance.now() + milliseconds;
  if (milliseconds > 2) await delay(milliseconds - 2);
  while (performance.now() < end);
}
