import { Observable, VirtualTimeScheduler } from 'rxjs';
import { memory, OptionsError, persistify, ReadOnlyError, type Change, type Provider, type Store } from 'rx-persistify';
import { describe, expect, it, onTestFinished } from 'vitest';

import { gate, recorded, settled } from '../support/controlled-provider.ts';

type Anything = Record<string, unknown>;

/** What `provider` has, to be read only, as a provider would give it that writes nothing. */
function readOnly(provider: Provider, beforeLoad: () => Promise<unknown> = () => Promise.resolve()): Provider & { readonly written: unknown[] } {
  const written: unknown[] = [];
  return {
    name: 'read-only',
    written,
    async open(storeName, context) {
      const session = await provider.open(storeName, context);
      return {
        capabilities: { shared: true, durability: 'memory', readOnly: true },
        async *load() {
          for await (const page of session.load()) {
            await beforeLoad();
            yield page;
          }
        },
        read: (keys) => session.read?.(keys) ?? Promise.resolve([]),
        watch: (since) => session.watch?.(since) ?? [] as never,
        write(batch) {
          written.push(batch);
          return Promise.reject(new Error('nothing is to be written'));
        },
        close: () => session.close(),
      };
    },
  };
}

async function opened(entries: Readonly<Anything> = {}): Promise<{ owner: Store<Anything>; store: Store<Anything>; provider: ReturnType<typeof readOnly> }> {
  const storage = memory();
  const owner = await persistify(storage).open<Anything>('prefs');
  for (const [key, value] of Object.entries(entries)) owner.set(key, value);
  await owner.flush();
  const provider = readOnly(storage);
  const store = await persistify(provider).open<Anything>('prefs');
  onTestFinished(async () => {
    await store.close();
    await owner.close();
    expect(provider.written, 'what was written').toEqual([]);
  });
  return { owner, store, provider };
}

describe('a store that is read only', () => {
  it.each<[string, (store: Store<Anything>) => unknown]>([
    ['set', (store) => store.set('a', 2)],
    ['set of a value that cannot be stored', (store) => store.set('a', undefined)],
    ['add of what is there', (store) => store.add('a', 2)],
    ['add of what is not there', (store) => store.add('b', 2)],
    ['delete', (store) => store.delete('a')],
    ['delete of what is not there', (store) => store.delete('b')],
    ['clear', (store) => store.clear()],
    ['update', (store) => store.update('a', () => 2)],
    ['transaction', (store) => store.transaction(() => 1)],
    ['touch', (store) => store.touch('a')],
  ])('refuses %s at once, says how to mend it, and changes nothing', async (_, write) => {
    const { store } = await opened({ a: 1 });
    const changes = recorded(store.changes$);
    expect(() => write(store)).toThrow(ReadOnlyError);
    expect(() => write(store)).toThrow(/"prefs" is open to be read only.*Write where its owner has it open, or open it with a provider that is not readOnly/);
    expect([[...store], changes, store.unsaved, store.status]).toEqual([[['a', 1]], [], [], { state: 'idle', pending: 0, fullness: 0, lastSavedAt: undefined }]);
  });

  it.each<[string, (store: Store<Anything>) => Promise<unknown>]>([
    ['setAndSave', (store) => store.setAndSave('a', 2)],
    ['addAndSave', (store) => store.addAndSave('a', 2)],
    ['deleteAndSave', (store) => store.deleteAndSave('b')],
    ['clearAndSave', (store) => store.clearAndSave()],
    ['updateAndSave', (store) => store.updateAndSave('a', () => 2)],
    ['transactionAndSave', (store) => store.transactionAndSave(() => 1)],
  ])('rejects %s, and never throws it', async (_, write) => {
    const { store } = await opened({ a: 1 });
    let rejected: Promise<unknown> | undefined;
    expect(() => {
      rejected = write(store);
    }).not.toThrow();
    await expect(rejected).rejects.toMatchObject({ name: 'ReadOnlyError', code: 'READ_ONLY' });
    await expect(write(store)).rejects.toBeInstanceOf(ReadOnlyError);
    expect([...store]).toEqual([['a', 1]]);
  });

  it('runs no function of a write that it refuses', async () => {
    const { store } = await opened();
    let runs = 0;
    const run = (): number => ++runs;
    expect(() => store.update('a', run)).toThrow(ReadOnlyError);
    expect(() => store.transaction(run)).toThrow(ReadOnlyError);
    await expect(store.updateAndSave('a', run)).rejects.toThrow(ReadOnlyError);
    await expect(store.transactionAndSave(run)).rejects.toThrow(ReadOnlyError);
    expect(runs).toBe(0);
  });

  it('has nothing to flush, reloads, and closes', async () => {
    const { owner, store } = await opened({ a: 1 });
    expect(await store.flush()).toBe(true);
    await owner.setAndSave('a', 2);
    await store.reload();
    expect(store.get('a')).toBe(2);
    await store.close();
    expect(() => store.set('a', 1)).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }) as Error);
  });

  it('tells what others commit as remote', async () => {
    const { owner, store } = await opened({ a: 1, b: 1 });
    const changes = recorded<Change>(store.changes$);
    owner.set('a', 2);
    owner.delete('b');
    await owner.flush();
    owner.clear();
    owner.set('c', 3);
    await owner.flush();
    expect(changes).toMatchObject([
      { type: 'delete', key: 'b', origin: 'remote', seq: 1 },
      { type: 'set', key: 'a', value: 2, origin: 'remote', seq: 2 },
      { type: 'delete', key: 'a', origin: 'remote', seq: 3 },
      { type: 'set', key: 'c', value: 3, origin: 'remote', seq: 4 },
    ]);
  });

  it('is not undone by a reload during which others commit', async () => {
    const storage = memory();
    const owner = await persistify(storage).open<Anything>('prefs');
    await owner.setAndSave('a', 1);
    await owner.setAndSave('b', 1);
    const reading = gate();
    let loads = 0;
    const store = await persistify(readOnly(storage, () => (++loads > 1 ? reading.opened : Promise.resolve()))).open<Anything>('prefs');
    const seen = recorded(store.get$('a'));
    const reloaded = store.reload();
    await settled();
    await owner.setAndSave('a', 2);
    await owner.deleteAndSave('b');
    reading.open();
    await reloaded;
    await settled();
    expect([[...store], seen]).toEqual([[['a', 2]], [1, 2]]);
    await store.close();
    await owner.close();
  });
});

