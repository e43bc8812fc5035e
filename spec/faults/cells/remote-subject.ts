import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import type { Provider } from 'rx-persistify';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';

import type { JournalRecord } from '../../crash/journal.ts';
import type { Message, Order, Told } from './remote-orders.ts';
import { expectKept, type Exactness, type Found } from './verdict.ts';

type Answer = Extract<Message, { type: 'answer' }>;

/** Makes processes with a store each, for the cells of a file. */
export class RemoteSubjects {
  /** In the checkout, as the program imports the package by its name. */
  readonly #program = fileURLToPath(new URL(`../../../build/faults-remote-${process.pid}.mjs`, import.meta.url));

  constructor() {
    beforeAll(async () => {
      const entry = fileURLToPath(new URL('remote-program.ts', import.meta.url));
      await build({ entryPoints: [entry], outfile: this.#program, bundle: true, packages: 'external', platform: 'node', format: 'esm' });
    });
    afterAll(() => rm(this.#program, { force: true }));
  }

  /** A process that has nothing open yet; it is killed after the test. `preload`: the text of a module that runs before all others. */
  async start({ preload }: { readonly preload?: string } = {}): Promise<RemoteSubject> {
    const execArgv = preload === undefined ? [] : ['--import', `data:text/javascript,${encodeURIComponent(preload)}`];
    // One thread of the pool, so that what is done to the k-th system call is done to that one.
    const child = fork(this.#program, [], { stdio: ['ignore', 'inherit', 'pipe', 'pipe', 'ipc'], execArgv, env: { ...process.env, UV_THREADPOOL_SIZE: '1' } });
    const subject = new RemoteSubject(child);
    onTestFinished(() => subject.kill());
    await subject.ready;
    return subject;
  }
}

/** A store that another process has open and uses, with a full account of what was applied and what was acknowledged. */
export class RemoteSubject {
  /** Of what is open, or was last. */
  journal: JournalRecord[] = [];
  /** What `errors$` told, likewise. */
  told: Told[] = [];
  readonly ready: Promise<Answer>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #stderr = '';
  #answered: (answer: Answer | Error) => void = () => undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.ready = this.#answer();
    const pipe = child.stdio[3] as Readable; // as it was asked for in `fork`
    createInterface({ input: pipe }).on('line', (line) => this.#hear(JSON.parse(line) as Message)); // our own writing
    this.#ended = once(child, 'close').then(() => this.#answered(new Error(`The process has ended: ${this.#stderr}`)));
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('The process did not start.');
    return pid;
  }

  /** Opens a store in the place of the one before. Resolves to what opening failed with. */
  async open(order: Omit<Extract<Order, { type: 'open' }>, 'type'>): Promise<Told | undefined> {
    this.journal = [];
    this.told = [];
    const { failure } = await this.obey({ type: 'open', ...order });
    return failure;
  }

  async live(actions: number): Promise<void> {
    await this.#do({ type: 'live', actions });
  }

  /** Resolves to whether everything could be saved. */
  async flush(): Promise<boolean> {
    return (await this.obey({ type: 'flush' })).isDone;
  }

  /** Waits until everything is saved, and asks for nothing. */
  async recover(withinMs = 20_000): Promise<void> {
    const { isDone } = await this.obey({ type: 'recover', withinMs });
    expect(isDone, `whether it saved everything by itself; it told ${JSON.stringify(this.told.slice(-5), undefined, 1)}`).toBe(true);
  }

  async close(): Promise<void> {
    await this.#do({ type: 'close' });
  }

  /** Gives an order, which may fail. */
  async obey(order: Order): Promise<Answer> {
    const answer = this.#answer();
    this.#child.send(order);
    return answer;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** What `errors$` told of saving. */
  get toldOfSaving(): readonly Told[] {
    return this.told.filter(({ operation }) => operation === 'save');
  }

  /** As of a subject in this process; `before`: what storage held already. */
  expectKept(provider: Provider, exactness: Exactness = {}, before: ReadonlyMap<string, string> = new Map()): Promise<Found> {
    return expectKept(provider, { before, journal: this.journal }, exactness);
  }

  async #do(order: Order): Promise<void> {
    const { isDone, failure } = await this.obey(order);
    if (!isDone) throw new Error(`The order to ${order.type} failed: ${failure?.message ?? ''}`);
  }

  #hear(message: Message): void {
    if (message.type === 'record') this.journal.push(message.record);
    else if (message.type === 'told') this.told.push(message.told);
    else this.#answered(message);
  }

  #answer(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#answered = (answer) => (answer instanceof Error ? reject(answer) : resolve(answer));
    });
  }
}
