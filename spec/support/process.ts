import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

import { onTestFinished } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

/** Another process that runs a program of the built package. It hears lines as `line`, and what it prints is heard here. */
export class Process {
  readonly process: ChildProcess;
  readonly lines: string[] = [];
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  #wake: () => void = () => undefined;

  /** @param wrapper a command, with its arguments, that is given Node's to run. */
  constructor(program: string, wrapper: readonly string[] = []) {
    const [command, ...args] = [...wrapper, process.execPath, '--input-type=module', '-e', program];
    // Whoever runs the specs from elsewhere would have it find another package of this name, or none.
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], cwd: root });
    this.process = child;
    createInterface({ input: child.stdout }).on('line', line => {
      this.lines.push(line);
      this.#wake();
    });
    this.ended = once(child, 'close').then(([code, signal]: unknown[]) => {
      this.#wake();
      return { code: typeof code === 'number' ? code : null, signal: typeof signal === 'string' ? signal : null };
    });
    onTestFinished(() => this.kill());
  }

  say(line: string): void {
    this.process.stdin?.write(`${line}\n`);
  }

  /** Waits for the `index`-th line. */
  async line(index: number): Promise<string> {
    for (;;) {
      const line = this.lines[index];
      if (line !== undefined) return line;
      if (this.process.exitCode !== null || this.process.signalCode !== null) throw new Error(`the process has ended after ${this.lines.length} lines`);
      await new Promise<void>(resolve => (this.#wake = resolve));
    }
  }

  async kill(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL');
    await this.ended;
  }
}
