import { memory, OptionsError, StoreLockedError, type Page, type Provider, type ProviderSession } from 'rx-persistify';
import { changed, file, type Change } from '../models.ts';
import { entriesOf, pagesOf, provider, rewriting, session, telling, versionOf, type Fault } from './fault.ts';

/** Defects of opening, of the round trip, of loading and of sharing. */
export const reading: readonly Fault[] = [
  session('claims what it is not', 'says in each session what the manifest says', inner =>
    ({ ...inner, capabilities: { shared: true, durability: 'power' } }),
  ),
  session('has no version while it is empty', 'makes an empty dictionary', inner =>
    ({ ...inner, load: () => pagesOf(inner, page => (page.entries.length === 0 ? { ...page, version: NaN } : page)) }),
  ),
  session('reports what is in order', 'reports nothing while nothing is wrong', (inner, { context }) => {
    context.report(new OptionsError('All is well.'));
    return inner;
  }),
  naming('takes names that differ in case for one', 'keeps dictionaries with hostile names apart', name => name.toLowerCase()),
  naming('has one dictionary', 'has several dictionaries open at once, each with its own entries', () => 'dictionary'),
  naming('clears more than one dictionary', 'leaves other dictionaries alone when it clears one', () => 'dictionary'),
  locking('lets two own a dictionary', 'refuses to open a dictionary a second time, and leaves the first undisturbed', () =>
    Math.random().toString(),
  ),
  locking('locks all dictionaries with one', 'opens other dictionaries beside one that is open, by another provider too', () => 'all'),
  locking('never unlocks', 'opens a dictionary again as soon as `close` has resolved', name => name, false),

  rewriting('composes keys', 'gives back hostile keys, each as a key of its own', mutation =>
    ('key' in mutation ? { ...mutation, key: mutation.key.normalize('NFC') } : mutation),
  ),
  rewriting('trims keys', 'overwrites and deletes hostile keys, and no others', mutation =>
    ('key' in mutation ? { ...mutation, key: mutation.key.trim() } : mutation),
  ),
  rewriting('loses a byte order mark', 'gives back hostile values under hostile keys, each alone in its batch', mutation =>
    ('key' in mutation ? { ...mutation, key: mutation.key.replace(/^\ufeff/, '') } : mutation),
  ),
  rewriting('keeps values parsed', 'gives back hostile values to the letter', mutation =>
    (mutation.type === 'set' ? { ...mutation, json: JSON.stringify(JSON.parse(mutation.json)) } : mutation),
  ),
  rewriting('takes equal values for the same text', 'stores text of the same content written differently as it comes', (mutation, stored) =>
    mutation.type === 'set' && stored !== undefined && JSON.parse(stored.json) === JSON.parse(mutation.json) ? { ...mutation, json: stored.json } : mutation,
  ),
  session('reads keys without regard to case', 'reads hostile keys one by one and together', inner =>
    ({ ...inner, read: async keys => (await inner.read?.(keys.map(key => key.toLowerCase()))) ?? [] }),
  ),

  session('gives no page while it is empty', 'gives at least one page, if an empty one', inner => ({
    ...inner,
    load: async function* () {
      for await (const page of inner.load()) if (page.entries.length > 0) yield page;
    },
  })),
  session('tells a later version with a later page', 'gives 20,000 entries once each, in pages of one version', inner =>
    ({ ...inner, load: () => pagesOf(inner, (page, index) => ({ ...page, version: page.version + index })) }),
  ),
  telling('gives an entry twice', 'gives 20,000 entries once each, in pages of one version', entry =>
    (entry.key === 'key 999' ? [entry, entry] : [entry]),
  ),
  session('gives less the second time', 'gives the same again', inner => {
    let loads = 0;
    return { ...inner, load: () => pagesOf(inner, page => ({ ...page, entries: page.entries.slice(loads++) })) };
  }),
  session('writes no more when a reader has left', 'releases what it holds when the reader leaves early', inner =>
    holding(inner, 'from the first page to the last'),
  ),
  session('writes no more when a reader has left before the first page', 'can be left before the first page', inner =>
    holding(inner, 'from the call to the return'),
  ),
  session('pages by counting', 'gives each key that stays, however much is written between two pages', inner => ({
    ...inner,
    load: async function* () {
      let version: number | undefined;
      for (let from = 0; ; from += 1_000) {
        version ??= await versionOf(inner);
        const entries = [...(await entriesOf(inner)).values()].slice(from, from + 1_000);
        if (from > 0 && entries.length === 0) return;
        yield { version, entries } satisfies Page;
      }
    },
  })),
  session('reads absent keys as null', 'reads what is there, and leaves out what is absent', inner => ({
    ...inner,
    read: async keys => {
      const entries = new Map(((await inner.read?.(keys)) ?? []).map(entry => [entry.key, entry]));
      return keys.map(key => entries.get(key) ?? { key, json: 'null', version: 1 });
    },
  })),
  session('reads a thousand keys at most', 'reads 5,000 keys at once', inner =>
    ({ ...inner, read: async keys => (await inner.read?.(keys.slice(0, 1_000))) ?? [] }),
  ),

  session('remembers what it has loaded', 'shows the commits of one session to the other, of two providers', remembering),
  session('remembers what it has loaded, within one provider', 'shows the commits of one session to the other, of one provider', remembering),
  session('counts versions by itself', 'counts one version over the commits of all sessions', inner => ({
    ...inner,
    write: async (batch, context) => ({ ...(await inner.write(batch, context)), version: batch.number }),
  })),
  session('reads what it has read before', 'reads what the other session has just committed', inner => {
    const known = new Map<string, Awaited<ReturnType<NonNullable<ProviderSession['read']>>>>();
    return {
      ...inner,
      read: async keys => {
        const name = JSON.stringify(keys);
        const entries = known.get(name) ?? (await inner.read?.(keys)) ?? [];
        known.set(name, entries);
        return entries;
      },
    };
  }),
  provider('closes for everyone', 'lets one session go on when the other closes', inner => {
    let isClosed = false;
    return changed(inner, whole => ({
      ...whole,
      write: (batch, context) => (isClosed ? Promise.reject(new StoreLockedError('closed')) : whole.write(batch, context)),
      close: () => {
        isClosed = true;
        return whole.close();
      },
    }));
  }),
];

