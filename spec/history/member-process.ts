import { fork, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

import type { Random } from '../crash/random.ts';
import type { MemberPlan, Order, Report } from './messages.ts';
import type { Fault } from './storage.ts';

export interface MemberConfig {
  /** The built program of a process. */
  readonly program: string;
  readonly onReport: (report: Report) => void;
  /** It ended, and nobody had killed it or told it to end. */
  readonly onFailure: (message: string) => void;
}

/** How a process ended. */
interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** One life of a process of the history. */
export class MemberProcess {
  readonly plan: MemberPlan;
  readonly #child: ChildProcess;
  readonly #end: Promise<End>;
  readonly #waiting = new Map<Report['type'], ((report: Report) => void)[]>();
  #isExpectedToEnd = false;
  #isSuspended = false;
  #hasEnded = false;
  isKilled = false;
  isOpen = false;

  constructor(plan: MemberPlan, { program, onReport, onFailure }: MemberConfig) {
    const child = fork(program, [], { stdio: ['ignore', 'inherit', 'pipe', 'ipc'], execArgv: [] });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    this.plan = plan;
    this.#child = child;
    this.#end = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal, stderr }));
    });
    void this.#end.then(({ code, signal }) => {
      this.#hasEnded = true;
      const isFailure = !this.#isExpectedToEnd || (!this.isKilled && code !== 0);
      if (isFailure) onFailure(`life ${plan.life} ended by itself (code ${String(code)}, signal ${String(signal)}): ${stderr.slice(0, 2_000)}`);
    });
    child.on('message', (message) => {
      const report = message as Report; // of our own program
      if (report.type === 'open') this.isOpen = true;
      onReport(report);
      for (const resolve of this.#waiting.get(report.type)?.splice(0) ?? []) resolve(report);
    });
    this.order({ type: 'begin', plan });
  }

  /** Resolves when it has ended, however it did. */
  get gone(): Promise<unknown> {
    return this.#end;
  }

  get isAlive(): boolean {
    return !this.#isExpectedToEnd && !this.#hasEnded;
  }

  /** One that has just died hears nothing. */
  order(order: Order): void {
    if (this.#child.connected) this.#child.send(order, () => undefined);
  }

  /** Its next report of this type; never, if it ends before. */
  next<T extends Report['type']>(type: T): Promise<Extract<Report, { type: T }>> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(type) ?? [];
      this.#waiting.set(type, waiting);
      waiting.push((report) => {
        if (isOfType(report, type)) resolve(report);
      });
    });
  }

  /** Kills it with -9. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#isExpectedToEnd = true;
    this.isKilled = true;
    this.#child.kill('SIGKILL');
    await this.#end;
  }

  /** Has it tell what it has, close its store and end. Resolves when it is gone, which it must be by itself. */
  async end(): Promise<void> {
    this.#isExpectedToEnd = true;
    this.order({ type: 'end' });
    await this.#end;
  }

  /** Halts it, as a machine does that swaps. */
  async suspendFor(milliseconds: number): Promise<void> {
    if (this.#isSuspended || !this.isAlive) return;
    this.#isSuspended = true;
    this.#child.kill('SIGSTOP');
    await delay(milliseconds);
    this.#child.kill('SIGCONT');
    this.#isSuspended = false;
  }
}

/** A fault of every storage: a process that is halted for a while, be it with a lock in its hands. */
export function suspension(random: Random): Fault {
  return { name: 'suspended', weight: 2, inject: (member) => member.suspendFor(random.magnitude(50, 1_500)) };
}

function isOfType<T extends Report['type']>(report: Report, type: T): report is Extract<Report, { type: T }> {
  return report.type === type;
}
