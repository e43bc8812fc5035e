import pg from 'pg';
import { postgres, type PostgresOptions } from 'rx-persistify/postgres';
import { afterAll, beforeAll, onTestFinished } from 'vitest';

import { EmbeddedServer, type ServerOptions } from '../../../demos/support/embedded-server.ts';
import { openerOf, type OpenDictionary, type Opener } from '../../support/open-dictionary.ts';
import { Proxy } from '../../support/network/proxy.ts';

let count = 0;

type Row = Readonly<Record<string, unknown>>;

/** Where a power cut is none of the test's concern. */
export const fast = { fsync: 'off', full_page_writes: 'off' };

/** A real PostgreSQL for the tests of a file; each has a schema of its own. */
export class TestServer {
  #server: EmbeddedServer | undefined;
  #client: Promise<pg.Client> | undefined;

  constructor({ settings }: ServerOptions = {}) {
    beforeAll(async () => {
      this.#server = await EmbeddedServer.start({ settings: { ...fast, ...settings } });
    });
    afterAll(async () => {
      await this.#disconnect();
      await this.#server?.remove();
    });
  }

  get server(): EmbeddedServer {
    if (this.#server === undefined) throw new Error('The server is started before the first test.');
    return this.#server;
  }

  get url(): string {
    return this.server.url();
  }

  /** The name of a schema that is not there yet. */
  freshSchema(): string {
    return `schema_${++count}`;
  }

  /** Asks the server directly, as another program would. */
  async sql(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    try {
      const client = await (this.#client ??= this.connect());
      const answer = await client.query<Row>(text, [...values]);
      return answer.rows;
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) await this.#disconnect();
      throw error;
    }
  }

  /** A connection of another program; to be ended. */
  async connect(url = this.url): Promise<pg.Client> {
    const client = new pg.Client(url);
    client.on('error', () => (this.#client = undefined)); // the server was restarted by a test
    await client.connect();
    return client;
  }

  /** A connection of another program, until the end of the test. */
  async program(url = this.url): Promise<pg.Client> {
    const client = await this.connect(url);
    onTestFinished(() => client.end());
    return client;
  }

  /** A proxy before the server, until the end of the test. */
  async proxy(): Promise<Proxy> {
    const proxy = await Proxy.to(this.server.port);
    onTestFinished(() => proxy.close());
    return proxy;
  }

  /** Opens dictionaries through one provider. */
  opener(options: PostgresOptions): Opener {
    return openerOf(postgres({ ...(options.pool === undefined && { connection: this.url }), ...options }));
  }

  open(options: PostgresOptions, name?: string): Promise<OpenDictionary> {
    return this.opener(options)(name);
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.then((connected) => connected.end()).catch(() => undefined);
  }
}
