import { join } from 'node:path';

import { memory, type Provider } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { postgres } from 'rx-persistify/postgres';
import { sqlite } from 'rx-persistify/sqlite';
import { inject } from 'vitest';

import type { ServerOptions } from '../../../demos/support/embedded-server.ts';
import { TestServer } from '../../providers/postgres/server.ts';
import type { Cell } from './matrix.ts';

/** Where dictionaries are kept, apart from the program that uses them. */
export interface Storage {
  /** A new provider each time, as another program would have it; of memory always the same one. */
  readonly provider: () => Provider;
}

/** Storage of every kind, for the cells of a file that do nothing to the server itself. */
export class Storages {
  readonly #server: TestServer | undefined;

  /** @param options of the server, where it is not as fast as can be. */
  constructor(options: ServerOptions = {}) {
    this.#server = inject('form').columns.includes('postgres') ? new TestServer(options) : undefined;
  }

  get server(): TestServer {
    if (this.#server === undefined) throw new Error('There is no server where the column postgres was not asked for.');
    return this.#server;
  }

  /** Storage with nothing in it, for a cell. */
  fresh({ column, directory }: Pick<Cell, 'column' | 'directory'>): Storage {
    switch (column) {
      case 'memory': {
        const provider = memory();
        return { provider: () => provider };
      }
      case 'json-file':
        return { provider: () => jsonFile({ directory, logBytes: 1 << 20 }) };
      case 'sqlite':
        return { provider: () => sqlite({ file: join(directory, 'faults.sqlite') }) };
      case 'postgres': {
        const { server } = this;
        const schema = server.freshSchema();
        return { provider: () => postgres({ connection: server.url, schema }) };
      }
    }
  }
}
