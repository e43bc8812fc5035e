// A custom provider. There is to see: http-log/provider.ts, under 60 lines, keeps dictionaries in a log server of another
// process (http-log/server.ts); the published conformance suite proves it right; and when that server is killed in the
// middle of saving, nothing that was acknowledged is lost.
import { execFile, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filter, firstValueFrom } from 'rxjs';

import { persistify, type Store } from 'rx-persistify';

import { httpLog } from './http-log/provider.ts';
import { check, heading, inTemporaryDirectory } from './support/demo.ts';

type Counters = Record<string, number>;

const pathOf = (file: string): string => fileURLToPath(new URL(`http-log/${file}`, import.meta.url));

await inTemporaryDirectory(async (directory) => {
  heading('The conformance suite, under node:test, over HTTP:');
  const report = await runConformance();
  const countOf = (what: string): number => Number(new RegExp(`^# ${what} (\\d+)`, 'm').exec(report)?.[1]);
  for (const failed of report.match(/^ {8}not ok .*/gm) ?? []) console.log(`  ${failed.trim()}`);
  console.log(`  ${countOf('pass')} of ${countOf('tests')} tests passed`);
  check('every test passed, and there were some', [countOf('pass'), countOf('tests') > 50], [countOf('tests'), true]);

  heading('A server that is killed while it saves:');
  let { server, port } = await startServer(join(directory, 'logs'), 0);
  const stores = persistify(httpLog(`http://127.0.0.1:${port}/`)).withBatch({ intervalMs: 5 }).withRetry({ maxAttempts: 100, delayMs: 50, maxDelayMs: 200 });
  const counters = await stores.open<Counters>('counters');
  const saved = new Map<string, number>();
  const counting = count(counters, saved, 200);

  let failures = 0;
  counters.errors$.subscribe(({ error, attempt, maxAttempts }) => {
    if (failures++ < 3) console.log(`  ! attempt ${attempt} of ${maxAttempts}: ${error.message}`);
  });
  await firstValueFrom(counters.saves$.pipe(filter(({ seq }) => seq >= 50)));
  const failing = firstValueFrom(counters.errors$);
  await kill(server);
  console.log('  killed');
  await failing;
  ({ server, port } = await startServer(join(directory, 'logs'), port));
  console.log('  started again');
  await counting;
  check('every waiting write was saved in the end', saved.size, 200);
  console.log(`  (${failures} attempts had failed)`);
  await counters.close();

  const another = await persistify(httpLog(`http://127.0.0.1:${port}/`)).open<Counters>('counters');
  check('another session reads from the server exactly what was acknowledged', new Map(another), saved);
  await another.close();
  await kill(server);
});

/** What node:test reports, also when a test failed. */
function runConformance(): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--test-reporter=tap', pathOf('conformance.js')], { timeout: 60_000 }, (_error, stdout) => resolve(stdout));
  });
}

/** Sets counters one after the other, and notes each that is acknowledged. */
async function count(counters: Store<Counters>, saved: Map<string, number>, until: number): Promise<void> {
  for (let value = 0; value < until; value++) {
    await counters.setAndSave(`counter ${value}`, value);
    saved.set(`counter ${value}`, value);
  }
}

async function kill(server: ChildProcess): Promise<void> {
  const ended = once(server, 'exit');
  server.kill('SIGKILL');
  await ended;
}

async function startServer(directory: string, port: number): Promise<{ server: ChildProcess; port: number }> {
  const server = fork(pathOf('server.js'), [directory, String(port)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const [message] = (await once(server, 'message')) as [{ readonly port: number }]; // as server.ts sends it
  return { server, port: message.port };
}
