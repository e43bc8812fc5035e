// A service that runs as three processes on one PostgreSQL. There is to see: who signs in at one is known to all; 200 jobs are
// done by one process each, also those of a process that is killed; and the others end without losing anything.
import { setTimeout } from 'node:timers/promises';
import { filter, firstValueFrom } from 'rxjs';

import { persistify } from 'rx-persistify';
import { postgres } from 'rx-persistify/postgres';

import { startMailServer } from './http-service/mail-server.ts';
import { Replica } from './http-service/replica.ts';
import type { Job } from './http-service/worker.ts';
import { check, heading } from './support/demo.ts';
import { EmbeddedServer } from './support/embedded-server.ts';

type Replicas = readonly [Replica, Replica, Replica];

heading('PostgreSQL starts, and then the service, three times:');
const server = await EmbeddedServer.start();
try {
  await demonstrate(server.url());
} finally {
  await server.remove();
}

async function demonstrate(connection: string): Promise<void> {
  const mail = await startMailServer();
  const start = (name: string): Promise<Replica> => Replica.start(name, connection, mail.url);
  const replicas = await Promise.all([start('p1'), start('p2'), start('p3')]);
  for (const { name, url } of replicas) console.log(`    ${name} ${url}`);
  await sessions(replicas);

  heading('200 mails are to be sent; p2 is killed in the middle:');
  const jobs = await persistify(postgres({ connection })).open<Record<string, Job>>('jobs'); // this process looks on
  const allDone = firstValueFrom(jobs.entries$.pipe(filter((all) => all.length === 200 && all.every(([, { doneBy }]) => doneBy !== undefined))));
  const someSent = firstValueFrom(mail.sent$.pipe(filter((count) => count === 80)));
  const ids = Array.from({ length: 200 }, (_, index) => `mail ${index + 1}`);
  await Promise.all(replicas.map((replica, index) => replica.ask('POST /jobs', { body: ids.filter((_, at) => at % 3 === index).join('\n') })));
  await someSent;
  const [p1, p2, p3] = replicas;
  await p2.end('SIGKILL');
  console.log(`    p2 is killed by kill -9, when ${mail.sent.size} have been sent`);
  await allDone;
  const doneBy = (name: string): number => [...jobs.values()].filter((job) => job.doneBy === name).length;
  for (const { name } of replicas) console.log(`  ${name} ${'█'.repeat(doneBy(name) / 2)} ${doneBy(name)}`);
  check('every job is done, and by one', doneBy('p1') + doneBy('p2') + doneBy('p3'), 200);
  check('every mail was sent', [...mail.sent.keys()].sort(), [...ids].sort());
  const again = [...mail.sent.values()].filter(({ length }) => length > 1);
  const pausesMs = again.flatMap((sendings) => sendings.slice(1).map(({ at }, index) => at - (sendings[index]?.at ?? at)));
  check(`none by two at a time; ${again.length} again, as who had sent them did not live to say so`, pausesMs.filter((ms) => ms < 1_000), []);

  heading('The others are stopped by SIGTERM, when not every visit that they count is saved:');
  const visits = await persistify(postgres({ connection })).open<Record<string, number>>('visits');
  await Promise.all([p1, p3].flatMap((replica) => Array.from({ length: 50 }, () => replica.ask('GET /who'))));
  const endings = await Promise.all([p1.end('SIGTERM'), p3.end('SIGTERM')]);
  check('they ended by the signal', endings, ['SIGTERM', 'SIGTERM']);
  await visits.reload();
  check(`each has counted its visits to the last: ${p1.asked} and ${p3.asked}`, [visits.get('p1'), visits.get('p3')], [p1.asked, p3.asked]);
  await Promise.all([jobs.close(), visits.close()]);
  mail.close();
}

async function sessions(replicas: Replicas): Promise<void> {
  const [p1, p2, p3] = replicas;
  heading('Ann signs in at p1, and bob at p2:');
  const [ann, bob] = await Promise.all([p1.ask('POST /sign-in', { body: 'ann' }), p2.ask('POST /sign-in', { body: 'bob' })]);
  const askAll = (what: string, session: string | undefined): Promise<readonly (string | undefined)[]> => Promise.all(replicas.map((replica) => replica.ask(what, { session })));
  check('all know her at once', await askAll('GET /who', ann), ['ann', 'ann', 'ann']);
  await Promise.all(Array.from({ length: 10 }, () => askAll('POST /click', ann)));
  check('30 clicks, ten at each and all at once, are all counted', await p2.ask('POST /click', { session: ann }), '31');

  heading('A session ends 1.5 s after its last use. Ann goes on at p1 and p3, bob falls asleep:');
  for (let uses = 0; uses < 7; uses++) {
    await setTimeout(250);
    await (uses % 2 === 0 ? p1 : p3).ask('GET /who', { session: ann });
  }
  // It has not seen her since, and tries to end her session; storage knows better, and until it has said so p2 does not.
  const { answer } = await untilAnswered(() => p2.ask('GET /who', { session: ann }), 'ann');
  check('p2 knows ann, too', answer, 'ann');
  check('nobody knows bob', await askAll('GET /who', bob), [undefined, undefined, undefined]);
  await p3.ask('POST /sign-out', { session: ann });
  const { answer: known, afterMs } = await untilAnswered(() => p1.ask('GET /who', { session: ann }), undefined);
  check(`she signs out at p3, and p1 knows it ${Math.round(afterMs)} ms later`, known, undefined);
}

/** Asks until this is the answer, for five seconds at most: what one process did the others know in a moment. */
async function untilAnswered(ask: () => Promise<string | undefined>, expected: string | undefined): Promise<{ readonly answer: string | undefined; readonly afterMs: number }> {
  const began = performance.now();
  for (;;) {
    const answer = await ask();
    const afterMs = performance.now() - began;
    if (answer === expected || afterMs > 5_000) return { answer, afterMs };
  }
}
