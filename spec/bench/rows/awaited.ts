import type { Contest, Row } from '../row.ts';
import { bareTitles, openBare, openOwn, providerIn, titles, type Distance, type OwnSession, type StorageName } from '../storages.ts';
import { pairs, smallBytes, timed, type Pair } from '../work.ts';

const group = 'Waiting for each write';
/** What is between this machine and the server, as the proxies of the scene have it. */
const distances: Readonly<Record<Distance, string>> = { url: '', after1ms: ', 1 ms away', after10ms: ', 10 ms away' };
const prefixes: Readonly<Record<Distance, string>> = { url: '', after1ms: 'after-1ms-', after10ms: 'after-10ms-' };
const far = { quick: 0, full: 15 };
const storages = ['json-file', 'sqlite', 'sqlite-worker', 'postgres'] as const;

/**
 * Over the first 5,000 writes the processor's part of one falls to a third, as what they run through is compiled bit by bit; and in
 * each round over the first dozens, as garbage was collected before it, which leaves the caches of the processor cold.
 */
const [writesARound, untilCompiled] = [500, 8];

/** One `setAndSave` after the other against as many bare commits. */
function lone(storage: StorageName, distance: Distance = 'url'): Row {
  const writes = distance === 'url' ? writesARound : 10;
  const prepare: Row['prepare'] = async (scene): Promise<Contest> => {
    const [own, bare] = [await openOwn(providerIn(scene, storage, 'own', distance)), await openBare(scene, storage, 'bare', distance)];
    scene.defer(() => own.close());
    scene.defer(() => bare.close());
    const usEach = async (round: number, write: (pair: Pair) => unknown): Promise<number> => {
      const some = pairs(0, writes, smallBytes, round);
      const ms = await timed(async () => {
        for (const pair of some) await write(pair);
      });
      return (ms * 1e3) / writes;
    };
    return {
      ours: (round) => usEach(round, ([key, value]) => own.store.setAndSave(key, value)),
      limit: (round) => usEach(round, (pair) => bare.write([pair])),
    };
  };
  const line = { title: `one \`setAndSave\`, ${titles[storage]}${distances[distance]}`, limit: bareTitles[storage], unit: 'µs', ...(distance === 'url' ? { budget: { atMost: 1.5 } } : {}) } as const;
  return { name: `${prefixes[distance]}one-${storage}`, group, lines: [line], rounds: distance === 'url' ? { quick: 5, full: 21 } : far, warmUps: distance === 'url' ? untilCompiled : 3, needsPostgres: storage === 'postgres', prepare };
}

/** So many that wait at once, each for its own write and then for the next one, against a single one. */
function crowd(storage: StorageName, writers: number, rounds: Row['rounds'], atLeast?: number, distance: Distance = 'url'): Row {
  const prepare: Row['prepare'] = async (scene): Promise<Contest> => {
    const [many, one] = [await openOwn(providerIn(scene, storage, 'many', distance)), await openOwn(providerIn(scene, storage, 'one', distance))];
    scene.defer(() => many.close());
    scene.defer(() => one.close());
    const each = Math.max(5, Math.round(1_280 / writers));
    return {
      ours: (round) => writesASecond(many, writers, each, round),
      limit: (round) => writesASecond(one, 1, distance === 'url' ? 60 : 10, round),
    };
  };
  const line = { title: `${writers.toLocaleString('en')} waiting writers at once, ${titles[storage]}${distances[distance]}`, limit: 'one', unit: 'writes/s', ...(atLeast === undefined ? {} : { budget: { atLeast } }) } as const;
  return { name: `${prefixes[distance]}writers-${writers}-${storage}`, group, lines: [line], rounds, warmUps: 2, needsPostgres: storage === 'postgres', prepare };
}

async function writesASecond({ store }: OwnSession, writers: number, each: number, round: number): Promise<number> {
  const all = Array.from({ length: writers }, (_, writer) => pairs(writer * each, (writer + 1) * each, smallBytes, round));
  const write = async (own: readonly Pair[]): Promise<void> => {
    for (const [key, value] of own) await store.setAndSave(key, value);
  };
  const ms = await timed(() => Promise.all(all.map(write)));
  return (writers * each) / (ms / 1e3);
}

export const awaited: readonly Row[] = [
  ...storages.map((storage) => lone(storage)),
  ...storages.map((storage) => crowd(storage, 64, { quick: 7, full: 21 }, 25)),
  ...storages.map((storage) => crowd(storage, 1_000, { quick: 0, full: 21 })),
  ...(['after1ms', 'after10ms'] as const).flatMap((distance) => [lone('postgres', distance), crowd('postgres', 64, far, undefined, distance)]),
];
