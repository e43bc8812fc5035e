// From a JSON file to PostgreSQL. There is to see: move-to-postgres/move.ts, some twenty lines, copies a store with its deadlines; it
// is refused while the service runs, leaves nothing half done where it is killed, and the service goes on where it was.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { persistify, type Provider, type Store } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { postgres } from 'rx-persistify/postgres';

import { check, heading, inTemporaryDirectory } from './support/demo.ts';
import { EmbeddedServer } from './support/embedded-server.ts';

interface Session {
  readonly user: string;
  readonly clicks: number;
}

const count = 10_000;

await inTemporaryDirectory(async (directory) => {
  const server = await EmbeddedServer.start();
  try {
    await moveAll(directory, server.url());
  } finally {
    await server.remove();
  }
});

async function moveAll(directory: string, connection: string): Promise<void> {
  const inFile = jsonFile({ directory });
  const inPostgres = postgres({ connection });
  const move = (killAfterMs?: number): Promise<string> => run([directory, 'sessions', connection], killAfterMs);

  heading(`A service has ${count.toLocaleString('en')} sessions in a JSON file, half of which end some time:`);
  const before = await start(inFile);
  for (let index = 1; index <= count; index++) before.set(`session ${index}`, { user: `user ${index}`, clicks: index }, { ttlMs: index % 2 === 0 ? Infinity : 3_600_000 + index });
  await before.flush();
  const refused = await move();
  console.log(`  move: ${refused.replaceAll(directory, '…')}`);
  check('while it runs, the move is refused', refused.startsWith('StoreLockedError'), true);

  heading('The service has ended. The move is killed in the middle:');
  await before.close();
  console.log(`  move: ${await move(30)}`);
  const half = await start(inPostgres);
  check(`PostgreSQL has all of it or nothing: ${half.size === 0 ? 'nothing, this time' : 'all, this time'}`, half.size === 0 || half.size === count, true);
  await half.close();

  heading('Again, and to the end:');
  const began = performance.now();
  console.log(`  move: ${await move()}`);
  console.log(`  (in ${((performance.now() - began) / 1_000).toFixed(1)} s, start and comparison included)`);

  heading('The service starts again, with `postgres(…)` in the place of `jsonFile(…)`:');
  const after = await start(inPostgres);
  check('every session is there, with its clicks', new Map(after), new Map(before));
  const later = [...before.keys()].filter((key) => after.expiresAt(key) !== before.expiresAt(key));
  check('each ends at the very millisecond at which it would have ended', later, []);
  after.update('session 1', (session) => session && { ...session, clicks: session.clicks + 1 });
  await after.flush();

  heading('Once more, by mistake:');
  const late = await move();
  console.log(`  move: ${late}`);
  check('what the service has written since is safe', after.get('session 1')?.clicks, 2);
  await after.close();
}

function start(provider: Provider): Promise<Store<Record<string, Session>>> {
  return persistify(provider).open<Record<string, Session>>('sessions');
}

/** What the move says, or how it fails, in a process of its own. */
async function run(args: readonly string[], killAfterMs: number | undefined): Promise<string> {
  const child = fork(fileURLToPath(new URL('move-to-postgres/move.js', import.meta.url)), args, { silent: true });
  if (killAfterMs !== undefined) child.once('message', () => void setTimeout(killAfterMs).then(() => child.kill('SIGKILL')));
  const says = { said: '', failed: '' };
  child.stdout?.on('data', (chunk) => (says.said += String(chunk)));
  child.stderr?.on('data', (chunk) => (says.failed += String(chunk)));
  await once(child, 'close');
  return child.signalCode ?? /^\w*Error: .*/m.exec(says.failed)?.[0] ?? says.said.trim();
}