describe('entries of a store that is read only', () => {
  async function timed() {
    const scheduler = new VirtualTimeScheduler();
    const storage = memory();
    const session = await storage.open('prefs', { writer: 'owner', report: () => undefined });
    let number = 0;
    const write = async (...mutations: Parameters<typeof session.write>[0]['mutations']) => session.write({ writer: 'owner', number: ++number, mutations }, { signal: new AbortController().signal });
    await write({ type: 'set', key: 'short', json: '1', expiresAt: 1_000 }, { type: 'set', key: 'long', json: '2', expiresAt: 3_000 }, { type: 'set', key: 'kept', json: '3' });
    const provider = readOnly(storage);
    const store = await persistify(provider).withScheduler(scheduler).withTtl({ ms: 1_000, mode: 'sliding' }).open<Anything>('prefs');
    const changes = recorded<Change>(store.changes$);
    const reach = (ms: number): void => {
      scheduler.maxFrames = ms;
      scheduler.flush();
      scheduler.frame = ms;
    };
    onTestFinished(async () => {
      await store.close().catch(() => undefined);
      expect(provider.written, 'what was written').toEqual([]);
    });
    return { scheduler, store, changes, write, reach };
  }

  it('end at their millisecond, are told to, and nothing is written', async () => {
    const { store, changes, reach } = await timed();
    reach(999);
    expect([store.get('short'), store.expiresAt('short')]).toEqual([1, 1_000]); // a get does not make it live longer
    reach(1_000);
    expect([store.has('short'), store.size]).toEqual([false, 2]);
    reach(2_999);
    expect(changes).toMatchObject([{ type: 'expire', key: 'short', previous: 1, origin: 'local' }]);
    reach(3_000);
    expect(changes).toMatchObject([{ key: 'short' }, { type: 'expire', key: 'long', previous: 2 }]);
    expect([[...store], store.unsaved]).toEqual([[['kept', 3]], []]);
    const reloaded = store.reload();
    await reloaded;
    expect([[...store], changes.length]).toEqual([[['kept', 3]], 2]);
  });

  it('that their owner removes after they have ended are told to once', async () => {
    const { store, changes, write, reach } = await timed();
    reach(1_500);
    await write({ type: 'delete', key: 'short' });
    await settled();
    expect(changes).toMatchObject([{ type: 'expire', key: 'short' }]);
    await write({ type: 'set', key: 'short', json: '"again"' });
    await settled();
    expect(changes).toMatchObject([{ type: 'expire', key: 'short' }, { type: 'set', key: 'short', value: 'again', origin: 'remote' }]);
    expect(store.size).toBe(3);
  });
});

