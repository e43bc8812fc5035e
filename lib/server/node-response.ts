import type { Sink } from './reader.ts';

/** What is needed of a request of `node:http`, `node:https` or `node:http2`. */
export interface NodeRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** What is needed of a response of theirs. */
export interface NodeResponse {
  /** Null as long as others on its connection are to be answered first. */
  readonly socket?: unknown;
  writeHead(status: number, headers: Record<string, string>): unknown;
  write(text: string): boolean;
  end(text: string): unknown;
  destroy(): unknown;
  on(event: 'drain' | 'close' | 'error' | 'socket', listener: () => void): unknown;
}

/** The same request as the fetch standard has it, without a body; `undefined` if it knows no such: by TRACE, or with a host that is none. */
export function requestOf({ method = 'GET', url = '/', headers: raw }: NodeRequest): Request | undefined {
  const headers = new Headers();
  for (const [name, value] of Object.entries(raw)) {
    if (value === undefined || name.startsWith(':')) continue; // those of HTTP/2 are no headers
    for (const each of typeof value === 'string' ? [value] : value) headers.append(name, each);
  }
  const host = raw['host'] ?? raw[':authority'];
  try {
    return new Request(urlOf(url, typeof host === 'string' ? host : 'localhost'), { method, headers });
  } catch {
    return undefined;
  }
}

/** A path may begin with two slashes, behind which no host stands: were it resolved as a link is, who asks could choose one that is trusted. */
function urlOf(target: string, host: string): URL {
  if (/[/\\?#]/.test(host)) throw new TypeError('It is no host.');
  return target.startsWith('/') ? new URL(`http://${host}${target}`) : new URL(target, `http://${host}`);
}

/**
 * Resolves when it is the turn of a response, where its request came over HTTP/1.1 before others on its connection were answered. If the
 * connection ends before that it never is, of which nothing tells: so nothing may be held for it until then.
 */
export async function turnOf(response: NodeResponse): Promise<void> {
  if (response.socket === null) await new Promise<void>((resolve) => void response.on('socket', resolve));
}

/** A response of Node as the place where a reader's events go. */
export function nodeSink(response: NodeResponse): Sink {
  return { write: (text) => response.write(text), end: (text) => void response.end(text), cut: () => void response.destroy() };
}
