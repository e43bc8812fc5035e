// Web sessions. There is to see: sessions end when they are not used for a second, and who follows one hears of it; only two
// are in memory, all are in SQLite; and after a restart each ends when it would have ended anyway.
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { persistify, type Cache } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';

import { check, heading, inTemporaryDirectory } from './support/demo.ts';

interface Session {
  readonly user: string;
  readonly clicks: number;
}

type Sessions = Cache<Record<string, Session>>;

const users = ['ann', 'bob', 'cid', 'dee'];
const began = Date.now();

await inTemporaryDirectory(async (directory) => {
  const file = join(directory, 'sessions.sqlite');
  const before = await firstRun(file);
  await setTimeout(600); // nobody serves
  await secondRun(file, before);
});

/** Resolves to when the sessions end that live on. */
async function firstRun(file: string): Promise<ReadonlyMap<string, number | undefined>> {
  heading('Four log in. Ann goes on clicking; cid wants to be remembered; bob falls asleep:');
  const sessions = await open(file);
  for (const user of users) await sessions.setAndSave(user, { user, clicks: 0 }, user === 'cid' ? { ttlMs: 60_000 } : {});
  check('two are in memory, and four in storage', [users.filter((user) => sessions.peek(user) !== undefined).length, await sessions.count()], [2, 4]);
  await table(sessions);

  const bob: string[] = [];
  sessions.get$('bob').subscribe((session) => {
    bob.push(session === undefined ? 'out' : 'in');
    console.log(`  ${elapsed()} bob is ${session === undefined ? 'out: his session expired' : 'in'}`);
  });
  for (let click = 1; click <= 6; click++) {
    await setTimeout(200);
    await sessions.update('ann', (session) => session && { ...session, clicks: click });
    if (click === 5) sessions.set('dee', { user: 'dee', clicks: 0 }); // logs in again, just before the end
  }
  await table(sessions);
  check('who follows bob has heard him expire', bob, ['in', 'out']);
  check('bob is gone, and who clicks is not', [await sessions.get('bob'), (await sessions.get('ann'))?.clicks], [undefined, 6]);

  const deadlines = new Map<string, number | undefined>();
  for (const user of ['ann', 'cid']) {
    await sessions.get(user);
    deadlines.set(user, sessions.expiresAt(user));
  }
  await sessions.close();
  return deadlines;
}

async function secondRun(file: string, before: ReadonlyMap<string, number | undefined>): Promise<void> {
  heading('A restart later:');
  const sessions = await open(file);
  const followed = sessions.get$('ann').subscribe(); // which prolongs nothing
  sessions.get$('cid').subscribe();
  await setTimeout(10);
  const left = [...before.values()].map((endsAt = 0) => (endsAt > Date.now() ? endsAt : undefined)); // on a slow machine, ann's has passed
  check('the deadlines are those from before', [...before.keys()].map((user) => sessions.expiresAt(user)), left);
  await setTimeout((before.get('ann') ?? 0) - Date.now() + 20);
  await table(sessions);
  check('ann, who did not come back in time, is out; cid is remembered', [await sessions.get('ann'), (await sessions.get('cid'))?.user], [undefined, 'cid']);
  followed.unsubscribe();
  await sessions.flush();
  check('cid alone is left', await sessions.count(), 1);
  await sessions.close();
}

function open(file: string): Promise<Sessions> {
  return persistify(sqlite({ file })).withTtl({ ms: 1_000, mode: 'sliding' }).openCache<Record<string, Session>>('sessions', { maxEntries: 2 });
}

/** Shows who is in, without prolonging anything. */
async function table(sessions: Sessions): Promise<void> {
  const stored = new Set<string>();
  for await (const user of sessions.keys()) stored.add(user);
  const row = (user: string): string => (!stored.has(user) ? 'expired' : sessions.peek(user) === undefined ? 'in storage' : 'in memory');
  console.log(`  ${elapsed()} ${users.map((user) => `${user}: ${row(user).padEnd(10)}`).join(' | ')}`);
}

function elapsed(): string {
  return `${((Date.now() - began) / 1_000).toFixed(1)} s`;
}
