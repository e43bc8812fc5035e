import { fork, type ChildProcess } from 'node:child_process';
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
  readonly #child: ChildProcess;
  readonly #death: Promise<Death>;

  constructor(writer: string) {
    const child = fork(writer, [], { stdio: ['ignore', 'inherit', 'pipe', 'pipe', 'ipc'], execArgv: [] });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    this.#child = child;
    this.#death = new Promise((resolve) => {
      child.once('close', (exitCode, signal) => resolve({ exitCode, signal, stderr }));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Has it live by `plan` until it is killed with -9. `onSignal` hears the signals, each with its moment in milliseconds. */
  async liveAndDie(plan: WriterPlan, { signal, times, afterMs }: Aim, onSignal: (signal: string, at: number) => void): Promise<Death> {
    const pipe = this.#child.stdio[3] as Readable; // as it was asked for in `fork`
    let left = times;
    const aimedAt = new Promise<void>((resolve) => {
      pipe.setEncoding('latin1').on('data', (text: string) => {
        const now = performance.now();
        for (const given of text) {
          onSignal(given, now);
          if (given === signal && --left === 0) resolve();
        }
      });
    });
    this.#child.send(plan);
    const tooLate = new AbortController();
    await Promise.race([aimedAt.then(() => exactly(afterMs)), delay(patienceMs, undefined, { signal: tooLate.signal }), this.#death]);
    tooLate.abort();
    return this.kill();
  }

  async kill(): Promise<Death> {
    this.#child.kill('SIGKILL');
    return this.#death;
  }
}

/** A timer counts whole milliseconds, and most writes take less than one. */
async function exactly(milliseconds: number): Promise<void> {
  const end = performance.now() + milliseconds;
  if (milliseconds > 2) await delay(milliseconds - 2);
  while (performance.now() < end);
}
