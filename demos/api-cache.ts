// A cache in front of a slow service. There is to see: 200 who ask at once cost one request; failures are not cached; memory
// has ten answers and SQLite all; and the next process finds what this one cached. The service is a real HTTP server.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { persistify, type Cache } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';

import { check, heading, inTemporaryDirectory } from './support/demo.ts';

interface City {
  readonly name: string;
}

const names = Array.from({ length: 50 }, (_, index) => `city-${index}`);
const requests: string[] = [];
let isDown = false;

const [url, file] = process.argv.slice(2);
if (url !== undefined && file !== undefined) await nextProcess(url, file);
else await inTemporaryDirectory(firstProcess);

async function firstProcess(directory: string): Promise<void> {
  const server = await serve();
  const address = server.address();
  const service = `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;
  const path = join(directory, 'cache.sqlite');
  const cities = await open(path);
  let asked = 0;
  const ask = (name: string): Promise<City> => (asked++, cities.getOrSet(name, () => fetchCity(service, name), { ttlMs: 3_600_000 }));

  heading('200 ask for the same at once:');
  const answers = await Promise.all(Array.from({ length: 200 }, () => ask('city-0')));
  check('they cost one request', requests.length, 1);
  check('each has the answer', answers.every(({ name }) => name === 'city-0'), true);

  heading('The service is down for a while:');
  isDown = true;
  const failures = await Promise.allSettled([ask('city-1'), ask('city-1')]);
  check('who asks hears it, at the cost of one request', [failures.map(({ status }) => status), requests.length], [['rejected', 'rejected'], 2]);
  check('what is cached is there all the same', (await ask('city-0')).name, 'city-0');
  isDown = false;
  check('the failure was not cached', [(await ask('city-1')).name, requests.length], ['city-1', 3]);

  heading('All 50 cities, twice:');
  for (let round = 0; round < 2; round++) for (const name of names) await ask(name);
  await cities.flush();
  const inMemory = names.filter((name) => cities.peek(name) !== undefined).length;
  check('each was requested once, beside the failure', requests.length, 51);
  check('ten are in memory', inMemory, 10);
  check('fifty are in storage', await cities.count(), 50);
  console.log(`  asked ${asked} times | requests ${requests.length} | in memory ${inMemory} | in storage ${await cities.count()}`);
  await cities.close();

  heading('Another process, with the same file:');
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), service, path], { stdio: 'inherit' });
  check('it ended well', await once(child, 'exit'), [0, null]);
  check('it has sent no request', requests.length, 51);
  server.close();
}

async function nextProcess(service: string, path: string): Promise<void> {
  const cities = await open(path);
  const answers = await Promise.all(names.map((name) => cities.getOrSet(name, () => fetchCity(service, name))));
  check('it finds all 50', answers.map(({ name }) => name), names);
  await cities.close();
}

function open(path: string): Promise<Cache<Record<string, City>>> {
  return persistify(sqlite({ file: path })).openCache<Record<string, City>>('cities', { maxEntries: 10 });
}

async function fetchCity(service: string, name: string): Promise<City> {
  const response = await fetch(`${service}/${name}`, { headers: { connection: 'close' } });
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return (await response.json()) as City; // as the service says
}

/** The slow service. */
async function serve(): Promise<Server> {
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    const status = isDown ? 503 : 200;
    void setTimeout(10).then(() => response.writeHead(status).end(JSON.stringify({ name: request.url?.slice(1) })));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}
