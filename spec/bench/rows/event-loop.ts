import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';

import { Random } from '../../crash/random.ts';
import { waitedForCoreMs } from '../core-wait.ts';
import type { Row } from '../row.ts';
import { openOwn, providerIn, storageNames, titles, type StorageName } from '../storages.ts';
import { quantile } from '../statistics.ts';
import { chunks, keyAt, pairs, smallBytes, valueOf, type Value } from '../work.ts';

const group = 'The event loop at 50,000 random sets a second';
const setsAMs = 50;
/** After a hold not all that was missed is made up for at once, which would be a hold itself. */
const mostAtOnce = 10 * setsAMs;

interface Holds {
  /** By the clock, in milliseconds. */
  readonly p99: number;
  readonly longest: number;
  /** Less the time in which the thread stood ready and had no core: what the library did itself, also on a busy machine. */
  readonly p99OnCore: number;
  readonly longestOnCore: number;
  readonly setsASecond: number;
}

/** Sets at this pace for so long, and looks each millisecond how long the event loop was held. */
async function holds(set: (key: string, value: Value) => void, among: number, forMs: number, seed: number): Promise<Holds> {
  const random = new Random(seed);
  const [byClock, onCore]: [number[], number[]] = [[], []];
  const startedAt = performance.now();
  let [lookedAt, waitedMs, done] = [startedAt, waitedForCoreMs(), 0];
  while (lookedAt - startedAt < forMs) {
    const due = Math.min(done + mostAtOnce, Math.floor((lookedAt - startedAt) * setsAMs));
    for (; done < due; done++) {
      const index = random.whole(0, among - 1);
      set(keyAt(index), valueOf(smallBytes, index, done));
    }
    await wait(1);
    const [now, waitedByNow] = [performance.now(), waitedForCoreMs()];
    byClock.push(Math.max(0, now - lookedAt - 1));
    onCore.push(Math.max(0, now - lookedAt - 1 - (waitedByNow - waitedMs)));
    [lookedAt, waitedMs] = [now, waitedByNow];
  }
  return {
    p99: quantile(byClock, 0.99),
    longest: quantile(byClock, 1),
    p99OnCore: quantile(onCore, 0.99),
    longestOnCore: quantile(onCore, 1),
    setsASecond: (done * 1e3) / (performance.now() - startedAt),
  };
}

const figuresOf = ({ p99, longest, p99OnCore, longestOnCore, setsASecond }: Holds): readonly number[] => [p99, longest, p99OnCore, longestOnCore, setsASecond];

function eventLoop(storage: StorageName): Row {
  const prepare: Row['prepare'] = async (scene) => {
    const among = scene.isQuick ? 100_000 : 1_000_000;
    const forMs = scene.isQuick ? 2_000 : 10_000;
    const lasts = (round: number): number => (round === 0 ? forMs / 4 : forMs); // which does not count, and has code compiled
    const own = await openOwn(providerIn(scene, storage, 'own'));
    scene.defer(() => own.close());
    for (const batch of chunks(pairs(0, among, smallBytes, 0), 10_000)) await own.write(batch);
    const map = new Map<string, Value>();
    const texts = { length: 0 };
    const keep = (key: string, value: Value): void => {
      map.set(key, value);
      texts.length += JSON.stringify(value).length;
    };
    return {
      async ours(round) {
        const found = await holds((key, value) => own.store.set(key, value), among, lasts(round), round);
        await own.store.flush();
        return figuresOf(found);
      },
      limit: async (round) => figuresOf(await holds(keep, among, lasts(round) / 2, round)),
    };
  };
  const limit = 'Map.set and JSON.stringify alone, nothing saved';
  const lines = [
    { title: `hold, 99th percentile, ${titles[storage]}`, limit, unit: 'ms', budget: { atMost: 5 }, budgetOf: 'figure' },
    { title: `longest hold, ${titles[storage]}`, limit, unit: 'ms', budget: { atMost: 20 }, budgetOf: 'figure' },
    { title: `99th percentile less the wait for a core, ${titles[storage]}`, limit, unit: 'ms' },
    { title: `longest hold less the wait for a core, ${titles[storage]}`, limit, unit: 'ms' },
    { title: `sets a second that were had, ${titles[storage]}`, limit, unit: 'writes/s', budget: { atLeast: 47_500 }, budgetOf: 'figure' },
  ] as const;
  return { name: `hold-${storage}`, group, lines, rounds: { quick: 1, full: 5 }, needsPostgres: storage === 'postgres', prepare };
}

export const eventLoops: readonly Row[] = storageNames.map(eventLoop);
