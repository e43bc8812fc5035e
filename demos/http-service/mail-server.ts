// What the jobs of http-service.ts need: a server that takes its time, and knows what it was sent.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { Subject } from 'rxjs';

import { host } from '../support/free-port.ts';

export interface Sending {
  readonly by: string;
  readonly at: number;
}

export interface MailServer {
  readonly url: string;
  /** Each mail's sendings, one after the other. */
  readonly sent: ReadonlyMap<string, readonly Sending[]>;
  /** Emits how many mails have been sent. */
  readonly sent$: Subject<number>;
  readonly close: () => void;
}

export async function startMailServer(): Promise<MailServer> {
  const sent = new Map<string, readonly Sending[]>();
  const sent$ = new Subject<number>();
  const server = createServer((request, response) => {
    void text(request).then(async (mail) => {
      sent.set(mail, [...(sent.get(mail) ?? []), { by: String(request.headers.from), at: Date.now() }]);
      sent$.next(sent.size);
      await setTimeout(10 + 20 * Math.random());
      response.end();
    });
  });
  await once(server.listen(0, host), 'listening');
  const address = server.address();
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://${host}:${typeof address === 'object' ? (address?.port ?? 0) : 0}`, sent, sent$, close };
}