describe('deadlines that the feed tells to have moved', () => {
  async function following() {
    const scheduler = new VirtualTimeScheduler();
    let tell: ((feed: object) => void) | undefined;
    const store = await persistify({
      name: 'touching',
      open: () => Promise.resolve({
        capabilities: { shared: true, durability: 'memory', readOnly: true } as const,
        async *load() {
          yield await Promise.resolve({ version: 1, entries: [{ key: 'a', json: '1', version: 1, expiresAt: 1_000 }, { key: 'b', json: '1', version: 1 }] });
        },
        watch: () => new Observable<never>((subscriber) => {
          tell = (feed) => subscriber.next(feed as never);
        }),
        write: () => Promise.reject(new Error('nothing is to be written')),
        close: () => Promise.resolve(),
      }),
    }).withScheduler(scheduler).open<Anything>('prefs');
    const changes = recorded<Change>(store.changes$);
    let version = 1;
    return {
      store,
      changes,
      touch: (key: string, expiresAt: number) => tell?.({ type: 'commit', cursor: { version: ++version }, cleared: false, entries: [], deleted: [], touched: [{ key, expiresAt }] }),
      remove: (key: string) => tell?.({ type: 'commit', cursor: { version: ++version }, cleared: false, entries: [], deleted: [key] }),
      clear: () => tell?.({ type: 'commit', cursor: { version: ++version }, cleared: true, entries: [], deleted: [] }),
      reach: (ms: number): void => {
        scheduler.maxFrames = ms;
        scheduler.flush();
        scheduler.frame = ms;
      },
    };
  }

  it('let entries live longer, never shorter, and tell of nothing', async () => {
    const { store, changes, touch, reach } = await following();
    touch('a', 2_000);
    touch('a', 1_500);
    touch('b', 1_500);
    touch('absent', 5_000);
    expect([store.expiresAt('a'), store.expiresAt('b'), changes]).toEqual([2_000, undefined, []]);
    reach(1_999);
    expect([...store]).toEqual([['a', 1], ['b', 1]]);
    reach(2_000);
    expect(changes).toMatchObject([{ type: 'expire', key: 'a', previous: 1 }]);
  });

  it('bring back what has ended here meanwhile', async () => {
    const { store, changes, touch, reach } = await following();
    reach(1_100);
    expect(store.has('a')).toBe(false);
    touch('a', 1_050);
    expect(store.has('a')).toBe(false);
    touch('a', 2_000);
    expect([store.get('a'), store.expiresAt('a')]).toEqual([1, 2_000]);
    expect(changes).toMatchObject([{ type: 'expire', key: 'a' }, { type: 'set', key: 'a', value: 1, previous: undefined, origin: 'remote' }]);
    reach(2_000);
    expect(changes).toHaveLength(3);
  });

  it.each(['remove', 'clear'] as const)('bring back nothing that its owner has removed: %s', async (how) => {
    const { store, changes, touch, reach, ...owner } = await following();
    reach(1_100);
    owner[how]('a');
    touch('a', 2_000);
    expect([store.has('a'), changes.filter((change) => 'key' in change && change.key === 'a')]).toMatchObject([false, [{ type: 'expire' }]]);
  });
});

