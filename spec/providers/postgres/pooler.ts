import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from '../../../demos/support/free-port.ts';

const program = '/usr/sbin/pgbouncer';

export const hasPooler = spawnSync(program, ['--version']).status === 0;

/** A PgBouncer in transaction mode, on a free port of the loopback address, before a server. */
export class Pooler {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #directory: string;

  /** @param serverUrl where it connects to; its user and password are those of its clients, too. */
  static async start(serverUrl: string, { serverConnections }: { readonly serverConnections: number }): Promise<Pooler> {
    const { hostname, port, username, password, pathname } = new URL(serverUrl);
    const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-pgbouncer-'));
    await chmod(directory, 0o755); // it gives up root
    const own = await freePort();
    const secret = decodeURIComponent(password);
    const users = join(directory, 'users.txt');
    const settings = join(directory, 'pgbouncer.ini');
    await writeFile(users, `"${username}" "${secret.replaceAll('"', '""')}"\n`);
    await writeFile(
      settings,
      `[databases]
* = host=${hostname} port=${port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${own}
unix_socket_dir =
auth_type = plain
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${serverConnections}
max_client_conn = 200
`,
    );
    const user = process.getuid?.() === 0 ? ['-u', 'postgres'] : [];
    const child = spawn(program, ['-q', ...user, settings], { stdio: ['ignore', 'ignore', 'ignore'] });
    const pooler = new Pooler(own, child, directory);
    await pooler.#listens(pathname);
    return pooler;
  }

  private constructor(port: number, child: ChildProcess, directory: string) {
    this.port = port;
    this.#process = child;
    this.#directory = directory;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGKILL');
      await once(this.#process, 'exit');
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #listens(database: string): Promise<void> {
    for (;;) {
      if (this.#process.exitCode !== null) throw new Error(`pgbouncer for ${database} has ended with ${this.#process.exitCode}`);
      const socket = connect(this.port, '127.0.0.1');
      const isOpen = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false);
      socket.destroy();
      if (isOpen) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
