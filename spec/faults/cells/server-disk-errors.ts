import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { expect } from 'vitest';

import type { TestServer } from '../../providers/postgres/server.ts';
import { recovered } from './given-back.ts';
import type { Cell, Trial } from './matrix.ts';
import type { Storages } from './storages.ts';
import { Subject } from './subject.ts';
import { failCalls, type Failing } from './system-calls.ts';

/** What is to be on the disk before a commit is acknowledged; the server must flush for it. */
export const durableServer = { settings: { fsync: 'on', wal_writer_delay: '10ms' } };

/**
 * A call of the processes that write the server's log fails: the server panics, ends every connection and recovers from its log
 * (`data_sync_retry` is off). The store goes on by itself.
 */
export function serverFailsOnce(storages: Storages, calls: Failing['calls']): Trial {
  return async (cell) => {
    const { server } = storages;
    const tally = { cycles: 0, 'calls failed': 0, 'failures told': 0, acknowledged: 0 };
    for (; tally.cycles < cell.times(2, 60); tally.cycles++) {
      const { subject, storage } = await opened(storages, cell);
      const injection = await failCalls(await writersOf(server), join(cell.directory, 'strace'), { calls, error: 'EIO', when: String(cell.random.magnitude(1, 20)) });
      const before = panicsOf(server);
      for (let rounds = 0; rounds < 40 && panicsOf(server) === before; rounds++) await subject.live(100);
      await subject.live(20);
      tally['calls failed'] += await injection.heal();
      await recovered(subject);
      tally['failures told'] += subject.failures.length;
      for (const { error } of subject.failures) expect(error).toMatchObject({ code: 'PROVIDER', kind: 'retry' });
      await subject.close();
      tally.acknowledged += (await subject.expectKept(storage.provider(), { isWhole: true })).acknowledged;
    }
    expect(tally['calls failed']).toBeGreaterThanOrEqual(tally.cycles);
    expect(tally['failures told']).toBeGreaterThan(0);
    return tally;
  };
}

/** All fail from some call on, also in recovery, so that the server does not come up until its disk is mended and it is started again. */
export function serverFailsForEver(storages: Storages, calls: Failing['calls']): Trial {
  return async (cell) => {
    const { server } = storages;
    const tally = { cycles: 0, 'calls failed': 0, acknowledged: 0 };
    for (; tally.cycles < cell.times(2, 60); tally.cycles++) {
      const { subject, storage } = await opened(storages, cell);
      const processes = [await server.server.pid(), ...(await writersOf(server))];
      const injection = await failCalls(processes, join(cell.directory, 'strace'), { calls, error: 'EIO', when: `${cell.random.magnitude(1, 20)}+` });
      let isSaved = true; // as long as the server has not come to the call from which on they fail
      for (let rounds = 0; rounds < 40 && isSaved; rounds++) {
        await subject.live(200);
        isSaved = await subject.flush();
      }
      expect(isSaved).toBe(false);
      expect(subject.failures).toContainEqual(expect.objectContaining({ operation: 'save', fatal: true, willRetry: false }));
      await delay(500);
      tally['calls failed'] += await injection.heal();
      await restarted(server);
      await recovered(subject);
      await subject.live(20);
      await subject.close();
      tally.acknowledged += (await subject.expectKept(storage.provider(), { isWhole: true })).acknowledged;
    }
    return tally;
  };
}

function panicsOf(server: TestServer): number {
  return server.server.log.split('PANIC').length - 1;
}

async function opened(storages: Storages, cell: Cell) {
  const storage = storages.fresh(cell);
  const subject = await Subject.open({ provider: storage.provider(), random: cell.random });
  await subject.live(40);
  expect(await subject.flush()).toBe(true);
  return { subject, storage };
}

/** The processes that write the log for clients. */
async function writersOf(server: TestServer): Promise<readonly number[]> {
  const rows = await server.sql("SELECT pid FROM pg_stat_activity WHERE backend_type IN ('client backend', 'walwriter') AND pid <> pg_backend_pid()");
  return rows.map(({ pid }) => Number(pid));
}

/** As its operator does when the disk is mended, be it still there or not. */
async function restarted(server: TestServer): Promise<void> {
  const isThere = await server.server.pid().then(() => true, () => false);
  if (isThere) await server.server.stop('immediate');
  await server.server.start();
}
