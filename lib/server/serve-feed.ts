import { OptionsError } from '../errors.ts';
import { eventStream } from './event-stream.ts';
import { nodeSink, requestOf, turnOf, type NodeRequest, type NodeResponse } from './node-response.ts';
import { settingsFrom, type FeedOptions, type FeedSettings } from './options.ts';
import { Reader, type Sink } from './reader.ts';
import { corsHeaders, notAuthorized, preflight, readRequest, type Asked, type Refusal } from './request.ts';
import { StoreFeed, type Served } from './store-feed.ts';

/** Answers requests for the feeds of stores. */
export interface FeedServer extends Disposable {
  /** For `node:http` and its like: `createServer(feed.handle)`, `app.get('/feed', feed.handle)`. */
  readonly handle: (request: NodeRequest, response: NodeResponse) => void;
  /** For what follows the fetch standard: `Deno.serve(feed.fetch)`, `Bun.serve({ fetch: feed.fetch })`. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** How many read at this moment. */
  readonly readers: number;
  /** Ends every feed, follows no store any more, and answers 503 from now on. The stores stay open. */
  close(): void;
}

/**
 * Serves what `stores` hold, and every change, as server-sent events, to be read only: to `remote` of `rx-persistify/remote`, or any
 * `EventSource`. `stores` is one store or an iterable of them, read at each request, so that a Set may grow; `?store=` says which,
 * `?prefix=` which keys, `?rate=` how often each is told of at most, a second.
 *
 * A reader is told `reset`, `entries` (pairs of keys and values, as JSON) and `live` when he has everything there was at one moment;
 * then `changes`: arrays of `{ type, key, value }` with `type` `set`, `delete`, `expire` or `clear`, the latest of each key, in order;
 * `status` as the store's status changes; and `closed` when it closes. What `live` and `changes` carry as id goes on where it was left,
 * in the header `Last-Event-ID`, for the same prefix, as long as this server runs, the store is open and its history reaches back; else
 * all is told again.
 *
 * @throws OptionsError
 * @example
 * const feed = serveFeed(sensors, { authorize: (request) => isSignedIn(request) });
 * createServer(feed.handle).listen(8080);
 */
export function serveFeed(stores: Served | Iterable<Served>, options: FeedOptions = {}): FeedServer {
  const settings = settingsFrom(options);
  if (isServed(stores)) return new Feeds(() => [stores], settings);
  if (typeof stores !== 'object' || !(Symbol.iterator in stores)) throw new OptionsError('serveFeed(stores): expected an open store, or an iterable of open stores such as [prefs, sessions].');
  const wrong = [...stores].some((store) => !isServed(store));
  if (wrong) throw new OptionsError('serveFeed(stores): each must be an open store, as open() resolves to; a cache cannot be served, as it does not have all in memory.');
  return new Feeds(() => [...stores], settings);
}

/** A refusal, or a feed: `open` begins it when the headers are sent. */
interface Answer extends Refusal {
  readonly open?: (sink: Sink) => Reader;
}

const feedHeaders = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  // A proxy that compresses, or gathers, holds back what should come at once.
  'Cache-Control': 'no-store, no-transform',
  'X-Accel-Buffering': 'no',
};

const refusalHeaders = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' };

const ended: Answer = { status: 503, text: 'The feed is closed.' };
const notUnderstood: Answer = { status: 400, text: 'There is no such request.' };

class Feeds implements FeedServer {
  readonly #stores: () => readonly Served[];
  readonly #settings: FeedSettings;
  readonly #feeds = new Map<Served, StoreFeed>();
  readonly #readers = new Set<Reader>();
  #isClosed = false;

  constructor(stores: () => readonly Served[], settings: FeedSettings) {
    this.#stores = stores;
    this.#settings = settings;
    for (const store of stores()) this.#feedOf(store); // so that history begins with the server
  }

  get readers(): number {
    return this.#readers.size;
  }

