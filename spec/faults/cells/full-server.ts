import { chmod } from 'node:fs/promises';
import { join } from 'node:path';

import pg from 'pg';
import { postgres } from 'rx-persistify/postgres';
import { expect } from 'vitest';

import { EmbeddedServer } from '../../../demos/support/embedded-server.ts';
import { recovered } from './given-back.ts';
import type { Cell } from './matrix.ts';
import { SmallDisk } from './small-disk.ts';
import { Subject } from './subject.ts';

/** A server with few megabytes for all that it has: what fails first is a table, or its log, for which it panics and does not come up again. */
export async function fullWithItsLog(cell: Cell) {
  const at = join(cell.directory, 'disk');
  await chmod(cell.directory, 0o755); // the server's user must come through
  return SmallDisk.with(at, 200 << 20, async (disk) => {
    await chmod(at, 0o755);
    const server = await EmbeddedServer.start({ parent: at, settings: { max_wal_size: '48MB', min_wal_size: '32MB', checkpoint_timeout: '30s' } });
    try {
      const tally = { cycles: 0, panics: 0, 'failures told': 0, acknowledged: 0 };
      for (; tally.cycles < cell.times(2, 40); tally.cycles++) {
        const provider = () => postgres({ connection: server.url(), schema: `full_${tally.cycles}` });
        const isOfLog = tally.cycles % 2 === 0;
        const subject = await Subject.open({ provider: provider(), random: cell.random, mood: isOfLog ? 'steady' : 'heavy' });
        await subject.live(10);
        disk.fill(0);
        const hasFailed = (): boolean => subject.failures.some(({ operation, fatal }) => operation === 'save' && fatal);
        // Where the log is to be what fails, a table that does first is not the end.
        const isFull = (): boolean => hasFailed() && (!isOfLog || panicsOf(server) > tally.panics);
        for (let rounds = 0; rounds < 200 && !isFull(); rounds++) {
          await subject.live(20);
          if (isOfLog) await switchLog(server);
          await subject.flush();
        }
        expect(subject.failures).toContainEqual(expect.objectContaining({ operation: 'save', fatal: true, willRetry: false }));
        tally['failures told'] += subject.failures.length;
        if (isOfLog) expect(panicsOf(server)).toBeGreaterThan(tally.panics);
        tally.panics = panicsOf(server);
        disk.empty();
        await server.stop('immediate').catch(() => undefined); // it may have ended
        await server.start();
        await recovered(subject);
        await subject.close();
        tally.acknowledged += (await subject.expectKept(provider(), { isWhole: true })).acknowledged;
      }
      return tally;
    } finally {
      disk.empty();
      await server.stop('immediate').catch(() => undefined); // of one that is asked for connections all the time
      await server.remove();
    }
  });
}

function panicsOf(server: EmbeddedServer): number {
  return server.log.split('PANIC').length - 1;
}

/** Ends the file of the log that is written, so that the next one is needed. */
async function switchLog(server: EmbeddedServer): Promise<void> {
  const client = new pg.Client(server.url());
  client.on('error', () => undefined); // it panics
  try {
    await client.connect();
    await client.query('SELECT pg_switch_wal()');
  } catch {
    // The store will hear of it.
  } finally {
    await client.end().catch(() => undefined);
  }
}
