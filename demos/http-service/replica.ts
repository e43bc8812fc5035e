// One process of the service, as http-service.ts sees it.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export class Replica {
  /** How many requests it was sent. */
  asked = 0;
  readonly name: string;
  readonly url: string;
  readonly #process: ChildProcess;

  static async start(name: string, ...args: readonly string[]): Promise<Replica> {
    const child = fork(fileURLToPath(new URL('service.js', import.meta.url)), [name, ...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const url = await new Promise((resolve, reject) => {
      child.once('message', resolve).once('exit', () => reject(new Error(`${name} did not start.`)));
    });
    return new Replica(name, child, String(url));
  }

  private constructor(name: string, child: ChildProcess, url: string) {
    this.name = name;
    this.url = url;
    this.#process = child;
  }

  /** What it answers to a request such as `POST /click`; `undefined` if it knows of no such session. */
  async ask(what: string, { body = null, session = 'none' }: { readonly body?: string | null; readonly session?: string | undefined } = {}): Promise<string | undefined> {
    this.asked++;
    const [method = '', path = ''] = what.split(' ');
    const response = await fetch(`${this.url}${path}`, { method, body, headers: { session } });
    const answer = await response.text();
    if (response.ok) return answer;
    if (response.status === 401) return undefined;
    throw new Error(`${this.name} answers ${response.status}: ${answer}`);
  }

  /** Resolves, when it has ended, to the signal by which it did. */
  async end(signal: NodeJS.Signals): Promise<NodeJS.Signals | null> {
    const ended = once(this.#process, 'exit');
    this.#process.kill(signal);
    await ended;
    return this.#process.signalCode;
  }
}
