import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

import { serveFeed, type Served } from 'rx-persistify/server';

import type { PageFile } from './page-files.ts';

/** The loopback address: what a machine is doing is nobody else's business. */
const host = '127.0.0.1';
/** How long an answer that is under way may take when the server closes, in milliseconds. */
const patienceMs = 500;

const security = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types angular",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-cache',
};

export interface DashboardOptions {
  readonly page: ReadonlyMap<string, PageFile>;
  /** What the page reads, at `/feed`. */
  readonly stores: readonly Served[];
  /** 0: one that is free. */
  readonly port: number;
}

/** The page and its feed, served to browsers of this machine. */
export interface DashboardServer {
  readonly address: string;
  /** Ends every feed, and whatever else is under way. */
  close(): Promise<void>;
}

/** Rejects if the port cannot be had. */
export async function serveDashboard({ page, stores, port }: DashboardOptions): Promise<DashboardServer> {
  const feed = serveFeed(stores);
  const server = createServer((request, response) => {
    const answer = readRequest(request, page);
    if (answer === 'feed') feed.handle(request, response);
    else send(response, request.method, answer);
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    feed.close();
    const isTaken = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
    throw isTaken ? new Error(`port ${port} is taken. Give another one, or 0 for one that is free.`, { cause }) : cause;
  }
  const bound = server.address();
  return {
    address: `http://${host}:${typeof bound === 'object' && bound !== null ? bound.port : port}/`,
    close: async () => {
      feed.close();
      const closed = once(server, 'close');
      server.close();
      const impatience = setTimeout(() => server.closeAllConnections(), patienceMs);
      await closed;
      clearTimeout(impatience);
    },
  };
}

interface Answer extends Partial<PageFile> {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

function readRequest({ method, url = '/', headers }: IncomingMessage, page: DashboardOptions['page']): Answer | 'feed' {
  // A name that another page has pointed at this machine would make this page one of its own origin.
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(headers.host ?? '')) return refusal(403, 'This is served to 127.0.0.1 and localhost alone.');
  const [path = '/'] = url.split('?');
  if (path === '/feed') return 'feed';
  if (method !== 'GET' && method !== 'HEAD') return { ...refusal(405, 'The dashboard is read by GET.'), headers: { Allow: 'GET, HEAD' } };
  const file = page.get(path);
  return file === undefined ? refusal(404, 'There is no such page.') : { status: 200, ...file };
}

function refusal(status: number, text: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: Buffer.from(`${text}\n`) };
}

function send(response: ServerResponse, method: string | undefined, { status, type = '', body = Buffer.of(), headers }: Answer): void {
  response.writeHead(status, { ...security, ...headers, 'Content-Type': type, 'Content-Length': body.length });
  response.end(method === 'HEAD' ? undefined : body);
}
