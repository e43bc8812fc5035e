// The service of http-service.ts: node service.js NAME postgres://… MAIL-SERVER. Any number of it share one database.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

import { persistify, StoreClosedError } from 'rx-persistify';
import { flushOnExit } from 'rx-persistify/node';
import { postgres } from 'rx-persistify/postgres';

import { host } from '../support/free-port.ts';
import { work, type Job } from './worker.ts';

interface Session {
  readonly user: string;
  readonly clicks: number;
}

const [, , name = '', connection = '', mailServer = ''] = process.argv;

const stores = persistify(postgres({ connection }));
// A cache asks storage for what it does not have: who has just signed in at another process is known here.
const sessions = await stores.withTtl({ ms: 1_500, mode: 'sliding' }).openCache<Record<string, Session>>('sessions');
const jobs = await stores.open<Record<string, Job>>('jobs');
const claims = await stores.withTtl({ ms: 3_000, mode: 'absolute' }).open<Record<string, string>>('claims');
const visits = await stores.open<Record<string, number>>('visits');
flushOnExit([sessions, jobs, claims, visits]);

/** By method and path. What resolves to `undefined` needs a session. */
const routes: Readonly<Record<string, (body: string, session: string) => Promise<string | undefined>>> = {
  async 'POST /sign-in'(user) {
    const id = randomUUID();
    await sessions.setAndSave(id, { user, clicks: 0 });
    return id;
  },
  async 'GET /who'(_, id) {
    return (await sessions.get(id))?.user; // and its time begins anew
  },
  async 'POST /click'(_, id) {
    const session = await sessions.updateAndSave(id, (now) => now && { ...now, clicks: now.clicks + 1 });
    return session && String(session.clicks);
  },
  async 'POST /sign-out'(_, id) {
    await sessions.deleteAndSave(id);
    return 'bye';
  },
  async 'POST /jobs'(body) {
    for (const id of body.split('\n')) jobs.set(id, {});
    await jobs.flush();
    return 'taken';
  },
};

const server = createServer((request, response) => {
  const answer = async (): Promise<string | undefined> => {
    visits.update(name, (count = 0) => count + 1); // saved with the next batch; nobody waits for it
    return await routes[`${request.method ?? ''} ${request.url ?? ''}`]?.(await text(request), String(request.headers['session']));
  };
  answer().then(
    (body) => response.writeHead(body === undefined ? 401 : 200).end(body),
    (error: unknown) => response.writeHead(503).end(String(error)),
  );
});

const abandoned = new Map<string, string>();
claims.changes$.subscribe((change) => {
  if (change.type === 'expire') abandoned.set(change.key, change.previous);
});
async function sendMail(id: string): Promise<void> {
  const before = abandoned.get(id);
  if (before !== undefined) console.log(`    ${name} takes over ${id}: the claim of ${before} has ended`);
  await fetch(mailServer, { method: 'POST', body: id, headers: { from: name } });
}
for (let lane = 0; lane < 4; lane++) {
  work({ name, jobs, claims, run: sendMail }).catch((error: unknown) => {
    if (!(error instanceof StoreClosedError)) throw error; // the end has come
  });
}

server.listen(0, host, () => {
  const address = server.address();
  process.send?.(`http://${host}:${typeof address === 'object' ? (address?.port ?? 0) : 0}`);
});
process.once('disconnect', () => process.exit()); // who started it is gone
