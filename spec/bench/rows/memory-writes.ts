import { setImmediate as turn } from 'node:timers/promises';

import { memory, persistify, type Store } from 'rx-persistify';
import { Subject } from 'rxjs';

import { timedOnCore } from '../core-wait.ts';
import type { Contest, Row } from '../row.ts';
import type { Values } from '../storages.ts';
import { keyAt, pairs, smallBytes, type Pair, type Value } from '../work.ts';

const group = 'In memory';
const setsARound = 100_000;

interface News {
  readonly type: 'set';
  readonly key: string;
  readonly value: Value;
}

/** A Map that tells its changes: what the limit of a store is. */
class ToldMap {
  readonly changes$ = new Subject<News>();
  readonly texts = { length: 0 };
  readonly #map = new Map<string, Value>();

  set(key: string, value: Value): void {
    this.#map.set(key, value);
    this.texts.length += JSON.stringify(value).length;
    this.changes$.next({ type: 'set', key, value });
  }
}

function openStore(): Promise<Store<Values>> {
  return persistify(memory()).open<Values>('bench');
}

/** Nanoseconds a `set`; each round has other values. */
async function nsASet(target: { set: (key: string, value: Value) => void }, all: readonly (readonly Pair[])[], round: number): Promise<number> {
  const some = all[round % all.length] ?? [];
  const times = setsARound / some.length;
  const ms = await timedOnCore(() => {
    for (let time = 0; time < times; time++) for (const [key, value] of some) target.set(key, value);
  });
  return (ms * 1e6) / setsARound;
}

function presentKeys(keys: number, atMost: number): Row {
  const prepare = async (): Promise<Contest> => {
    const all = [1, 2, 3].map((stamp) => pairs(0, keys, smallBytes, stamp));
    const [store, map] = [await openStore(), new ToldMap()];
    let told = 0;
    store.changes$.subscribe(() => told++);
    map.changes$.subscribe(() => told++);
    return {
      async ours(round) {
        const ns = await nsASet(store, all, round);
        await store.flush();
        return ns;
      },
      limit: (round) => nsASet(map, all, round),
    };
  };
  const line = { title: `\`set\`, small value, one \`changes$\` subscriber, ${keys.toLocaleString('en')} keys`, limit: 'Map.set, Subject.next, JSON.stringify', unit: 'ns', budget: { atMost } } as const;
  return { name: `set-${keys}`, group, lines: [line], rounds: { quick: 5, full: 31 }, warmUps: 3, prepare };
}

const newKeys: Row = {
  name: 'set-new',
  group,
  lines: [{ title: 'the same, each of 100,000 keys for the first time', limit: 'Map.set, Subject.next, JSON.stringify', unit: 'ns', budget: { atMost: 2 } }],
  rounds: { quick: 5, full: 31 },
  warmUps: 3,
  prepare() {
    const all = [1, 2, 3].map((stamp) => pairs(0, setsARound, smallBytes, stamp));
    let told = 0;
    return {
      async ours(round) {
        const store = await openStore();
        store.changes$.subscribe(() => told++);
        await turn();
        const ns = await nsASet(store, all, round);
        await store.close();
        return ns;
      },
      limit(round) {
        const map = new ToldMap();
        map.changes$.subscribe(() => told++);
        return nsASet(map, all, round);
      },
    };
  },
};

function watchers(count: number, rounds: Row['rounds']): Row {
  const prepare = async (): Promise<Contest> => {
    const all = [1, 2, 3].map((stamp) => pairs(0, 1_000, smallBytes, stamp));
    const [watched, unwatched] = [await openStore(), await openStore()];
    let told = 0;
    for (let index = 0; index < count; index++) watched.get$(keyAt(1_000_000 + index)).subscribe(() => told++);
    const sets = async (store: Store<Values>, round: number): Promise<number> => {
      const ns = await nsASet(store, all, round);
      await store.flush();
      return ns;
    };
    return { ours: (round) => sets(watched, round), limit: (round) => sets(unwatched, round) };
  };
  const line = { title: `\`set\` with ${count.toLocaleString('en')} other keys watched`, limit: 'with none', unit: 'ns', ...(count === 10_000 ? { budget: { atMost: 1.2 } } : {}) } as const;
  return { name: `watchers-${count}`, group, lines: [line], rounds, warmUps: 3, prepare };
}

export const memoryWrites: readonly Row[] = [
  presentKeys(1_000, 1.7),
  presentKeys(100_000, 2),
  newKeys,
  watchers(1, { quick: 0, full: 31 }),
  watchers(100, { quick: 0, full: 31 }),
  watchers(10_000, { quick: 5, full: 31 }),
];
