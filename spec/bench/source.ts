import type { Entry, Page, Provider } from 'rx-persistify';

import { keyAt, smallBytes, valueOf } from './work.ts';

const pageKeys = 1_000;

/** Keeps nothing and takes no time: what remains is the library. */
export function sink(): Provider {
  return source(0);
}

/**
 * The same, with so many entries at first, which are made while they are read, so that none of it is counted.
 * @param deadlineOf when an entry ends; never, where it is left out.
 */
export function source(keys: number, deadlineOf?: (index: number) => number): Provider {
  const entryAt = (index: number): Entry => {
    const entry = { key: keyAt(index), json: JSON.stringify(valueOf(smallBytes, index, 1)), version: 1 };
    return deadlineOf === undefined ? entry : { ...entry, expiresAt: deadlineOf(index) };
  };
  const load = async function* (): AsyncIterable<Page> {
    for (let from = 0; from === 0 || from < keys; from += pageKeys) {
      yield await Promise.resolve({ version: 1, entries: Array.from({ length: Math.min(pageKeys, keys - from) }, (_, offset) => entryAt(from + offset)) });
    }
  };
  return {
    name: 'source',
    open: () =>
      Promise.resolve({
        capabilities: { shared: false, durability: 'memory' },
        load,
        write: ({ number }) => Promise.resolve({ version: number + 1, leftOut: [] }),
        close: () => Promise.resolve(),
      }),
  };
}
