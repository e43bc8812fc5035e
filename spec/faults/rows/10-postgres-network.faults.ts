import { setTimeout as delay } from 'node:timers/promises';

import { persistify } from 'rx-persistify';
import { expect, onTestFinished } from 'vitest';

import { storeName, type Survivor } from '../../crash/storage.ts';
import { TestServer } from '../../providers/postgres/server.ts';
import { recorded } from '../../support/controlled-provider.ts';
import { row } from '../cells/matrix.ts';
import { expectTold, rowNumber, rowTitle, Scene, serverFault } from '../cells/postgres-scene.ts';

const database = new TestServer();

row(rowNumber, rowTitle, () => {
  serverFault('connections are half open: nothing comes through, without a sign', async (cell) => {
    const rounds = cell.times(2, 60);
    const scene = await Scene.open(database, cell, { statementTimeoutMs: 200 });
    const { proxy, subject } = scene;
    for (let round = 0; round < rounds; round++) {
      const cutting = (async () => {
        await delay(cell.random.whole(5, 40));
        proxy.blackhole();
        await delay(round % 2 === 0 ? 100 : 6_000);
        proxy.mend(); // for new connections
      })();
      await scene.during(cutting);
      await scene.expectAcknowledged();
      await expect.poll(() => subject.flush()).toBe(true);
    }
    const { acknowledged } = await scene.recover();
    return { rounds, acknowledged, ...expectTold(subject.failures, { kinds: ['retry'], says: /Query read timeout/ }) };
  });

  serverFault('each answer takes 10 seconds (0.4 in the short form)', async (cell) => {
    const latencyMs = cell.times(400, 10_000);
    // Several answers are needed until a connection is there.
    const scene = await Scene.open(database, cell, { connectTimeoutMs: 6 * latencyMs });
    const { proxy, subject } = scene;
    const saves = recorded(subject.store.saves$);
    await subject.live(20);
    proxy.latencyMs = latencyMs;
    await scene.during(delay(8 * latencyMs));
    expect(await subject.flush(), 'saved in time').toBe(true);
    expect(subject.failures).toEqual([]);
    const slow = saves.filter(({ durationMs }) => durationMs >= latencyMs);
    expect(slow.length, 'saves that took so long').toBeGreaterThanOrEqual(4);
    proxy.cutAll();
    await scene.during(delay(8 * latencyMs));
    proxy.latencyMs = 0;
    const { acknowledged } = await scene.recover();
    return { 'slow saves': slow.length, acknowledged, ...expectTold(subject.failures, { kinds: ['retry'], says: /Connection terminated|ECONNRESET/ }) };
  });

  serverFault('each answer takes longer than is waited for it', async (cell) => {
    const rounds = cell.times(1, 10);
    const scene = await Scene.open(database, cell, { statementTimeoutMs: 100 });
    for (let round = 0; round < rounds; round++) {
      scene.proxy.latencyMs = 10_000;
      await scene.during(delay(5_500));
      scene.proxy.latencyMs = 0;
      await scene.expectAcknowledged();
      await expect.poll(() => scene.subject.flush()).toBe(true);
    }
    const { acknowledged } = await scene.recover();
    return { rounds, acknowledged, ...expectTold(scene.subject.failures, { kinds: ['retry'], says: /Query read timeout/ }) };
  });

  serverFault('the connection that listens is dead, but open', async (cell) => {
    const rounds = cell.times(12, 500);
    const scene = await Scene.open(database, cell);
    const way = await database.proxy();
    const listen = database.server.url({ port: way.port });
    const follower = await persistify(scene.other({ listen, connectTimeoutMs: 100 })).withRetry({ delayMs: 1, maxDelayMs: 5 }).open<Survivor>(storeName);
    onTestFinished(() => follower.close());
    const failures = recorded(follower.errors$);
    const seen = new Map<string, string>();
    follower.changes$.subscribe((change) => {
      if (change.type === 'set') seen.set(change.key, change.value.stamp);
      else if (change.type === 'clear') seen.clear();
      else seen.delete(change.key);
    });
    let longestMs = 0;
    for (let round = 0; round < rounds; round++) {
      const dying = (async () => {
        await delay(cell.random.whole(0, 30));
        way.blackhole();
      })();
      await scene.during(dying);
      await use(scene);
      const before = failures.length;
      await expect.poll(() => failures.length, { interval: 5 }).toBeGreaterThan(before);
      way.mend();
      const mendedAt = performance.now();
      await expect.poll(() => [...seen].sort(), { interval: 5 }).toEqual([...scene.subject.entries].sort());
      longestMs = Math.max(longestMs, performance.now() - mendedAt);
      way.endAbandoned(); // a server has room for so many
    }
    expect(failures.every(({ operation, fatal }) => operation === 'watch' && !fatal)).toBe(true);
    const told = expectTold(failures, { kinds: ['retry'], says: /Watching "survivor" in PostgreSQL.*Query read timeout/ });
    expect(scene.subject.failures).toEqual([]);
    const { acknowledged } = await scene.recover();
    return { rounds, acknowledged, 'longest silence (ms)': Math.ceil(longestMs), ...told };
  });
});

async function use({ subject }: Scene): Promise<void> {
  await subject.live(20);
  expect(await subject.flush()).toBe(true);
}
