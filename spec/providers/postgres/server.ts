import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';

import { EmbeddedServer, type ServerOptions } from '../../../demos/support/embedded-server.ts';

let count = 0;

/** A real PostgreSQL for the tests of a file; each has a schema of its own. */
export class TestServer {
  #server: EmbeddedServer | undefined;

  constructor(options: ServerOptions = {}) {
    beforeAll(async () => {
      this.#server = await EmbeddedServer.start(options);
    });
    afterAll(() => this.#server?.remove());
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
  async sql(text: string, values: readonly unknown[] = []): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const client = new pg.Client(this.url);
    await client.connect();
    try {
      const answer = await client.query<Record<string, unknown>>(text, [...values]);
      return answer.rows;
    } finally {
      await client.end();
    }
  }
}
