import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

import { PostgresPrograms } from './postgres-programs.ts';

export interface ClusterOptions {
  /** Where all of it lies; everyone may enter it. */
  readonly directory: string;
  readonly user: string;
  readonly password: string;
  readonly port: number;
  /** Settings of postgresql.conf. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** Hears what the programs print. */
  readonly onLog: (text: string) => void;
}

/** What a server says when it can be asked; of a standby, that it can be read. */
const isReady = /database system is ready to accept (read-only )?connections/;

/** A database cluster of PostgreSQL, and the server process for it. */
export class PostgresCluster {
  readonly #options: ClusterOptions;
  #programs: Promise<PostgresPrograms> | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Where its data lie. */
  get data(): string {
    return join(this.#options.directory, 'data');
  }

  /** Makes the data of an empty cluster. */
  async initialise(): Promise<void> {
    const { directory, user, password } = this.#options;
    const programs = await this.#find();
    await programs.makeDirectory(this.data);
    const passwordFile = join(directory, 'password');
    await writeFile(passwordFile, `${password}\n`, { mode: 0o644 });
    // A password that guards nothing need not be slow to check: by default that is most of what a connection costs.
    const flags = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync', '--set', 'scram_iterations=1'];
    const initdb = programs.run('initdb', [`--pgdata=${this.data}`, `--username=${user}`, `--pwfile=${passwordFile}`, ...flags]);
    this.#listen(initdb.stdout, initdb.stderr);
    const code = await ended(initdb);
    await rm(passwordFile);
    if (code !== 0) throw new Error(`initdb ended with code ${String(code)}.`);
  }

  /** Starts the server. Resolves when it can be asked. */
  async start(): Promise<void> {
    const { port, settings } = this.#options;
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const server = (await this.#find()).run('postgres', ['-D', this.data, '-p', String(port), ...flags]);
    this.#listen(server.stdout, server.stderr);
    const ready = new Promise<void>((resolve) => {
      const look = (text: string): void => {
        if (!isReady.test(text)) return;
        server.stderr.off('data', look);
        resolve();
      };
      server.stderr.on('data', look);
    });
    const early = ended(server).then((code) => {
      throw new Error(`The server ended with code ${String(code)}.`);
    });
    early.catch(() => undefined); // its end is looked for by its process id later on
    await Promise.race([ready, early]);
  }

  #find(): Promise<PostgresPrograms> {
    return (this.#programs ??= PostgresPrograms.find(this.#options.directory));
  }

  #listen(...streams: readonly Readable[]): void {
    for (const stream of streams) stream.setEncoding('utf8').on('data', this.#options.onLog);
  }
}

/** The code with which it ended. Rejects if it could not be started. */
async function ended(child: ChildProcess): Promise<unknown> {
  const [code] = (await once(child, 'close')) as unknown[];
  return code;
}
