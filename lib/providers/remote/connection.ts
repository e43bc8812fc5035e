import { unlessAborted } from '../../aborted.ts';
import { PersistifyError, ProviderError } from '../../errors.ts';
import { EventParser, type ServerEvent } from './event-parser.ts';
import type { RemoteSettings, RequestHeaders } from './options.ts';

/** What no further attempt makes right by itself. */
const forGood = new Set([400, 401, 403, 404, 405, 406, 410]);

/** One request for a feed, and the events that come. */
export class Connection {
  readonly #url: URL;
  readonly #settings: RemoteSettings;
  readonly #lastEventId: string | undefined;
  readonly #ending = new AbortController();
  readonly #parser = new EventParser();
  readonly #decoder = new TextDecoder();
  #events: ServerEvent[] = [];
  #body: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #failure: ProviderError | undefined;
  #heardAt = Date.now();

  /** @param lastEventId where to go on from; `undefined`: all is to be told. */
  constructor(storeName: string, settings: RemoteSettings, lastEventId?: string) {
    this.#url = urlOf(storeName, settings);
    this.#settings = settings;
    this.#lastEventId = lastEventId;
  }

  /** When anything was heard last, in milliseconds since 1970. */
  get heardAt(): number {
    return this.#heardAt;
  }

  get isOpen(): boolean {
    return this.#body !== undefined;
  }

  /** Resolves when the server begins to tell. @throws ProviderError */
  async open(): Promise<void> {
    const { signal } = this.#ending;
    const asking = this.#ask(signal);
    try {
      this.#listen();
      this.#body = this.#bodyOf(await unlessAborted(asking, signal)).getReader();
    } catch (error) {
      this.close();
      asking.then(({ body }) => body?.cancel()).catch(() => undefined); // an answer to which nobody listens any more
      throw this.#failure ?? failureOf(error, `${this.#place} cannot be reached`);
    }
  }

  /** Resolves to the next event, or to `undefined` if there will be none. @throws ProviderError */
  async next(): Promise<ServerEvent | undefined> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      let text: string | undefined;
      try {
        text = await this.#read();
      } catch (error) {
        this.close();
        throw this.#failure ?? failureOf(error, `The connection to ${this.#place} broke`);
      }
      if (text === undefined) return undefined;
      this.#events = this.#parser.push(text);
    }
  }

  /** Whoever waits for an event learns that there is none. */
  close(): void {
    clearTimeout(this.#silence);
    this.#ending.abort();
    this.#body?.cancel().catch(() => undefined); // it may have ended by itself
  }

  async #ask(signal: AbortSignal): Promise<Response> {
    const { headers, fetch } = this.#settings;
    return fetch(new Request(this.#url, { headers: headersOf({ ...(await headers()), ...this.#ownHeaders() }), signal }));
  }

  async #read(): Promise<string | undefined> {
    const chunk = await this.#body?.read();
    if (this.#failure !== undefined) throw this.#failure;
    if (chunk?.value === undefined) {
      this.close();
      return undefined;
    }
    this.#listen();
    return this.#decoder.decode(chunk.value, { stream: true });
  }

  /** Something was heard, and something is to be heard again. */
  #listen(): void {
    const { timeoutMs } = this.#settings;
    clearTimeout(this.#silence);
    if (this.#ending.signal.aborted) return;
    this.#heardAt = Date.now();
    this.#silence = setTimeout(() => {
      this.#failure = new ProviderError(`Nothing was heard of ${this.#place} for ${timeoutMs} ms.`, { kind: 'retry' });
      this.close();
    }, timeoutMs);
  }

  #bodyOf({ status, headers, body }: Response): ReadableStream<Uint8Array> {
    const type = headers.get('Content-Type') ?? 'no type';
    if (status === 200 && body !== null && type.startsWith('text/event-stream')) return body;
    const kind = forGood.has(status) || status === 200 ? 'halt' : 'retry';
    throw new ProviderError(status === 200 ? `${this.#place} answers with ${type}, and not with a feed.` : `${this.#place} answers with status ${status}.`, { kind });
  }

  #ownHeaders(): Record<string, string> {
    return { Accept: 'text/event-stream', ...(this.#lastEventId === undefined ? undefined : { 'Last-Event-ID': this.#lastEventId }) };
  }

  /** Without what may be a secret. */
  get #place(): string {
    return `${this.#url.origin}${this.#url.pathname}`;
  }
}

function urlOf(storeName: string, { url, prefix, rate }: RemoteSettings): URL {
  const asked = new URL(url);
  asked.searchParams.set('store', storeName);
  if (prefix !== '') asked.searchParams.set('prefix', prefix);
  if (rate !== Infinity) asked.searchParams.set('rate', String(rate));
  return asked;
}

/** @throws ProviderError that does not repeat them, as the platform's own would. */
function headersOf(given: RequestHeaders): Headers {
  try {
    return new Headers(given);
  } catch {
    throw new ProviderError('A header that remote is to send has a name or value that HTTP does not allow, such as one with a line break.', { kind: 'halt' });
  }
}

/** What went wrong, as one of this library's errors. What is not known is tried again: networks break in many ways. */
function failureOf(error: unknown, what: string): PersistifyError {
  if (error instanceof PersistifyError) return error;
  const reason = error instanceof Error ? causeOf(error).message : String(error);
  return new ProviderError(`${what}: ${reason}`, { kind: 'retry', cause: error });
}

/** That of Node says "fetch failed", and why it did one level below. */
function causeOf(error: Error): Error {
  return error.cause instanceof Error ? error.cause : error;
}
