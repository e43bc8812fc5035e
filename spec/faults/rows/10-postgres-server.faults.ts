import { setTimeout as delay } from 'node:timers/promises';

import { expect } from 'vitest';

import type { Ending } from '../../../demos/support/embedded-server.ts';
import { TestServer } from '../../providers/postgres/server.ts';
import { row, type Trial } from '../cells/matrix.ts';
import { expectTold, rowNumber, rowTitle, Scene, serverFault } from '../cells/postgres-scene.ts';

const database = new TestServer();

const isCommitting = "state = 'active' AND query LIKE '%rx_persistify_commit%'";

/** Ends those that commit, or all: were it always all, who comes back would be ended before it commits. */
const terminate = `SELECT count(*) FILTER (WHERE ${isCommitting})::integer AS commits, count(pg_terminate_backend(pid))::integer AS connections
  FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND ($1 OR ${isCommitting})`;

/** Ends the server while commits are under way, and starts it again after a while. */
function restarted(ending: Ending, short: number, long: number): Trial {
  return async (cell) => {
    const rounds = cell.times(short, long);
    const scene = await Scene.open(database, cell);
    for (let round = 0; round < rounds; round++) {
      await scene.during(restart(ending, cell.random.whole(5, 60), cell.random.whole(0, 150), () => scene.proxy.blackhole()));
      await scene.expectAcknowledged();
      await expect.poll(() => scene.subject.flush()).toBe(true);
    }
    const { acknowledged } = await scene.recover();
    return { rounds, acknowledged, ...expectTold(scene.subject.failures, { kinds: ['retry'], says: /57P01|57P02|57P03|Connection terminated|ECONNRE/ }) };
  };
}

async function restart(ending: Ending, afterMs: number, forMs: number, whileAway: () => void): Promise<void> {
  await delay(afterMs);
  await database.server.stop(ending);
  await delay(forMs);
  whileAway();
  await database.server.start();
}

row(rowNumber, rowTitle, () => {
  serverFault('a backend is terminated while it commits', async (cell) => {
    const rounds = cell.times(12, 1_000);
    const scenes = [await Scene.open(database, cell), await Scene.open(database, cell, { mood: 'bulk' })];
    let commits = 0;
    let connections = 0;
    const terminating = (async () => {
      for (let look = 1; commits < rounds || look <= 40; look++) {
        await delay(cell.random.whole(0, 10));
        const [ended] = await database.sql(terminate, [look % 20 === 0]); // all, and so of each store some
        commits += Number(ended?.['commits']);
        connections += Number(ended?.['connections']);
      }
    })();
    await Promise.all(scenes.map((scene) => scene.during(terminating)));
    let acknowledged = 0;
    for (const scene of scenes) {
      acknowledged += (await scene.recover()).acknowledged;
      expectTold(scene.subject.failures, { kinds: ['retry'], says: /57P01|Connection terminated/ });
    }
    return { commits, connections, acknowledged };
  });

  serverFault('the server is killed (kill -9) and started again', restarted('kill', 4, 200));
  serverFault('the server is stopped in order and started again', restarted('fast', 4, 200));
  serverFault('the server is stopped at once and started again', restarted('immediate', 4, 200));

  serverFault('the server is suspended for longer than the timeouts', async (cell) => {
    const rounds = cell.times(2, 50);
    const scene = await Scene.open(database, cell, { statementTimeoutMs: 100 });
    for (let round = 0; round < rounds; round++) {
      await scene.during(suspend(cell.random.whole(5, 30), round % 2 === 0 ? 5_600 : 500));
      await expect.poll(() => scene.subject.flush()).toBe(true);
    }
    const { acknowledged } = await scene.recover();
    return { rounds, acknowledged, ...expectTold(scene.subject.failures, { kinds: ['retry'], says: /Query read timeout/ }) };
  });
});

/** An answer is waited for 5 seconds longer than the server is to take for it. */
async function suspend(afterMs: number, forMs: number): Promise<void> {
  await delay(afterMs);
  await database.server.suspend();
  try {
    await delay(forMs);
  } finally {
    await database.server.resume();
  }
}
