import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'vitest';

import type { Ground } from '../../crash/ground.ts';
import { providerAt, type Place } from '../../crash/place.ts';
import { inspect, storeName, type Inspection } from '../../crash/storage.ts';

const application = 'writer';

/** A server, and a way to ask it directly. */
export interface AskedServer {
  readonly url: string;
  sql(text: string, values?: readonly unknown[]): Promise<unknown>;
}

let schemas = 0;

/** A schema of a server, that is not there at first. */
export class ServerGround implements Ground {
  readonly #server: AskedServer;
  #schema = freshSchema();

  constructor(server: AskedServer) {
    this.#server = server;
  }

  place(): Place {
    return { provider: 'postgres', connection: `${this.#server.url}?application_name=${application}`, schema: this.#schema };
  }

  async clear(): Promise<void> {
    await this.#server.sql(`DROP SCHEMA IF EXISTS ${this.#schema} CASCADE`);
    this.#schema = freshSchema();
  }

  /** The server may still be doing what it was asked for by the one that was killed. */
  async examine(): Promise<Inspection> {
    const connections = (): Promise<unknown> => this.#server.sql('SELECT pid, state, query FROM pg_stat_activity WHERE application_name = $1', [application]);
    await expect.poll(connections, { message: 'connections of the one that was killed', interval: 5 }).toEqual([]);
    return inspect(providerAt({ provider: 'postgres', connection: this.#server.url, schema: this.#schema }));
  }

  async keep(directory: string): Promise<void> {
    const tables = [storeName, 'rx_persistify_dictionaries', 'rx_persistify_writers', 'rx_persistify_log'];
    for (const table of tables) {
      const rows = await this.#server.sql(`SELECT * FROM ${this.#schema}.${table}`).catch(String);
      await writeFile(join(directory, `${table}.json`), JSON.stringify(rows, undefined, 1));
    }
  }
}

function freshSchema(): string {
  return `survivor_${++schemas}`;
}
