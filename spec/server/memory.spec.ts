import { asyncScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { start } from '../demos/run-demo.ts';
import { StoreFeed } from '../../lib/server/store-feed.ts';
import { openStore } from './scene.ts';

/** Readers come back from many places before a large value, are told, and go; nothing changes meanwhile. */
const program = `
  import { memory, persistify } from 'rx-persistify';
  import { serveFeed } from 'rx-persistify/server';
  const used = () => { gc(); gc(); return process.memoryUsage().heapUsed; };
  const turn = () => new Promise((resolve) => setTimeout(resolve, 20));
  const store = await persistify(memory()).open('a');
  const feed = serveFeed(store);
  for (let key = 0; key < 80; key++) store.set('key ' + key, key);
  store.set('large', 'x'.repeat(Number(process.argv[1])));
  await store.flush();
  await turn();
  const read = async (headers, until) => {
    const response = await feed.fetch(new Request('http://test/', { headers }));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let tail = ''; !until.test(tail); ) tail = (tail + (await reader.read()).value).slice(-200);
    await reader.cancel();
  };
  let epoch = '';
  await read({}, { test: (tail) => (epoch = /event: live\\nid: (.+):\\d+\\n/.exec(tail)?.[1] ?? '') !== '' });
  await turn();
  const before = used();
  for (let place = 1; place <= 80; place++) await read({ 'Last-Event-ID': epoch + ':' + place }, /event: live/);
  await turn();
  console.log(JSON.stringify({ grown: used() - before, readers: feed.readers }));
  feed.close();
  await store.close();
`;

describe('what was told of a store in which nothing changes', () => {
  it.for([100_000, 5_000_000])('is kept for others at the same place, but no more than some megabytes of it, where a value has %i characters', async (length, test) => {
    const { code, stdout, stderr } = await start(test, process.execPath, ['--expose-gc', '--input-type=module', '-e', program, String(length)]).ended;
    expect([stderr, code]).toEqual(['', 0]);
    const { grown, readers } = JSON.parse(stdout) as { readonly grown: number; readonly readers: number };
    expect(readers).toBe(0);
    expect(grown).toBeLessThan(6_000_000);
  });

  it('is made once for all who are told of a change at the same time, however long it is', async () => {
    const store = await openStore({ large: 'x'.repeat(5_000_000) });
    let read = 0;
    const counted = { name: store.name, status: store.status, status$: store.status$, changes$: store.changes$, keys: () => store.keys(), jsonOf: (key: string) => (read++, store.jsonOf(key)) };
    const feed = new StoreFeed(counted, { history: 10, scheduler: asyncScheduler });
    store.set('large', 'y'.repeat(5_000_000));
    const told = Array.from({ length: 3 }, () => feed.stretch(0, feed.log.head, ''));
    expect(new Set(told).size).toBe(1);
    expect(read).toBe(1);
    feed.stop();
  });
});
