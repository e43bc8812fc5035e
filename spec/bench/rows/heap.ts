import { persistify, type Provider, type Store } from 'rx-persistify';

import type { Row } from '../row.ts';
import { sink, source } from '../source.ts';
import type { Values } from '../storages.ts';
import { keyAt, smallBytes, usedBytes, valueOf, type Value } from '../work.ts';

const group = 'Memory';

/** In an hour to a week: near ones and far ones. */
const soonOrLater = (index: number): number => Date.now() + 3_600_000 + ((index * 7_919) % 600_000_000);

function mapOf(keys: number): Map<string, unknown> {
  return new Map(Array.from({ length: keys }, (_, index) => [keyAt(index), JSON.parse(JSON.stringify(valueOf(smallBytes, index, 1)))]));
}

async function openFrom(provider: Provider): Promise<Store<Values>> {
  return persistify(provider).withBatch({ size: 100_000_000, intervalMs: 1_000_000_000 }).open<Values>('bench');
}

const ways = {
  plain: (keys: number): Promise<Store<Values>> => openFrom(source(keys)),
  ttl: (keys: number): Promise<Store<Values>> => openFrom(source(keys, soonOrLater)),
  async pending(keys: number): Promise<Store<Values>> {
    const store = await openFrom(sink());
    for (let index = 0; index < keys; index++) {
      const value = JSON.parse(JSON.stringify(valueOf(smallBytes, index, 1))) as Value; // it was one
      store.set(keyAt(index), value);
    }
    return store;
  },
};

/** What `make` leaves in memory, in bytes. */
async function bytesOf<T>(make: () => T | Promise<T>): Promise<readonly [T, number]> {
  const before = await usedBytes();
  const made = await make();
  return [made, (await usedBytes()) - before];
}

const contents = {
  map: async (keys: number): Promise<number> => {
    const [map, bytes] = await bytesOf(() => mapOf(keys));
    if (map.size !== keys) throw new Error(`The map has ${map.size} keys of ${keys}.`);
    return bytes / keys;
  },
  store: async (keys: number, way: keyof typeof ways): Promise<number> => {
    const [store, bytes] = await bytesOf(() => ways[way](keys));
    if (store.size !== keys) throw new Error(`The store has ${store.size} keys of ${keys}.`);
    await store.close();
    return bytes / keys;
  },
};

/** Always as many keys: what a Map keeps ready for more depends on how many it has. */
const keys = 1_000_000;

function heap(name: string, title: string, way: keyof typeof ways, atMost: number, beyond?: keyof typeof ways): Row {
  const line = { title, limit: beyond === undefined ? 'a Map of the same values' : 'a store without', unit: 'bytes', budget: { atMost }, budgetOf: 'excess' } as const;
  const prepare: Row['prepare'] = () => ({
    ours: () => contents.store(keys, way),
    limit: () => (beyond === undefined ? contents.map(keys) : contents.store(keys, beyond)),
  });
  return { name: `heap-${name}`, group, lines: [line], rounds: { quick: beyond === undefined ? 1 : 0, full: 3 }, warmUps: 0, prepare };
}

export const heaps: readonly Row[] = [
  heap('plain', 'a key, without TTL', 'plain', 80),
  heap('ttl', 'a key, with a TTL', 'ttl', 100),
  heap('pending', 'a key, while it is pending', 'pending', 260),
  heap('deadline', 'a key with a deadline, beyond one without', 'ttl', 48, 'plain'),
];
