// The service of hot-configuration.ts: greets whoever asks, on the port and with the words of its configuration.
import { createServer } from 'node:http';
import { filter, Observable, switchMap } from 'rxjs';
import { z } from 'zod';

import type { Store } from 'rx-persistify';

import { host } from '../support/free-port.ts';

export const schema = { port: z.int().min(1).max(65_535), greeting: z.string(), logLevel: z.enum(['debug', 'info', 'warn']) };

export type Configuration = { readonly [K in keyof typeof schema]: z.infer<(typeof schema)[K]> };

/** Runs until it is unsubscribed; emits the port each time that it has begun to listen to one. */
export function serve(configuration: Store<Configuration>): Observable<number> {
  const listen = (port: number): Observable<number> =>
    new Observable((subscriber) => {
      const server = createServer((request, response) => {
        if (configuration.get('logLevel') === 'debug') console.log(`    service: ${request.method ?? ''} ${request.url ?? ''}`);
        response.end(configuration.get('greeting'));
      });
      server.once('error', (error) => subscriber.error(error));
      server.listen(port, host, () => subscriber.next(port));
      return () => {
        server.close();
        server.closeAllConnections();
      };
    });
  return configuration.get$('port').pipe(
    filter((port) => port !== undefined), // set aside: it stays where it is
    switchMap(listen),
  );
}

/** What the service says at `port`. */
export async function ask(port: number): Promise<string> {
  try {
    const response = await fetch(`http://${host}:${port}/`, { headers: { connection: 'close' } });
    return await response.text();
  } catch {
    return '(nobody there)';
  }
}