it('a feed that comes after what was read anew tells nothing of the time before', async () => {
  let version = 1;
  let tell: ((feed: object) => void) | undefined;
  const store = await persistify({
    name: 'late',
    open: () => Promise.resolve({
      capabilities: { shared: true, durability: 'memory', readOnly: true } as const,
      async *load() {
        yield await Promise.resolve({ version, entries: [{ key: 'a', json: String(version), version }] });
      },
      watch: () => new Observable<never>((subscriber) => {
        tell = (feed) => subscriber.next(feed as never);
      }),
      write: () => Promise.reject(new Error('nothing is to be written')),
      close: () => Promise.resolve(),
    }),
  }).open<Anything>('prefs');
  const changes = recorded<Change>(store.changes$);
  const commit = (at: number, entries: object[], deleted: string[] = []) => tell?.({ type: 'commit', cursor: { version: at }, cleared: false, entries, deleted });
  version = 4;
  await store.reload();
  await settled();
  commit(2, [{ key: 'b', json: '2', version: 2 }]);
  commit(3, [], ['b']);
  commit(4, [{ key: 'a', json: '4', version: 4 }]);
  commit(5, [{ key: 'a', json: '5', version: 5 }]);
  expect(changes.map((change) => ('key' in change ? [change.key, store.get(change.key), change.origin] : []))).toEqual([['a', 5, 'reload'], ['a', 5, 'remote']]);
  await store.close();
});

describe('a cache that is read only', () => {
  it('reads, and refuses to write, to load, and to be asked for what it would have to write', async () => {
    const storage = memory();
    const owner = await persistify(storage).open<Anything>('prefs');
    await owner.setAndSave('a', 1);
    const provider = readOnly(storage);
    const cache = await persistify(provider).openCache<Anything>('prefs');
    expect([await cache.get('a'), await cache.count()]).toEqual([1, 1]);
    expect(await cache.getOrSet('a', () => 2)).toBe(1);
    let loads = 0;
    await expect(cache.getOrSet('b', () => ++loads)).rejects.toThrow(ReadOnlyError);
    expect(loads).toBe(0);
    expect(() => cache.set('a', 2)).toThrow(ReadOnlyError);
    expect(() => cache.delete('a')).toThrow(ReadOnlyError);
    expect(() => cache.clear()).toThrow(ReadOnlyError);
    expect(() => cache.transaction(() => 1)).toThrow(ReadOnlyError);
    const rejected = [
      cache.add('a', 1), cache.update('a', () => 1), cache.touch('a'), cache.setAndSave('a', 1), cache.addAndSave('b', 1), cache.deleteAndSave('a'),
      cache.clearAndSave(), cache.updateAndSave('a', () => 1), cache.transactionAndSave(() => 1),
    ];
    for (const { status, reason } of await Promise.allSettled(rejected) as readonly PromiseRejectedResult[]) expect([status, reason]).toEqual(['rejected', expect.any(ReadOnlyError)]);
    await owner.setAndSave('a', 3);
    expect(await cache.get('a')).toBe(3);
    expect(await cache.flush()).toBe(true);
    await cache.close();
    await owner.close();
    expect(provider.written).toEqual([]);
  });

  it('does not end in storage what has ended', async () => {
    const storage = memory();
    const owner = await storage.open('prefs', { writer: 'owner', report: () => undefined });
    await owner.write({ writer: 'owner', number: 1, mutations: [{ type: 'set', key: 'a', json: '1', expiresAt: Date.now() - 1 }] }, { signal: new AbortController().signal });
    const provider = readOnly(storage);
    const cache = await persistify(provider).openCache<Anything>('prefs');
    expect(await cache.get('a')).toBeUndefined();
    expect(cache.unsaved).toEqual([]);
    await cache.close();
    expect([provider.written, (await owner.read?.(['a']))?.length]).toEqual([[], 1]);
    await owner.close();
  });
});

it('a builder opens a name either way, by providers of its own', async () => {
  const storage = memory();
  const [stores, readers] = [persistify(storage), persistify(readOnly(storage))];
  const [owner, store] = [await stores.open<Anything>('prefs'), await readers.open<Anything>('prefs')];
  expect(store).not.toBe(owner);
  expect(await readers.open('prefs')).toBe(store);
  await expect(readers.withTtl({ ms: 1, mode: 'absolute' }).open('prefs')).rejects.toThrow(OptionsError);
  await store.close();
  await owner.close();
});