function naming(name: string, red: string, rename: (storeName: string) => string): Fault {
  return provider(name, red, inner => ({ name: inner.name, open: (storeName, context) => inner.open(rename(storeName), context) }));
}

/** A provider with owners whose locks have other names than the dictionaries, or are never released. */
function locking(name: string, red: string, lockOf: (storeName: string) => string, unlocks = true): Fault {
  const make = (): Provider => {
    const locks = new Set<string>();
    const inner = memory();
    return {
      name,
      open: async (storeName, context) => {
        const lock = lockOf(storeName);
        if (locks.has(lock)) throw new StoreLockedError('Somebody has it.');
        locks.add(lock);
        const whole = await inner.open(storeName, context);
        return {
          capabilities: { shared: false, durability: 'memory' },
          load: () => whole.load(),
          write: (batch, writeContext) => whole.write(batch, writeContext),
          close: async () => {
            await whole.close();
            if (unlocks) locks.delete(lock);
          },
        };
      },
    };
  };
  return { name, red, model: { ...file, make } };
}

/** Does not write while it believes that somebody reads. */
function holding(inner: ProviderSession, held: 'from the first page to the last' | 'from the call to the return'): ProviderSession {
  let readers = 0;
  const pages = async function* (): AsyncGenerator<Page> {
    if (held === 'from the first page to the last') readers += 1;
    try {
      for await (const page of inner.load()) yield page;
      if (held === 'from the first page to the last') readers -= 1;
    } finally {
      if (held === 'from the call to the return') readers -= 1;
    }
  };
  return {
    ...inner,
    load: () => {
      if (held === 'from the call to the return') readers += 1;
      return pages();
    },
    write: (batch, context) => (readers > 0 ? new Promise(() => undefined) : inner.write(batch, context)),
  };
}

function remembering(inner: ProviderSession): ReturnType<Change> {
  let pages: Page[] | undefined;
  return {
    ...inner,
    load: async function* () {
      if (pages === undefined) {
        pages = [];
        for await (const page of inner.load()) pages.push(page);
      }
      yield* pages;
    },
    write: (batch, context) => {
      pages = undefined;
      return inner.write(batch, context);
    },
  };
}
