import * as z from 'zod/mini';

import { aFunction, check, object, ratePerSecond, timerMilliseconds } from '../../check-options.ts';
import { OptionsError } from '../../errors.ts';

/** Headers by name. */
export type RequestHeaders = Readonly<Record<string, string>>;

/** Where and how `remote` reads the feeds of stores. */
export interface RemoteOptions {
  /** Where `serveFeed` answers. In a browser it may be relative to the page. */
  readonly url: string | URL;
  /** Headers to send, such as `Authorization`; a function is asked before each connection, so that what has ended can be renewed. @default none */
  readonly headers?: RequestHeaders | (() => RequestHeaders | Promise<RequestHeaders>);
  /** Only keys that begin with it are there. @default all */
  readonly prefix?: string;
  /** How often each key is told of at most, a second; then with the latest value. @default Infinity: as fast as the server tells */
  readonly rate?: number;
  /** If nothing is heard for so long, in milliseconds, not even the server's heartbeat, the connection counts as broken. More than the server's `heartbeatMs`. @default 30_000 */
  readonly timeoutMs?: number;
  /** What sends the request; it should heed its `signal`. @default the platform's `fetch` */
  readonly fetch?: (request: Request) => Promise<Response>;
}

/** The options with every default filled in. */
export interface RemoteSettings {
  readonly url: URL;
  readonly headers: () => RequestHeaders | Promise<RequestHeaders>;
  readonly prefix: string;
  readonly rate: number;
  readonly timeoutMs: number;
  readonly fetch: (request: Request) => Promise<Response>;
}

const headers = z.custom<RequestHeaders>(isHeaders, 'an object of headers, each a string, or a function that returns one');

const options = object({
  url: z.custom<string | URL>((value) => (typeof value === 'string' && value !== '') || value instanceof URL, 'a URL'),
  headers: z.optional(headers),
  prefix: z.optional(z.string('a string')),
  rate: ratePerSecond(),
  timeoutMs: timerMilliseconds(),
  fetch: aFunction(),
});

/** @throws OptionsError */
export function settingsFrom(given: RemoteOptions): RemoteSettings {
  // Neither is a URL shown that was given alone.
  if (typeof given === 'string' || given instanceof URL) throw new OptionsError('remote: the argument must be an object of options, not a URL alone. Did you mean { url: … }?');
  check(options, given, 'remote');
  const { url, headers: sent = {}, prefix = '', rate = Infinity, timeoutMs = 30_000 } = given;
  return {
    url: absolute(url),
    headers: typeof sent === 'function' ? sent : () => sent,
    prefix,
    rate,
    timeoutMs,
    fetch: given.fetch ?? ((request) => fetch(request)),
  };
}

function absolute(url: string | URL): URL {
  const page: unknown = Reflect.get(globalThis, 'location');
  const base = typeof page === 'object' && page !== null ? String(Reflect.get(page, 'href')) : undefined;
  // What was given is not repeated: it may hold a secret.
  if (!URL.canParse(String(url), base)) throw new OptionsError("remote: url must be a whole URL where there is no page, such as 'https://example.org/feed'.");
  const whole = new URL(url, base);
  if (!['http:', 'https:'].includes(whole.protocol)) throw new OptionsError(`remote: url must begin with http: or https:, not with ${whole.protocol}`);
  if (whole.username !== '' || whole.password !== '') throw new OptionsError('remote: url must have no user and password in it, which fetch refuses: send them as headers, such as Authorization.');
  return whole;
}

function isHeaders(value: unknown): boolean {
  return typeof value === 'function' || (typeof value === 'object' && value !== null && Object.values(value).every((header) => typeof header === 'string'));
}
