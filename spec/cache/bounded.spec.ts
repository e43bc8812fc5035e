import { describe, expect, it } from 'vitest';

import { start } from '../demos/run-demo.ts';

/** Storage that keeps nothing on the heap, so that what grows is the cache: what is written is forgotten, what is read is made up. */
const program = `
  import { persistify } from 'rx-persistify';
  const session = {
    capabilities: { shared: false, durability: 'memory' },
    async *load() { yield { version: 0, entries: [] }; },
    read: async (keys) => keys.filter((key) => key.startsWith('stored')).map((key) => ({ key, json: JSON.stringify(key.repeat(20)), version: 1, expiresAt: Date.now() + 1e9 })),
    write: async (batch) => ({ version: batch.number, leftOut: [] }),
    close: async () => {},
  };
  const used = () => { gc(); gc(); return process.memoryUsage().heapUsed; };
  const cache = await persistify({ name: 'made up', open: async () => session }).withTtl({ ms: 1e8, mode: 'sliding' }).openCache('a', { maxEntries: 1_000, keepMs: 1e6 });
  const run = async (from, to) => {
    for (let index = from; index < to; index += 500) {
      const steps = [];
      for (let key = index; key < index + 500; key++) {
        const n = key % 5;
        if (n === 0) steps.push(cache.get('stored ' + key));
        else if (n === 1) cache.set('new ' + key, 'x'.repeat(200));
        else if (n === 2) steps.push(cache.getOrSet('loaded ' + key, () => 'x'.repeat(200)));
        else if (n === 3) steps.push(cache.update('stored ' + key, (value) => value + '!'));
        else cache.delete('gone ' + key);
      }
      await Promise.all(steps);
      await cache.flush();
    }
    await cache.flush();
    await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await run(0, 10_000);
  const before = used();
  await run(10_000, 210_000);
  const after = used();
  let inMemory = 0;
  for (let key = 0; key < 210_000; key++) for (const name of ['stored ', 'new ', 'loaded ']) if (cache.peek(name + key) !== undefined) inMemory++;
  console.log(JSON.stringify({ grown: after - before, inMemory, unsaved: cache.unsaved.length }));
  await cache.close();
`;

describe('a cache of 1,000 entries', () => {
  it('has 1,000 in memory after 200,000 keys were read, written and deleted, and nothing else has grown', async (test) => {
    const { code, stdout, stderr } = await start(test, process.execPath, ['--expose-gc', '--input-type=module', '-e', program]).ended;
    expect([stderr, code]).toEqual(['', 0]);
    const { grown, inMemory, unsaved } = JSON.parse(stdout) as { readonly grown: number; readonly inMemory: number; readonly unsaved: number };
    expect([inMemory, unsaved]).toEqual([1_000, 0]);
    expect(grown).toBeLessThan(2_000_000); // ten bytes a key; an entry has some hundreds
  });

  it('holds no process', async (test) => {
    const idle = `
      import { memory, persistify } from 'rx-persistify';
      const cache = await persistify(memory()).withTtl({ ms: 60_000, mode: 'sliding' }).openCache('a', { keepMs: 60_000 });
      await cache.setAndSave('a', 1);
      await cache.get('b');
      cache.get$('a').subscribe();
      console.log('done');
    `;
    const { code, stdout, stderr } = await start(test, process.execPath, ['--input-type=module', '-e', idle]).ended;
    expect([code, stdout, stderr]).toEqual([0, 'done\n', '']);
  }, 20_000);
});
