import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { persistify, type Change } from 'rx-persistify';
import { remote } from 'rx-persistify/remote';
import { describe, expect, it, onTestFinished } from 'vitest';

import { freePort } from '../../../demos/support/free-port.ts';
import { Process } from '../../support/process.ts';

/** Serves the store in `directory` on `port`, and counts on in it, each number saved before the next; prints what it has counted. */
const server = (directory: string, port: number): Process =>
  new Process(`
    import { createServer } from 'node:http';
    import { persistify } from 'rx-persistify';
    import { jsonFile } from 'rx-persistify/json-file';
    import { serveFeed } from 'rx-persistify/server';
    const store = await persistify(jsonFile({ directory: ${JSON.stringify(directory)} })).open('counts');
    const feed = serveFeed(store);
    createServer(feed.handle).listen(${port}, '127.0.0.1');
    let isOver = false;
    process.stdin.once('data', () => (isOver = true));
    for (let n = (store.get('n') ?? 0) + 1; !isOver; n++) {
      await store.transactionAndSave(() => {
        store.set('n', n);
        store.set('key ' + n % 7, n);
        store.delete('key ' + (n + 3) % 7);
      });
      console.log(n);
      await new Promise(resolve => setTimeout(resolve, 1));
    }
    console.log('over ' + JSON.stringify(Object.fromEntries(store)));
  `);

describe('a server that is killed and started again', () => {
  it('is followed through it without a gap and without a duplicate', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-restart-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const port = await freePort();
    let running = server(directory, port);
    await running.line(0);
    const there = await persistify(remote({ url: `http://127.0.0.1:${port}/feed` }))
      .withRetry({ delayMs: 20, maxDelayMs: 50 })
      .open<Record<string, number>>('counts');
    onTestFinished(() => there.close());
    /** What follows from the changes alone, each checked against what it says was there. */
    const model = new Map<string, number>(there);
    const wrong: string[] = [];
    let counted = there.get('n') ?? 0;
    let takenBack = 0;
    there.changes$.subscribe((change: Change<string, number>) => {
      if (change.type === 'clear') wrong.push('a clear');
      else {
        if (model.get(change.key) !== change.previous) wrong.push(`${change.key} was ${model.get(change.key)}, and not ${change.previous}`);
        if (change.type === 'set' && change.value === change.previous) wrong.push(`${change.key} is told ${change.value} twice`);
        if (change.type === 'set') model.set(change.key, change.value);
        else model.delete(change.key);
        if (change.key === 'n' && change.type === 'set') {
          if (change.value < counted) takenBack++; // what a crash took back was applied, and not saved
          counted = change.value;
        }
      }
    });
    for (let round = 0; round < 3; round++) {
      const told = counted;
      await expect.poll(() => counted).toBeGreaterThan(told + 20);
      await running.kill();
      await expect.poll(() => there.status.connection?.state).toBe('reconnecting');
      running = server(directory, port);
      await expect.poll(() => there.status.connection?.state, { timeout: 20_000 }).toBe('connected');
    }
    const told = counted;
    await expect.poll(() => counted).toBeGreaterThan(told + 20);
    running.say('end');
    await expect.poll(() => running.lines.at(-1)).toMatch(/^over/);
    const last = JSON.parse((running.lines.at(-1) ?? '').slice('over '.length)) as Record<string, number>;
    await expect.poll(() => Object.fromEntries(there)).toEqual(last);
    expect(wrong).toEqual([]);
    expect(Object.fromEntries(model)).toEqual(last);
    expect(takenBack).toBeLessThanOrEqual(3);
  });
});
