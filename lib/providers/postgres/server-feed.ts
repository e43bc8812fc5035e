import { PersistifyError } from '../../errors.ts';
import type { Connections, OwnConnection } from './connections.ts';
import { channel } from './doorbell.ts';
import { bytesBrought, onEvent } from './driver.ts';
import { isConnectionLost } from './failures.ts';
import type { Query } from './log-reader.ts';
import { valueParsers } from './rows.ts';

/** Who wants to hear of commits. */
export interface FeedListener {
  /** The payload of the notifications that concern it. */
  readonly payload: string;
  /** Reads what is new; resolves to whether there is more. */
  read(query: Query): Promise<boolean>;
  /** The connection is lost. */
  fail(error: unknown): void;
}

export interface FeedConfig {
  readonly connections: Connections;
  /** Whether it hears by LISTEN, on a connection of its own. */
  readonly listens: boolean;
  readonly pollMs: number;
  /** How long the next part of an answer is waited for. */
  readonly timeoutMs: number;
}

/**
 * Notices commits, and has its listeners read what is new: at each notification, and slowly by itself, since a connection can die
 * without a sign. There as long as there are listeners; it keeps no process alive.
 */
export class ServerFeed {
  readonly #config: FeedConfig;
  readonly #listeners = new Set<FeedListener>();
  /** Who has a reason to look. */
  readonly #due = new Set<FeedListener>();
  #connection: Promise<OwnConnection> | undefined;
  #looking: Promise<void> | undefined;
  /** Ends the look under way, where it has a connection of its own. */
  #cutLook: () => void = () => undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(config: FeedConfig) {
    this.#config = config;
  }

  /** Begins to tell, soon. Returns what ends it, and is done when nothing is held for it any more. */
  join(listener: FeedListener): () => Promise<void> {
    this.#listeners.add(listener);
    this.#due.add(listener);
    this.#timer ??= setInterval(() => this.#lookForAll(), this.#config.pollMs).unref();
    queueMicrotask(() => this.#look());
    return () => this.#leave(listener);
  }

  async #leave(listener: FeedListener): Promise<void> {
    this.#listeners.delete(listener);
    this.#due.delete(listener);
    if (this.#listeners.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#disconnect();
    this.#cutLook(); // a server that hangs would hold up who closes
    await this.#looking;
  }

  #lookForAll(): void {
    for (const listener of this.#listeners) this.#due.add(listener);
    this.#look();
  }

  #look(): void {
    if (this.#due.size === 0) return;
    this.#looking ??= this.#lookWhileDue();
  }

  async #lookWhileDue(): Promise<void> {
    try {
      for (let [listener] = this.#due; listener !== undefined; [listener] = this.#due) {
        // Each time, as it was let go of if all others have left meanwhile.
        const query = await this.#openQuery();
        this.#due.delete(listener);
        await this.#serve(listener, query);
      }
    } catch (error) {
      this.#lost(error);
    } finally {
      this.#looking = undefined;
      this.#look(); // for who came meanwhile
    }
  }

  /** What fails for one, as its table is gone, may do for the others. */
  async #serve(listener: FeedListener, query: Query): Promise<void> {
    try {
      if ((await listener.read(query)) && this.#listeners.has(listener)) this.#due.add(listener);
    } catch (error) {
      if (!this.#listeners.has(listener)) return; // it has left, and its connection may have been closed for that
      const cause = error instanceof PersistifyError ? error.cause : error;
      if (this.#config.listens && isConnectionLost(cause)) throw error; // it was the connection of all
      listener.fail(error);
    }
  }

  /** How to ask the server: LISTEN comes first, and all look after it, so that nothing falls between. */
  async #openQuery(): Promise<Query> {
    const { connections, listens } = this.#config;
    if (!listens) {
      const look = new AbortController();
      this.#cutLook = () => look.abort();
      const use = { doing: 'Watching', signal: look.signal };
      return (text, values) => connections.use(async (client) => (await client.query({ text, values, rowMode: 'array' })).rows, use);
    }
    const { client } = await this.#inTime((this.#connection ??= this.#listen()));
    return async (text, values, name) => (await this.#inTime(client.query({ ...(name !== undefined && { name }), text, values, rowMode: 'array', types: valueParsers }), () => bytesBrought(client))).rows;
  }

  async #listen(): Promise<OwnConnection> {
    const connection = await this.#config.connections.own((error) => this.#lost(error));
    try {
      onEvent(connection.client, 'notification', (told) => this.#notified(told));
      await connection.client.query(`LISTEN ${channel}`);
    } catch (error) {
      connection.end();
      throw error;
    }
    for (const listener of this.#listeners) this.#due.add(listener);
    return connection;
  }

  #notified(told: unknown): void {
    const payload: unknown = typeof told === 'object' && told !== null && 'payload' in told ? told.payload : undefined;
    for (const listener of this.#listeners) if (listener.payload === payload) this.#due.add(listener);
    this.#look();
  }

  #lost(error: unknown): void {
    this.#disconnect();
    for (const listener of [...this.#listeners]) listener.fail(error);
  }

  #disconnect(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.then((opened) => opened.end(), () => undefined);
  }

  /**
   * Waits for an answer as long as more of it comes, but not for ever, and without keeping the process alive: how long all of it takes
   * is a matter of its size and of the line.
   */
  async #inTime<T>(answer: Promise<T>, brought = (): number => 0): Promise<T> {
    let timer: ReturnType<typeof setInterval> | undefined;
    let before = brought();
    const late = new Promise<never>((_, reject) => {
      timer = setInterval(() => {
        const now = brought();
        if (now === before) reject(new Error('Query read timeout'));
        before = now;
      }, this.#config.timeoutMs).unref();
    });
    answer.catch(() => undefined); // it may fail after its time
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearInterval(timer);
    }
  }
}
