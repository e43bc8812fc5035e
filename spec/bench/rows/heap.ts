import { persistify, type Entry, type Page, type Provider, type Store } from 'rx-persistify';

import type { Row } from '../row.ts';
import { sink, type Values } from '../storages.ts';
import { keyAt, smallBytes, usedBytes, valueOf, type Value } from '../work.ts';

const group = 'Memory';
const pageKeys = 1_000;

/** Storage of so many entries that are made while they are read, so that none of it is counted. */
function source(keys: number, hasDeadlines: boolean): Provider {
  const base = sink();
  const entryAt = (index: number): Entry => {
    const entry = { key: keyAt(index), json: JSON.stringify(valueOf(smallBytes, index, 1)), version: 1 };
    // In an hour to a week: near ones and far ones.
    return hasDeadlines ? { ...entry, expiresAt: Date.now() + 3_600_000 + ((index * 7_919) % 600_000_000) } : entry;
  };
  const load = async function* (): AsyncIterable<Page> {
    for (let from = 0; from < keys; from += pageKeys) {
      yield await Promise.resolve({ version: 1, entries: Array.from({ length: Math.min(pageKeys, keys - from) }, (_, offset) => entryAt(from + offset)) });
    }
  };
  return { ...base, open: async (name, context) => ({ ...(await base.open(name, context)), load }) };
}

function mapOf(keys: number): Map<string, unknown> {
  return new Map(Array.from({ length: keys }, (_, index) => [keyAt(index), JSON.parse(JSON.stringify(valueOf(smallBytes, index, 1)))]));
}

async function openFrom(provider: Provider): Promise<Store<Values>> {
  return persistify(provider).withBatch({ size: 100_000_000, intervalMs: 1_000_000_000 }).open<Values>('bench');
}

const ways: Readonly<Record<string, (keys: number) => Promise<Store<Values>>>> = {
  plain: (keys) => openFrom(source(keys, false)),
  ttl: (keys) => openFrom(source(keys, true)),
  async pending(keys) {
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

function heap(name: keyof typeof ways, title: string, atMost: number): Row {
  const prepare: Row['prepare'] = ({ isQuick }) => {
    const keys = isQuick ? 200_000 : 1_000_000;
    return {
      async ours() {
        const [store, bytes] = await bytesOf(() => ways[name]?.(keys));
        if (store?.size !== keys) throw new Error(`The store has ${String(store?.size)} keys of ${keys}.`);
        await store.close();
        return bytes / keys;
      },
      async limit() {
        const [map, bytes] = await bytesOf(() => mapOf(keys));
        if (map.size !== keys) throw new Error(`The map has ${map.size} keys of ${keys}.`);
        return bytes / keys;
      },
    };
  };
  const line = { title, limit: 'a Map of the same values', unit: 'bytes', budget: { atMost }, budgetOf: 'excess' } as const;
  return { name: `heap-${name}`, group, lines: [line], rounds: { quick: 2, full: 5 }, prepare };
}

export const heaps: readonly Row[] = [
  heap('plain', 'a key, without TTL', 80),
  heap('ttl', 'a key, with a TTL', 100),
  heap('pending', 'a key, while it is pending', 260),
];