  readonly handle = (request: NodeRequest, response: NodeResponse): void => {
    response.on('error', () => undefined); // without a listener it would end the process; 'close' follows
    this.#respond(request, response).catch((error: unknown) => {
      response.destroy();
      this.#settings.report(error);
    });
  };

  readonly fetch = async (request: Request): Promise<Response> => {
    const { status, headers = {}, text, open } = await this.#answer(request);
    return new Response(open === undefined ? text || null : eventStream(open, request.signal), { status, headers });
  };

  close(): void {
    this.#isClosed = true;
    for (const reader of [...this.#readers]) reader.end();
    for (const feed of [...this.#feeds.values()]) feed.stop();
    this.#feeds.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #respond(request: NodeRequest, response: NodeResponse): Promise<void> {
    const leaving = new AbortController();
    response.on('close', () => leaving.abort());
    await turnOf(response);
    const asked = requestOf(request);
    const { status, headers = {}, text, open } = asked === undefined ? notUnderstood : await this.#answer(asked);
    if (leaving.signal.aborted) return; // who asked did not wait
    response.writeHead(status, { ...headers });
    if (open === undefined) {
      response.end(text);
      return;
    }
    const reader = open(nodeSink(response));
    response.on('drain', () => reader.drained());
    response.on('close', () => reader.gone());
    reader.start();
  }

  async #answer(request: Request): Promise<Answer> {
    const { cors } = this.#settings;
    const answer: Answer = preflight(request, cors) ?? (await this.#feedFor(request));
    return { ...answer, headers: { ...(answer.text === '' ? undefined : refusalHeaders), ...answer.headers, ...corsHeaders(request, cors) } };
  }

  async #feedFor(request: Request): Promise<Answer> {
    const { authorize, report } = this.#settings;
    const stores = this.#stores();
    const asked = readRequest(request, stores.length === 1 ? stores[0]?.name : undefined);
    if ('status' in asked) return asked;
    try {
      // Before it is told whether there is such a store.
      const isAllowed: unknown = await authorize(request, { store: asked.store, prefix: asked.prefix });
      if (isAllowed !== true) return notAuthorized(request); // an object that says no would be taken for a yes
    } catch (error) {
      report(error);
      return { status: 500, text: 'It could not be found out whether this is allowed.' };
    }
    if (this.#isClosed) return ended;
    const named = this.#stores().filter(({ name }) => name === asked.store);
    const store = named.find(({ status }) => status.state !== 'closed') ?? named[0]; // one that was closed and opened anew may be there twice
    if (store === undefined) return { status: 404, text: 'There is no such store.' };
    const feed = this.#feedOf(store);
    if (feed === undefined) return ended;
    const head: Answer = { status: 200, headers: feedHeaders, text: '' };
    return request.method === 'HEAD' ? head : { ...head, open: (sink) => this.#open(feed, asked, sink) };
  }

  #open(feed: StoreFeed, { lastEventId, prefix, rate }: Asked, sink: Sink): Reader {
    const { rate: fastest, heartbeatMs, stallMs, scheduler, report } = this.#settings;
    const reader: Reader = new Reader({ feed, sink, since: feed.placeOf(lastEventId), prefix, rate: Math.min(rate, fastest), heartbeatMs, stallMs, scheduler, report, onGone: () => this.#readers.delete(reader) });
    this.#readers.add(reader);
    return reader;
  }

  /** `undefined` if the store is closed. */
  #feedOf(store: Served): StoreFeed | undefined {
    const known = this.#feeds.get(store);
    if (known !== undefined || store.status.state === 'closed') return known;
    const feed = new StoreFeed(store, this.#settings);
    this.#feeds.set(store, feed);
    feed.news$.subscribe({ complete: () => this.#feeds.delete(store) });
    return feed;
  }
}

function isServed(store: unknown): store is Served {
  return typeof store === 'object' && store !== null && ['jsonOf', 'keys'].every((name) => typeof Reflect.get(store, name) === 'function');
}
