import { createServer, type Server } from 'node:http';

import { build } from 'esbuild';

import { host } from '../../../demos/support/free-port.ts';

/** What is served at a path; nothing: it is not there. */
export type Answer = { readonly type: string; readonly body: string | Uint8Array } | undefined;

/** Serves pages on a free port of the loopback address. */
export class PageServer {
  readonly #server: Server;
  readonly #port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.#port = port;
  }

  static async start(answer: (path: string) => Answer | Promise<Answer>): Promise<PageServer> {
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', `http://${host}`);
      Promise.resolve(answer(decodeURIComponent(pathname))).then(
        (found) => response.writeHead(found === undefined ? 404 : 200, { 'content-type': `${found?.type ?? 'text/plain'}; charset=utf-8`, 'cache-control': 'no-store' }).end(found?.body ?? 'not found'),
        (error: unknown) => response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' }).end(String(error)),
      );
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, host, resolve);
    });
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('The server of pages has no port.');
    return new PageServer(server, address.port);
  }

  /** A program for the page, bundled as a user would bundle it, at `/`. What it imports of this package is the built one. */
  static async forProgram(entry: string): Promise<PageServer> {
    const { outputFiles } = await build({ entryPoints: [entry], bundle: true, platform: 'browser', format: 'esm', target: 'es2023', write: false, sourcemap: 'inline', logLevel: 'warning' });
    const script = outputFiles[0]?.text ?? '';
    const html = '<!doctype html><html lang="en"><title>rx-persistify</title><link rel="icon" href="data:,"><script type="module" src="/program.js"></script></html>';
    return PageServer.start((path) => {
      if (path === '/') return { type: 'text/html', body: html };
      return path === '/program.js' ? { type: 'text/javascript', body: script } : undefined;
    });
  }

  get url(): string {
    return `http://${host}:${this.#port}/`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
