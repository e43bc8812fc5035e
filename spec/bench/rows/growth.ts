import { timedOnCore } from '../core-wait.ts';
import type { Row } from '../row.ts';
import { quantile } from '../statistics.ts';
import { openOwn, providerIn, titles } from '../storages.ts';
import { randomPairs, smallBytes, timed, usedBytes } from '../work.ts';
import { fillStorage } from './large-stores.ts';

const group = 'As a store grows';
const calls = 10_000;

/** The course of a store of so many keys: opened, read, written, saved, closed. */
function growth(storage: 'json-file' | 'sqlite', keys: number): Row {
  const of = `${keys.toLocaleString('en')} keys, ${titles[storage]}`;
  const prepare: Row['prepare'] = async (scene) => {
    await fillStorage(scene, storage, 'own', keys);
    return {
      async ours(round) {
        const before = await usedBytes();
        let session: Awaited<ReturnType<typeof openOwn>> | undefined;
        const openMs = await timed(async () => (session = await openOwn(providerIn(scene, storage, 'own'))));
        if (session === undefined) throw new Error('The store is not open.');
        const bytesAKey = ((await usedBytes()) - before) / keys;
        const { store, write, close } = session;
        const some = randomPairs(calls, keys, smallBytes, round + 1);
        const getMs = await timedOnCore(() => {
          for (const [key] of some) store.get(key);
        });
        const setMs = await timedOnCore(() => {
          for (const [key, value] of some) store.set(key, value);
        });
        await store.flush();
        const batches: number[] = [];
        for (let batch = 0; batch < 5; batch++) batches.push(await timed(() => write(randomPairs(100, keys, smallBytes, (round + 2) * 100 + batch))));
        const closeMs = await timed(close);
        return [openMs, (getMs * 1e6) / some.length, (setMs * 1e6) / some.length, quantile(batches, 0.5) * 1e3, closeMs, bytesAKey];
      },
    };
  };
  const lines = [
    { title: `opening, ${of}`, unit: 'ms' },
    { title: `\`get\` of a random key, ${of}`, unit: 'ns' },
    { title: `\`set\` of a random key, ${of}`, unit: 'ns' },
    { title: `a batch of 100 random keys, ${of}`, unit: 'µs' },
    { title: `closing, with compaction, ${of}`, unit: 'ms' },
    { title: `memory a key, values included, ${of}`, unit: 'bytes' },
  ] as const;
  return { name: `growth-${keys}-${storage}`, group, lines, rounds: { quick: 0, full: 5 }, prepare };
}

export const growths: readonly Row[] = (['json-file', 'sqlite'] as const).flatMap((storage) => [1_000, 10_000, 100_000, 1_000_000].map((keys) => growth(storage, keys)));
