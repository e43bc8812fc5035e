import { setImmediate as turn } from 'node:timers/promises';

import type { Row } from '../row.ts';
import { openOwn, providerIn, titles } from '../storages.ts';
import { keyAt, smallBytes, timed, valueOf } from '../work.ts';

const sets = 1_000_000;
const setsATurn = 1_000;

/** A dashboard's burst: one key a million times, a thousand times a turn. What reaches the disk, and who is woken how often. */
function hotKey(storage: 'json-file' | 'sqlite-worker'): Row {
  const prepare: Row['prepare'] = async (scene) => {
    const own = await openOwn(providerIn(scene, storage, 'own'));
    scene.defer(() => own.close());
    const { store } = own;
    const woken = { key: 0, entries: 0, status: 0 };
    let [batches, bytes] = [0, 0];
    store.get$(keyAt(0)).subscribe(() => woken.key++);
    store.entries$.subscribe(() => woken.entries++);
    store.status$.subscribe(() => woken.status++);
    store.saves$.subscribe((save) => {
      batches++;
      bytes += save.bytes;
    });
    return {
      async ours(round) {
        Object.assign(woken, { key: 0, entries: 0, status: 0 });
        [batches, bytes] = [0, 0];
        const ms = await timed(async () => {
          for (let done = 0; done < sets; done += setsATurn) {
            for (let set = 0; set < setsATurn; set++) store.set(keyAt(0), valueOf(smallBytes, done + set, round));
            await turn();
          }
          await store.flush();
        });
        return [(ms * 1e6) / sets, batches, bytes / 1e3, woken.key, woken.entries, woken.status];
      },
    };
  };
  const to = titles[storage];
  const lines = [
    { title: `one of 1,000,000 sets of one key, ${to}`, unit: 'ns' },
    { title: `commits for all of them, ${to}`, unit: 'times' },
    { title: `keys and texts saved, ${to}`, unit: 'kB' },
    { title: `the \`get$\` of the key told, ${to}`, unit: 'times' },
    { title: `\`entries$\` told, ${to}`, unit: 'times' },
    { title: `\`status$\` told, ${to}`, unit: 'times' },
  ] as const;
  return { name: `hot-key-${storage}`, group: 'A burst of one key', lines, rounds: { quick: 0, full: 3 }, prepare };
}

export const hotKeys: readonly Row[] = [hotKey('json-file'), hotKey('sqlite-worker')];
