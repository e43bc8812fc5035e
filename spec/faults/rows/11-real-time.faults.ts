import { setTimeout as delay } from 'node:timers/promises';

import { persistify } from 'rx-persistify';
import { postgres } from 'rx-persistify/postgres';
import { expect, onTestFinished } from 'vitest';

import { TestServer } from '../../providers/postgres/server.ts';
import { recorded } from '../../support/controlled-provider.ts';
import { heapInUse } from '../cells/heap.ts';
import { fault, inColumns, row } from '../cells/matrix.ts';
import { outageRow } from '../cells/outage.ts';
import { expectTold } from '../cells/postgres-scene.ts';

const database = new TestServer();

/** So many writes, each 10 milliseconds: 50,000 a second. */
const [writes, everyMs] = [500, 10];

row(...outageRow, () => {
  fault('the server is stopped, in real time (4 seconds in the short form)', inColumns(['postgres'], async (cell) => {
    const [keys, outageMs] = [cell.times(2_000, 50_000), cell.times(4_000, 600_000)];
    const schema = database.freshSchema();
    const provider = () => postgres({ connection: database.url, schema });
    const store = await persistify(provider()).withRetry({ probeMs: cell.times(500, 10_000) }).open<Record<string, number>>('samples');
    onTestFinished(() => store.close({ deadlineMs: 0 }).catch(() => undefined));
    const failures = recorded(store.errors$);
    const model = new Map<string, number>();
    let count = 0;
    const write = async (forMs: number): Promise<void> => {
      for (const endsAt = performance.now() + forMs; performance.now() < endsAt; ) {
        for (let left = writes; left > 0; left--) {
          const key = `key ${cell.random.whole(1, keys)}`;
          store.set(key, ++count);
          model.set(key, count);
        }
        expect(store.status.pending).toBeLessThanOrEqual(2 * keys);
        await delay(everyMs);
      }
    };
    await write(1_000);
    await store.flush();
    await database.server.stop('kill');
    const countBefore = count;
    const heap: number[] = [];
    for (let part = 0; part < 4; part++) {
      await write(outageMs / 4);
      heap.push(await heapInUse());
    }
    const [first = 0] = heap;
    expect(Math.max(...heap) - first, 'growth of the heap from the first quarter on, in bytes').toBeLessThan(2_000_000);
    const written = count - countBefore;
    await database.server.start();
    await expect.poll(() => store.status.state, { timeout: 30_000 }).toBe('idle'); // by itself
    expect(store.unsaved).toEqual([]);
    await store.close();
    const other = await persistify(provider()).open<Record<string, number>>('samples');
    const found = new Map(other);
    await other.close();
    expect(found).toEqual(model);
    return { writes: written, ...expectTold(failures, { kinds: ['retry'], says: /ECONNREFUSED/ }) };
  }, { memory: 'it has no server', 'json-file': 'it has no server: its disk is taken away in row 5', sqlite: 'it has no server: its disk is taken away in row 5' }));
});
