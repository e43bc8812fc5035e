import { memory, persistify, type TtlOptions } from 'rx-persistify';

import { timedOnCore } from '../core-wait.ts';
import type { Contest, Row } from '../row.ts';
import type { Values } from '../storages.ts';
import { pairs, shuffled, smallBytes, type Value } from '../work.ts';

const readsARound = 500_000;

/** Nanoseconds a `get`, of all keys in an order that looks random, so that no side has the luck of neighbours. */
async function nsAGet(from: { get: (key: string) => Value | undefined }, keys: readonly string[]): Promise<number> {
  let found = 0;
  const ms = await timedOnCore(() => {
    for (let read = 0; read < readsARound; read += keys.length) for (const key of keys) if (from.get(key) !== undefined) found++;
  });
  if (found < readsARound) throw new Error(`Of ${readsARound} reads ${found} found something.`);
  return (ms * 1e6) / found;
}

function reads(name: string, keys: number, ttl: TtlOptions | undefined, atMost: number, rounds: Row['rounds']): Row {
  const prepare = async (): Promise<Contest> => {
    const all = pairs(0, keys, smallBytes, 1);
    const builder = persistify(memory());
    const store = await (ttl === undefined ? builder : builder.withTtl(ttl)).open<Values>('bench');
    const map = new Map<string, Value>();
    for (const [key, value] of all) {
      store.set(key, value);
      map.set(key, value);
    }
    await store.flush();
    const order = shuffled(keys).map((index) => all[index]?.[0] ?? '');
    if (ttl === undefined) return { ours: () => nsAGet(store, order), limit: () => nsAGet(map, order) };
    const timely = { get: (key: string) => (Date.now() < Infinity ? map.get(key) : undefined) };
    return {
      async ours() {
        const ns = await nsAGet(store, order);
        return [ns, ns];
      },
      limit: async () => [await nsAGet(map, order), await nsAGet(timely, order)],
    };
  };
  const what = ttl === undefined ? 'without TTL' : `with a TTL, ${ttl.mode}`;
  const line = { title: `\`get\` ${what}, ${keys.toLocaleString('en')} keys`, limit: 'Map.get', unit: 'ns', budget: { atMost } } as const;
  // What has ended is gone at its millisecond, so that the clock is read each time, which alone takes longer than the rest.
  const beside = { title: 'the same, beside what reads the clock too', limit: 'Map.get, Date.now', unit: 'ns' } as const;
  return { name, group: 'In memory', lines: ttl === undefined ? [line] : [line, beside], rounds, warmUps: 3, prepare };
}

const quick = { quick: 9, full: 31 };
const full = { quick: 0, full: 31 };
const hour = 3_600_000;

export const memoryReads: readonly Row[] = [
  reads('get', 1_000, undefined, 1.3, quick),
  reads('get-ttl', 1_000, { ms: hour, mode: 'absolute' }, 1.8, quick),
  reads('get-ttl-sliding', 1_000, { ms: hour, mode: 'sliding' }, 1.8, quick),
  reads('get-100000', 100_000, undefined, 1.3, full),
  reads('get-ttl-100000', 100_000, { ms: hour, mode: 'absolute' }, 1.8, full),
  reads('get-ttl-sliding-100000', 100_000, { ms: hour, mode: 'sliding' }, 1.8, full),
];
