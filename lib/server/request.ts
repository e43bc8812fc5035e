import type { FeedSettings, Wanted } from './options.ts';

/** An answer that is no feed. */
export interface Refusal {
  readonly status: number;
  /** For a person to read; nothing of it is secret. */
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a request that may be answered asks for. */
export interface Asked extends Wanted {
  readonly rate: number;
  /** The last event that the reader was told. */
  readonly lastEventId: string | null;
}

/** What is asked for, or why it cannot be. @param only the name of the store, if there is but one: then it need not be named. */
export function readRequest({ method, url, headers }: Request, only: string | undefined): Asked | Refusal {
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, text: 'A feed is read by GET.', headers: { Allow: 'GET, HEAD' } };
  if (!acceptsEvents(headers.get('Accept'))) return { status: 406, text: 'A feed is text/event-stream.' };
  const { searchParams } = new URL(url);
  const store = searchParams.get('store') ?? only;
  if (store === undefined) return { status: 400, text: 'Name the store: ?store=…' };
  const rate = Number(searchParams.get('rate') ?? Infinity);
  if (!(rate > 0)) return { status: 400, text: 'rate is how often a key is told of at most, a second: a number above 0.' };
  return { store, rate, prefix: searchParams.get('prefix') ?? '', lastEventId: headers.get('Last-Event-ID') };
}

/** Who has shown nothing is asked to show who he is; who has may not. */
export function notAuthorized({ headers }: Request): Refusal {
  const hasShown = headers.has('Authorization') || headers.has('Cookie');
  return hasShown ? { status: 403, text: 'Not allowed.' } : { status: 401, text: 'Who are you?', headers: { 'WWW-Authenticate': 'Bearer' } };
}

/** What a browser has to be told before a page of another origin may read the answer. */
export function corsHeaders(request: Request, cors: FeedSettings['cors']): Readonly<Record<string, string>> {
  const origin = request.headers.get('Origin');
  if (cors === '*') return { 'Access-Control-Allow-Origin': '*' };
  if (cors.length === 0) return {};
  // A cache must not give one origin what is meant for another.
  return origin !== null && cors.includes(origin) ? { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' } : { Vary: 'Origin' };
}

/**
 * The answer to what a browser asks beforehand, as a page may send `Last-Event-ID` and `Authorization` only where it is told so;
 * `undefined` if it is no such question.
 */
export function preflight({ method, headers }: Request, cors: FeedSettings['cors']): Refusal | undefined {
  if (cors.length === 0 || method !== 'OPTIONS' || !headers.has('Access-Control-Request-Method')) return undefined;
  const asked = headers.get('Access-Control-Request-Headers') ?? 'Last-Event-ID, Authorization';
  return { status: 204, text: '', headers: { 'Access-Control-Allow-Methods': 'GET, HEAD', 'Access-Control-Allow-Headers': asked, 'Access-Control-Max-Age': '600' } };
}

function acceptsEvents(accept: string | null): boolean {
  if (accept === null) return true;
  return accept.split(',').some((range) => ['text/event-stream', 'text/*', '*/*'].includes((range.split(';')[0] ?? '').trim().toLowerCase()));
}
