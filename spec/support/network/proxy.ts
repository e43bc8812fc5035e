import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

import { DelayLine } from './delay-line.ts';
import { Statements } from './statements.ts';

/**
 * What is done to a connection when a request comes by that holds a certain text.
 * `drop`: it is cut before the request is passed on. `cut`: the request is passed on, and the connection is cut when the answer comes.
 * `swallow`: the request is passed on, and from the answer on nothing comes through any more, without a sign.
 * `hold`: the request, and all behind it, waits to be passed on until `release`, be the client still there or not.
 * `dismiss`: the answer comes, and in the same packet the word of PostgreSQL that it ends the connection.
 */
export type Fault = 'drop' | 'cut' | 'swallow' | 'hold' | 'dismiss';

const states = { cut: 'cut at answer', swallow: 'swallow at answer', hold: 'held', dismiss: 'dismiss at answer' } as const;

/** As the server says it when it is shut down: an ErrorResponse (postgresql.org/docs/current/protocol-message-formats.html). */
const fields = ['SFATAL', 'VFATAL', 'C57P01', 'Mterminating connection due to administrator command', ''].map((field) => `${field}\0`).join('');
const dismissal = Buffer.concat([Buffer.from('E'), Buffer.from([0, 0, 0, 4 + fields.length]), Buffer.from(fields)]);

interface Rule {
  readonly text: string;
  readonly fault: Fault;
  readonly struck: () => void;
}

/** A connection through the proxy. */
interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  readonly toClient: DelayLine;
  readonly toServer: DelayLine;
  readonly held: Buffer[];
  state: 'open' | 'dead' | (typeof states)[keyof typeof states];
}

/** Stands between a client and a server, tells what is asked, and disturbs. */
export class Proxy {
  /** What was asked, one a message that is answered. */
  readonly statements: string[] = [];
  /** How many connections there have been. */
  connections = 0;
  /** How long a request and its answer are under way together, in milliseconds. */
  latencyMs = 0;
  /** How many bytes a second come from the server, on each connection. */
  bytesPerSecond = Infinity;
  readonly #listener: Server;
  #target: number;
  readonly #pairs = new Set<Pair>();
  readonly #rules = new Set<Rule>();
  #isBlackhole = false;

  static async to(port: number): Promise<Proxy> {
    const proxy = new Proxy(port);
    proxy.#listener.listen(0, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    return proxy;
  }

  private constructor(target: number) {
    this.#target = target;
    this.#listener = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  get port(): number {
    const address = this.#listener.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Strikes once, at the next request that holds `text`; resolves when it has. */
  at(text: string, fault: Fault): Promise<void> {
    return new Promise((resolve) => this.#rules.add({ text, fault, struck: resolve }));
  }

  /** Passes on what is held. Resolves to what the server answers to it. */
  release(): Promise<readonly Buffer[]> {
    const answers: Promise<Buffer>[] = [];
    for (const pair of this.#pairs) {
      if (pair.state !== 'held') continue;
      pair.state = 'open';
      answers.push(new Promise((resolve) => pair.server.once('data', resolve)));
      for (const data of pair.held.splice(0)) pair.server.write(data);
      if (pair.client.destroyed || pair.client.readableEnded) pair.server.end();
    }
    return Promise.all(answers);
  }

  /** From now on nothing comes through in either direction, and no connection ends: as if a cable were pulled. */
  blackhole(): void {
    this.#isBlackhole = true;
    for (const pair of this.#pairs) pair.state = 'dead';
  }

  /** Lets new connections through again; those of before stay dead. */
  mend(): void {
    this.#isBlackhole = false;
  }

  /** Has the server hear that connections through which nothing comes, and whose client has gone, have ended: as by its keepalive. */
  endAbandoned(): void {
    for (const pair of this.#pairs) if (pair.state === 'dead' && pair.client.readableEnded) cut(pair);
  }

  /** New connections lead to another server, as after a failover. */
  redirect(port: number): void {
    this.#target = port;
  }

  /** Cuts every connection. */
  cutAll(): void {
    for (const pair of this.#pairs) cut(pair);
  }

  async close(): Promise<void> {
    this.#listener.close();
    this.cutAll();
    if (this.#listener.listening) await once(this.#listener, 'close');
  }

  #accept(client: Socket): void {
    this.connections++;
    const server = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true });
    const lines = { toClient: new DelayLine(), toServer: new DelayLine() };
    const pair: Pair = { client, server, ...lines, held: [], state: this.#isBlackhole ? 'dead' : 'open' };
    this.#pairs.add(pair);
    const statements = new Statements((statement) => this.statements.push(statement));
    client.on('data', (data) => {
      statements.read(data);
      pair.toServer.send(this.latencyMs / 2, () => this.#request(pair, data));
    });
    server.on('data', (data) => {
      pair.toClient.send(this.latencyMs / 2, () => answer(pair, data));
      if (this.bytesPerSecond === Infinity) return;
      server.pause();
      setTimeout(() => server.resume(), (data.length / this.bytesPerSecond) * 1_000);
    });
    client.on('end', () => pair.toServer.send(this.latencyMs / 2, () => pair.state === 'open' && server.end()));
    server.on('end', () => pair.toClient.send(this.latencyMs / 2, () => pair.state !== 'dead' && client.end()));
    // A client that has gone takes the server's side along, unless something is still to be passed on.
    client.on('close', () => {
      pair.toClient.drop();
      if (!server.destroyed) pair.toServer.send(this.latencyMs / 2, () => pair.state !== 'held' && server.destroy());
    });
    server.on('close', () => {
      this.#pairs.delete(pair);
      pair.toServer.drop();
      pair.toClient.send(this.latencyMs / 2, () => pair.state !== 'dead' && client.destroy());
    });
    for (const socket of [client, server]) socket.on('error', () => undefined); // told by 'close', too
  }

  #request(pair: Pair, data: Buffer): void {
    if (pair.state === 'dead') return;
    const rule = [...this.#rules].find(({ text }) => data.includes(text));
    if (rule !== undefined) {
      this.#rules.delete(rule);
      rule.struck();
      if (rule.fault === 'drop') {
        cut(pair);
        return;
      }
      pair.state = states[rule.fault];
    }
    if (pair.state === 'held') pair.held.push(data);
    else pair.server.write(data);
  }
}

function answer(pair: Pair, data: Buffer): void {
  if (pair.state === 'cut at answer') cut(pair);
  else if (pair.state === 'swallow at answer') pair.state = 'dead';
  else if (pair.state === 'dismiss at answer') pair.client.end(Buffer.concat([data, dismissal]));
  else if (pair.state !== 'dead') pair.client.write(data);
}

function cut({ client, server, toClient, toServer }: Pair): void {
  toClient.drop();
  toServer.drop();
  client.destroy();
  server.destroy();
}
