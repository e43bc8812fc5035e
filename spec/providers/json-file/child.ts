import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { onTestFinished } from 'vitest';

const program = `
import { jsonFile } from 'rx-persistify/json-file';
import { createInterface } from 'node:readline';
const answer = text => process.stdout.write(text + '\\n');
let session, number = 0;
const commands = {
  async open(options) {
    session = await jsonFile(options).open('prefs', { writer: 'child ' + process.pid, report: () => {} });
    return 'opened';
  },
  async set({ key, json }) {
    number += 1;
    await session.write({ writer: 'child ' + process.pid, number, mutations: [{ type: 'set', key, json }] }, { signal: new AbortController().signal });
    return 'stored';
  },
  async close() {
    await session.close();
    return 'closed';
  },
};
answer('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line);
  await commands[command](options).then(answer, error => answer((error.code ?? 'ERROR') + ' ' + (error.kind ?? '') + ' ' + error.message));
}
`;

/** Another process that opens the store; the built package runs in it. */
export class Child {
  readonly process: ChildProcess;
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;

  constructor() {
    this.process = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.process.stdout === null) throw new Error('the child has no output');
    this.#lines = createInterface({ input: this.process.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
    onTestFinished(() => this.kill());
  }

  static async start(): Promise<Child> {
    const child = new Child();
    await child.#answer();
    return child;
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  async tell(command: 'open' | 'set' | 'close', options: object = {}): Promise<string> {
    this.process.stdin?.write(`${JSON.stringify({ command, ...options })}\n`);
    return this.#answer();
  }

  async #answer(): Promise<string> {
    const { value } = await this.#answers.next() as { value?: string };
    return value ?? 'ended';
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }
}
