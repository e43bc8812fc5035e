import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { memory, persistify, type Store } from 'rx-persistify';
import { serveFeed, type FeedOptions, type FeedServer, type Served } from 'rx-persistify/server';
import { onTestFinished } from 'vitest';

export type Anything = Record<string, unknown>;

/** An event as a reader of the feed is told it, its data parsed; of a comment, what it says of the place to go on from. */
export interface Told {
  readonly name: string | undefined;
  readonly id: string | undefined;
  readonly data: unknown;
}

export async function openStore(entries: Readonly<Anything> = {}, name = 'sensors'): Promise<Store<Anything>> {
  const store = await persistify(memory()).open<Anything>(name);
  for (const [key, value] of Object.entries(entries)) store.set(key, value);
  await store.flush();
  onTestFinished(() => store.close());
  return store;
}

export function serve(stores: Served | Iterable<Served>, options?: FeedOptions): FeedServer {
  const feed = serveFeed(stores, options);
  onTestFinished(() => feed.close());
  return feed;
}

/** The feed on a port of its own, or on `port`. */
export async function listen(feed: FeedServer, port = 0): Promise<{ readonly server: Server; readonly port: number; readonly url: string }> {
  const server = createServer(feed.handle);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => server.close().closeAllConnections());
  const address = server.address() as AddressInfo; // as it listens on a port
  return { server, port: address.port, url: `http://127.0.0.1:${address.port}/feed` };
}

/** Reads a response of a feed, by a parser of its own, as simple as what the server sends allows. */
export class EventReader {
  readonly #body: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #rest = '';

  constructor({ body }: Response) {
    if (body === null) throw new Error('there is no body');
    this.#body = body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    onTestFinished(() => this.leave());
  }

  /** The next event or comment; `undefined` if it has ended. */
  async next(): Promise<Told | undefined> {
    for (;;) {
      const end = this.#rest.indexOf('\n\n');
      if (end >= 0) {
        const block = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 2);
        const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
        return { name: field('event'), id: field('id'), data: JSON.parse(field('data') ?? 'null') };
      }
      const { value } = await this.#body.read();
      if (value === undefined) return undefined;
      this.#rest += this.#decoder.decode(value, { stream: true });
    }
  }

  /** All up to the next event of this name, statuses and comments left out. */
  async upTo(name: string): Promise<Told[]> {
    const told: Told[] = [];
    for (;;) {
      const event = await this.next();
      if (event === undefined) throw new Error(`it ended before ${name}, after ${JSON.stringify(told)}`);
      if (event.name !== undefined && (event.name !== 'status' || name === 'status')) told.push(event);
      if (event.name === name) return told;
    }
  }

  async leave(): Promise<void> {
    await this.#body.cancel().catch(() => undefined);
  }
}

/** Asks the feed within this process, as it is asked over the fetch standard. */
export async function read(feed: FeedServer, query = '', headers: Readonly<Record<string, string>> = {}): Promise<EventReader> {
  return new EventReader(await feed.fetch(new Request(`http://test/feed${query}`, { headers })));
}

/** What is told, in short: the name and data of each. */
export function inShort(told: readonly Told[]): unknown[] {
  return told.map(({ name, data }) => [name, data]);
}
