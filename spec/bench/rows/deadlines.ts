import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';

import { persistify, type Store, type TtlOptions } from 'rx-persistify';

import { timedOnCore, waitedForCoreMs } from '../core-wait.ts';
import type { Contest, Row } from '../row.ts';
import { sink, source } from '../source.ts';
import type { Values } from '../storages.ts';
import { pairs, smallBytes, usedBytes, type Pair } from '../work.ts';

const group = 'Deadlines';
const keys = 100_000;

function openStore(ttl?: TtlOptions): Promise<Store<Values>> {
  const builder = persistify(sink()).withBatch({ intervalMs: 10_000, size: 1_000_000 });
  return (ttl === undefined ? builder : builder.withTtl(ttl)).open<Values>('bench');
}

/** Nanoseconds of a `set` of a new key, of a present one, and of a `get`. */
async function calls(ttl: TtlOptions | undefined, all: readonly Pair[]): Promise<readonly number[]> {
  const store = await openStore(ttl);
  await turn();
  store.changes$.subscribe();
  const set = (): void => {
    for (const [key, value] of all) store.set(key, value);
  };
  const get = (): void => {
    for (const [key] of all) store.get(key);
  };
  const found: number[] = [];
  for (const work of [set, set, get]) {
    await wait(20); // so that a sliding deadline has somewhere to go
    found.push(((await timedOnCore(work)) * 1e6) / all.length);
  }
  await store.close();
  return found;
}

function cost(mode: TtlOptions['mode']): Row {
  const titles = ['`set` of a new key', '`set` of a present key', '`get`'];
  const lines = titles.map((title) => ({ title: `${title}, TTL ${mode}, ${keys.toLocaleString('en')} keys`, limit: 'without TTL', unit: 'ns' }) as const);
  const prepare = (): Contest => {
    const all = pairs(0, keys, smallBytes, 1);
    return { ours: () => calls({ ms: 3_600_000, mode }, all), limit: () => calls(undefined, all) };
  };
  return { name: `ttl-${mode}`, group, lines, rounds: { quick: 0, full: 11 }, warmUps: 3, prepare };
}

/** A tenth of the keys end at the same instant, while somebody hears of each. */
const endingAtOnce: Row = {
  name: 'ttl-at-once',
  group,
  lines: [
    { title: 'longest hold while 100,000 of 1,000,000 end at once, less the wait for a core', unit: 'ms', budget: { atMost: 10 } },
    { title: 'the same by the clock', unit: 'ms' },
    { title: 'from that instant until all is told and saved', unit: 'ms' },
  ],
  rounds: { quick: 0, full: 3 },
  warmUps: 0,
  prepare(): Contest {
    const [all, ending] = [1_000_000, 100_000];
    return {
      async ours() {
        const endsAt = Date.now() + 15_000;
        const store = await persistify(source(all, (index) => (index % (all / ending) === 0 ? endsAt : endsAt + 3_600_000 + index))).open<Values>('bench');
        let ended = 0;
        store.changes$.subscribe(({ type }) => {
          if (type === 'expire') ended++;
        });
        await usedBytes(); // what opening left is no part of this
        if (Date.now() > endsAt - 1_000) throw new Error('The machine is too slow for this many keys.');
        await wait(endsAt - Date.now() - 100);
        const longest = await longestTurn(() => ended >= ending && store.unsaved.length === 0);
        const tookMs = Date.now() - endsAt;
        if (store.size !== all - ending) throw new Error(`The size is ${store.size}.`);
        await store.close();
        return [...longest, tookMs];
      },
    };
  },
};

/** Turns the event loop until `isDone`, which is asked now and then and not measured; the longest turn without the wait for a core, and with it. */
async function longestTurn(isDone: () => boolean): Promise<readonly [number, number]> {
  let [onCore, byClock] = [0, 0];
  do {
    for (let count = 0; count < 64; count++) {
      const [at, waitedMs] = [performance.now(), waitedForCoreMs()];
      await turn();
      const gap = performance.now() - at;
      byClock = Math.max(byClock, gap);
      onCore = Math.max(onCore, gap - (waitedForCoreMs() - waitedMs));
    }
  } while (!isDone());
  return [onCore, byClock];
}

export const deadlines: readonly Row[] = [cost('absolute'), cost('sliding'), endingAtOnce];
