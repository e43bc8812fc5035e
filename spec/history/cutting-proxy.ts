import { connect, createServer, type Server, type Socket } from 'node:net';

const host = '127.0.0.1';

/** What is said on the connection of a feed, and before a commit, in the clear. */
const listening = Buffer.from('LISTEN ');
const committing = [Buffer.from('rx_persistify_commit'), Buffer.from('COMMIT')];

/** One connection through the proxy. */
interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  isFeed: boolean;
  /** The next answer is not passed on: what asked for it was done, and nobody hears of it. */
  isToBeCut: boolean;
}

/** Stands between one process and its server, and cuts what goes through at the moments that matter. */
export class CuttingProxy {
  readonly #serverPort: number;
  readonly #listener: Server;
  readonly #pairs = new Set<Pair>();
  #cutsNextCommit = false;
  #onCut: () => void = () => undefined;

  static async start(serverPort: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(serverPort);
    await new Promise<void>((resolve, reject) => {
      proxy.#listener.once('error', reject).listen(0, host, resolve);
    });
    return proxy;
  }

  private constructor(serverPort: number) {
    this.#serverPort = serverPort;
    this.#listener = createServer((client) => this.#join(client));
  }

  get port(): number {
    const address = this.#listener.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Every connection that there is. */
  cutAll(): void {
    for (const pair of [...this.#pairs]) this.#cut(pair);
  }

  /** The answer to the next commit, and its connection. Resolves when that has happened. */
  cutNextCommit(): Promise<void> {
    this.#cutsNextCommit = true;
    return new Promise((resolve) => {
      this.#onCut = resolve;
    });
  }

  /** The connection of the feed; `isSilent`: it stays, and nothing comes through it any more, as where a router has forgotten it. */
  cutFeed(isSilent: boolean): void {
    for (const pair of [...this.#pairs].filter(({ isFeed }) => isFeed)) {
      if (!isSilent) this.#cut(pair);
      else pair.server.removeAllListeners('data').resume();
    }
  }

  async close(): Promise<void> {
    this.cutAll();
    this.#onCut();
    await new Promise((resolve) => this.#listener.close(resolve));
  }

  #join(client: Socket): void {
    const server = connect(this.#serverPort, host);
    const pair: Pair = { client, server, isFeed: false, isToBeCut: false };
    this.#pairs.add(pair);
    for (const socket of [client, server]) socket.setNoDelay().on('error', () => this.#cut(pair)).on('close', () => this.#cut(pair));
    client.on('data', (data) => {
      pair.isFeed ||= data.includes(listening);
      if (this.#cutsNextCommit && committing.some((text) => data.includes(text))) {
        this.#cutsNextCommit = false;
        pair.isToBeCut = true;
      }
      server.write(data);
    });
    server.on('data', (data) => {
      if (!pair.isToBeCut) client.write(data);
      else {
        this.#cut(pair);
        this.#onCut();
      }
    });
  }

  #cut(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    pair.client.destroy();
    pair.server.destroy();
  }
}
