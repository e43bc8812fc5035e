// Serves a store that is kept in a directory, at /feed on a port, and counts on in it. Each number is an entry of its own, saved
// before the next is set, so that no number can stand for another. Prints each that is saved; SIGTERM ends it.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout } from 'node:timers/promises';

import { persistify } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { serveFeed } from 'rx-persistify/server';

import { host } from '../../../demos/support/free-port.ts';

const [directory = '', port = ''] = process.argv.slice(2);

const store = await persistify(jsonFile({ directory })).open<Record<string, number>>('numbers');
const feed = serveFeed(store, { cors: '*', heartbeatMs: 100 });
const server = createServer(feed.handle).listen(Number(port), host);
await once(server, 'listening');

const over = new AbortController();
process.once('SIGTERM', () => over.abort());
for (let number = store.size + 1; !over.signal.aborted; number++) {
  await store.setAndSave(`number ${number}`, number);
  console.log(number);
  await setTimeout(2);
}
await store.close();
server.close();
server.closeAllConnections();
