import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';

/** The system calls after which something outside of the process may be different. */
const changing = ['openat', 'mkdir', 'mkdirat', 'write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'sendto', 'sendmsg', 'fsync', 'fdatasync', 'ftruncate', 'rename', 'renameat', 'renameat2', 'link', 'linkat', 'unlink', 'unlinkat'].join(',');

/** One of the lines that strace writes: what a thread does. */
const lineFormat = /^(?:\[pid +(\d+)\] )?(.*)$/;
/** What it does if that is a call: its name, and what it is given first, with which strace names a file or a socket. */
const callFormat = /^(\w+)\([^<"]*[<"]([^>"]*)/;

export interface Call {
  readonly name: string;
  /** What it is about: a file, a directory or a socket. */
  readonly on: string;
}

/**
 * Has a process stop after each system call by which it changes anything, counts those that concern `subject`, and lets it go
 * on; so that it can be held right after one of them, whichever thread made it.
 */
export class CallTracer {
  /** What counted, in its order. */
  readonly calls: Call[] = [];
  readonly #pid: number;
  readonly #subject: string;
  readonly #holdAfter: number;
  readonly #attached: Promise<void>;
  readonly #ended: Promise<unknown>;
  /** The thread that made the call after which the process is to be held. */
  #holding: string | undefined;
  #isHeld: () => void = () => undefined;
  /** Threads that are to stop for a call after which the process may go on. */
  readonly #passing = new Set<string>();

  /** @param subject what strace writes in a call that counts: part of a path, or of the addresses of a socket. */
  static async attach(pid: number, subject: string, holdAfter: number): Promise<CallTracer> {
    const tracer = new CallTracer(pid, subject, holdAfter);
    await tracer.#attached;
    return tracer;
  }

  private constructor(pid: number, subject: string, holdAfter: number) {
    this.#pid = pid;
    this.#subject = subject;
    this.#holdAfter = holdAfter;
    const strace = spawn('strace', ['-f', '-yy', '-s', '0', '-e', `trace=${changing}`, '-e', `inject=${changing}:signal=SIGSTOP`, '-e', 'signal=SIGSTOP', '-p', String(pid)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#ended = once(strace, 'close');
    this.#attached = new Promise((resolve, reject) => {
      createInterface({ input: strace.stderr }).on('line', (line) => {
        if (line.startsWith('strace: Process ') && line.includes(' attached')) resolve();
        else this.#hear(line);
      });
      strace.once('error', reject);
      void this.#ended.then(() => reject(new Error(`strace has ended before it was attached to process ${pid}.`)));
    });
  }

  /** Resolves when the process stands still after the call. It may end before. */
  held(): Promise<void> {
    return new Promise((resolve) => (this.#isHeld = resolve));
  }

  /** To be called when the process has ended: resolves when all that it did was heard of. */
  async end(): Promise<void> {
    await this.#ended;
  }

  #hear(line: string): void {
    const [, thread = '', said = ''] = lineFormat.exec(line) ?? [];
    if (said.startsWith('--- stopped by')) this.#stopped(thread);
    else if (!said.startsWith('---') && !said.startsWith('+++') && !said.startsWith('<...')) this.#called(thread, said);
  }

  #called(thread: string, said: string): void {
    if (this.#changes(said)) {
      const [, name = '', on = ''] = callFormat.exec(said) ?? [];
      this.calls.push({ name, on });
      if (this.calls.length === this.#holdAfter) this.#holding = thread;
    }
    this.#passing.add(thread);
  }

  #stopped(thread: string): void {
    if (this.#holding === thread) this.#isHeld();
    else if (this.#holding === undefined && this.#passing.delete(thread)) goOn(this.#pid);
  }

  #changes(said: string): boolean {
    if (!said.includes(this.#subject) || said.includes(' = -1 ')) return false;
    return !said.startsWith('openat(') || said.includes('O_CREAT');
  }
}

function goOn(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // It has ended meanwhile.
  }
}
