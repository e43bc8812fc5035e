import { Connections } from './connections.ts';
import { Doorbell } from './doorbell.ts';
import type { PostgresSettings } from './options.ts';
import { ServerFeed } from './server-feed.ts';

/** What the open dictionaries of one provider have in common. */
export interface ServerAccess {
  readonly connections: Connections;
  readonly doorbell: Doorbell;
  readonly feed: ServerFeed;
}

/** Connects with a provider's first dictionary, and lets go of the server with its last. */
export class SharedServer {
  readonly #settings: PostgresSettings;
  #users = 0;
  #access: Promise<ServerAccess> | undefined;
  #closing: Promise<void> = Promise.resolve();

  constructor(settings: PostgresSettings) {
    this.#settings = settings;
  }

  /** Each one is to be given back by `release`, unless it rejects. */
  async acquire(): Promise<ServerAccess> {
    this.#users++;
    this.#access ??= this.#open();
    try {
      return await this.#access;
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  async release(): Promise<void> {
    if (--this.#users > 0) return;
    const access = this.#access;
    this.#access = undefined;
    this.#closing = close(access);
    await this.#closing;
  }

  async #open(): Promise<ServerAccess> {
    await this.#closing;
    const { listen, pollMs, connectTimeoutMs } = this.#settings;
    const connections = await Connections.open(this.#settings);
    const feed = new ServerFeed({ connections, listens: listen !== false, pollMs, timeoutMs: 2 * connectTimeoutMs });
    return { connections, doorbell: new Doorbell(connections), feed };
  }
}

async function close(access: Promise<ServerAccess> | undefined): Promise<void> {
  const opened = await access?.catch(() => undefined);
  await opened?.doorbell.close();
  await opened?.connections.close();
}
