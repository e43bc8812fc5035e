import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';

import { Random } from '../../crash/random.ts';
import type { Row } from '../row.ts';
import { openOwn, providerIn, storageNames, titles, type StorageName } from '../storages.ts';
import { chunks, keyAt, pairs, smallBytes, valueOf, type Value } from '../work.ts';

const group = 'The event loop at 50,000 random sets a second';
const setsAMs = 50;

/** Sets at this pace for so long; gives the 99th percentile and the longest hold in milliseconds, and the sets a second that were had. */
async function holds(set: (key: string, value: Value) => void, among: number, forMs: number, seed: number): Promise<readonly [number, number, number]> {
  const random = new Random(seed);
  const delays = monitorEventLoopDelay({ resolution: 1 });
  const startedAt = performance.now();
  let done = 0;
  delays.enable();
  for (let elapsed = 0; elapsed < forMs; elapsed = performance.now() - startedAt) {
    for (const due = Math.floor(elapsed * setsAMs); done < due; done++) {
      const index = random.whole(0, among - 1);
      set(keyAt(index), valueOf(smallBytes, index, done));
    }
    await wait(1);
  }
  delays.disable();
  // A histogram's values hold the millisecond between two looks (nodejs.org/api/perf_hooks.html#perf_hooksmonitoreventloopdelayoptions).
  const hold = (ns: number): number => Math.max(0, ns / 1e6 - 1);
  return [hold(delays.percentile(99)), hold(delays.max), (done * 1e3) / (performance.now() - startedAt)];
}

function eventLoop(storage: StorageName): Row {
  const prepare: Row['prepare'] = async (scene) => {
    const among = scene.isQuick ? 100_000 : 1_000_000;
    const forMs = scene.isQuick ? 2_000 : 10_000;
    const own = await openOwn(providerIn(scene, storage, 'own'));
    scene.defer(() => own.close());
    for (const batch of chunks(pairs(0, among, smallBytes, 0), 10_000)) await own.write(batch);
    const map = new Map<string, Value>();
    let length = 0;
    const keep = (key: string, value: Value): void => {
      map.set(key, value);
      length += JSON.stringify(value).length;
    };
    return {
      async ours(round) {
        const found = await holds((key, value) => own.store.set(key, value), among, forMs, round);
        await own.store.flush();
        return found;
      },
      limit: (round) => holds(keep, among, forMs / 2, round),
    };
  };
  const limit = 'Map.set and JSON.stringify alone, nothing saved';
  const lines = [
    { title: `hold, 99th percentile, ${titles[storage]}`, limit, unit: 'ms', budget: { atMost: 5 }, budgetOf: 'figure' },
    { title: `longest hold, ${titles[storage]}`, limit, unit: 'ms', budget: { atMost: 20 }, budgetOf: 'figure' },
    { title: `sets a second that were had, ${titles[storage]}`, limit, unit: 'writes/s', budget: { atLeast: 47_500 }, budgetOf: 'figure' },
  ] as const;
  return { name: `hold-${storage}`, group, lines, rounds: { quick: 2, full: 5 }, needsPostgres: storage === 'postgres', prepare };
}

export const eventLoops: readonly Row[] = storageNames.map(eventLoop);
