import { DiscardedError, LimitError, LoadError, memory, persistify, ProviderError, StoreClosedError, type Provider, type ProviderSession } from 'rx-persistify';
import { describe, expect, it, vi } from 'vitest';

import { controlledProvider, gate, recorded, settled } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

describe('opening', () => {
  it('gives the same store for an open name, however often and concurrently it is asked', async () => {
    const provider = controlledProvider();
    const stores = persistify(provider);
    const [first, second] = await Promise.all([stores.open('a'), stores.open('a')]);
    expect(first).toBe(second);
    expect(await stores.withBatch({}).open('b')).not.toBe(first);
    expect(await stores.open('a')).toBe(first);
    expect(provider.opens).toBe(2);
    await Promise.all([first.close(), (await stores.open('b')).close()].map((closing) => closing.catch(() => undefined)));
  });

  it('refuses an open name with other options', async () => {
    const stores = persistify(memory());
    const store = await stores.withBatch({ size: 5 }).open('a');
    expect(await stores.withBatch({ size: 5 }).open('a')).toBe(store);
    await expect(stores.withBatch({ size: 6 }).open('a')).rejects.toMatchObject({ code: 'OPTIONS' });
    await expect(stores.withCodec({ encode: (value: unknown) => value, decode: (value: unknown) => value }).withBatch({ size: 5 }).open('a')).rejects.toMatchObject({ code: 'OPTIONS' });
    await store.close();
    const reopened = await stores.withBatch({ size: 6 }).open('a');
    await reopened.close();
  });

  it('tries again after a failure that may pass, and after one that does not it can be asked anew', async () => {
    useVirtualTime();
    const inner = memory();
    const provider = controlledProvider(inner);
    const open = provider.open.bind(provider);
    let failures = 2;
    provider.open = (name, context) => (failures-- > 0 ? Promise.reject(new ProviderError('busy', { kind: 'retry' })) : open(name, context));
    const stores = persistify(provider);
    const opening = stores.open('a');
    await vi.advanceTimersByTimeAsync(1_000);
    await (await opening).close();
    provider.open = () => Promise.reject(new ProviderError('no permission', { kind: 'halt' }));
    await expect(stores.open('a')).rejects.toBeInstanceOf(LoadError);
    provider.open = open;
    await (await stores.open('a')).close();
    vi.useRealTimers();
  });

  it('of a store that is closing waits until storage is released, and opens it anew, with other options too', async () => {
    const provider = controlledProvider();
    const stores = persistify(provider);
    const store = await stores.open<Record<string, number>>('a');
    store.set('k', 1);
    const closing = store.close();
    const [again, same] = await Promise.all([stores.withBatch({ size: 5 }).open<Record<string, number>>('a'), stores.withBatch({ size: 5 }).open('a')]);
    expect([again === store, same === again, provider.closes, provider.opens]).toEqual([false, true, 1, 2]);
    expect(await again.setAndSave('l', again.get('k') ?? 0)).toBe(true);
    await closing;
    await again.close();
  });

  it('tries again where loading breaks in the middle, and nothing of what was loaded before stays', async () => {
    useVirtualTime();
    const inner = memory();
    const first = await persistify(inner).open<Record<string, number>>('a');
    await first.setAndSave('gone', 1, { ttlMs: 60_000 });
    let loads = 0;
    const provider: Provider = {
      name: 'breaking',
      async open(name, context): Promise<ProviderSession> {
        const session = await inner.open(name, context);
        return {
          capabilities: { ...session.capabilities, shared: false },
          async *load() {
            loads++;
            yield* session.load();
            if (loads > 1) return;
            await first.deleteAndSave('gone');
            await first.setAndSave('k', 1);
            throw new ProviderError('the connection broke', { kind: 'retry' });
          },
          write: (batch, writeContext) => session.write(batch, writeContext),
          close: () => session.close(),
        };
      },
    };
    const opening = persistify(provider).open<Record<string, number>>('a');
    await settled();
    await vi.advanceTimersByTimeAsync(1_000);
    const store = await opening;
    const changes: unknown[] = [];
    store.changes$.subscribe((change) => changes.push(change));
    await vi.advanceTimersByTimeAsync(120_000);
    expect([[...store], loads, changes]).toEqual([[['k', 1]], 2, []]);
    await Promise.all([store.close(), first.close()]);
    vi.useRealTimers();
  });

  it('releases the session when loading fails', async () => {
    const provider = controlledProvider(memory(), {
      async *load(): ReturnType<ProviderSession['load']> {
        yield await Promise.reject(new Error('unreadable'));
      },
    });
    await expect(persistify(provider).open('a')).rejects.toMatchObject({ code: 'LOAD_FAILED', cause: { message: 'unreadable' } });
    expect(provider.closes).toBe(1);
  });

  it('refuses names that are none', async () => {
    for (const name of ['', 'x'.repeat(129), 'nul\0', '\ud800']) await expect(persistify(memory()).open(name)).rejects.toMatchObject({ code: 'INVALID_KEY' });
  });

  it('with a signal already aborted opens nothing; aborted later the waiting ends, and a store that nobody got is closed', async () => {
    const provider = controlledProvider();
    await expect(persistify(provider).open('a', { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    expect(provider.opens).toBe(0);
    const controller = new AbortController();
    const opening = persistify(provider).open('a', { signal: controller.signal });
    controller.abort();
    await expect(opening).rejects.toMatchObject({ name: 'AbortError' });
    await settled(10);
    expect([provider.opens, provider.closes]).toEqual([1, 1]);
  });
});

describe('bad rows', () => {
  const openWithBadRow = async () => {
    const provider = memory();
    const session = await provider.open('a', { writer: 'w', report: () => undefined });
    const mutations = [
      { type: 'set', key: 'good', json: '1' },
      { type: 'set', key: 'bad', json: '{broken' },
    ] as const;
    await session.write({ number: 1, writer: 'w', mutations }, { signal: new AbortController().signal });
    return { session, store: await persistify(provider).open<Record<string, number>>('a') };
  };

  it('are quarantined: told in one event after open, listed, absent for reads, and left in storage by other saves', async () => {
    const { session, store } = await openWithBadRow();
    const errors = recorded(store.errors$);
    await settled();
    expect(errors).toMatchObject([{ operation: 'load', keys: ['bad'], fatal: false, error: { code: 'CORRUPT_DATA' } }]);
    expect(store.quarantined.get('bad')).toMatchObject({ key: 'bad', json: '{broken', error: { code: 'CORRUPT_DATA', key: 'bad' } });
    expect([store.has('bad'), store.get('bad'), store.size]).toEqual([false, undefined, 1]);
    await store.setAndSave('good', 2);
    expect((await session.read?.(['bad']))?.[0]?.json).toBe('{broken');
    await store.close();
  });

  it('are refused by update and add, and replaced by set', async () => {
    const { session, store } = await openWithBadRow();
    expect(() => store.add('bad', 1)).toThrow(expect.objectContaining({ code: 'CORRUPT_DATA' }));
    expect(() => store.update('bad', () => 1)).toThrow(expect.objectContaining({ code: 'CORRUPT_DATA' }));
    await expect(store.addAndSave('bad', 1)).rejects.toMatchObject({ code: 'CORRUPT_DATA' });
    await expect(store.updateAndSave('bad', () => 1)).rejects.toMatchObject({ code: 'CORRUPT_DATA' });
    await store.setAndSave('bad', 7);
    expect([store.get('bad'), store.quarantined.size]).toEqual([7, 0]);
    expect((await session.read?.(['bad']))?.[0]?.json).toBe('7');
    await store.close();
  });

  it('are those too whose key no store takes, and are removed by delete', async () => {
    const provider = memory();
    const key = 'k'.repeat(1_025);
    const session = await provider.open('a', { writer: 'w', report: () => undefined });
    await session.write({ number: 1, writer: 'w', mutations: [{ type: 'set', key, json: '1' }] }, { signal: new AbortController().signal });
    const store = await persistify(provider).open<Record<string, number>>('a');
    expect([store.size, [...store.quarantined.keys()], store.quarantined.get(key)?.error.code]).toEqual([0, [key], 'INVALID_KEY']);
    expect(() => store.set(key, 1)).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }));
    expect(await store.deleteAndSave(key)).toBe(true);
    expect(await session.read?.([key])).toEqual([]);
    await store.close();
  });

  it('are removed by delete and by clear', async () => {
    for (const removal of ['delete', 'clear'] as const) {
      const { session, store } = await openWithBadRow();
      if (removal === 'delete') expect(store.delete('bad')).toBe(true);
      else store.clear();
      await store.flush();
      expect(await session.read?.(['bad'])).toEqual([]);
      expect(store.quarantined.size).toBe(0);
      await store.close();
    }
  });
});

describe('reload', () => {
  it('takes what storage has where a value was changed in place to what has no text', async () => {
    const store = await persistify(controlledProvider()).open<Record<string, Record<string, unknown>>>('a');
    const value: Record<string, unknown> = { is: 'kept' };
    await store.setAndSave('a', value);
    value['self'] = value;
    await store.reload();
    expect(store.get('a')).toEqual({ is: 'kept' });
    await store.close();
  });

  it('tells nothing where storage has another text of the same value', async () => {
    const provider = memory();
    const session = await provider.open('a', { writer: 'w', report: () => undefined });
    await session.write({ number: 1, writer: 'w', mutations: [{ type: 'set', key: 'a', json: '{ "a": -0, "b": 1.0 }' }] }, { signal: new AbortController().signal });
    const store = await persistify(provider).open<Record<string, { a: number; b: number }>>('a');
    const before = store.get('a');
    const changes = recorded(store.changes$);
    await store.reload();
    expect([changes, store.get('a') === before]).toEqual([[], true]);
    await store.close();
  });

  it('discards what is unsaved, rejects who waits for it, and tells the differences', async () => {
    const store = await persistify(controlledProvider()).withBatch({ intervalMs: 60_000 }).open('a');
    const kept = { is: 'kept' };
    store.set('kept', kept);
    await store.setAndSave('changed', 1);
    await settled();
    const changes = recorded(store.changes$);
    store.set('changed', 2);
    store.set('new', 1);
    store.delete('kept');
    store.set('kept', { is: 'kept' });
    expect(changes.splice(0)).toHaveLength(4);
    await store.reload();
    expect(Object.fromEntries(store)).toEqual({ kept: { is: 'kept' }, changed: 1 });
    expect(changes).toMatchObject([
      { type: 'delete', key: 'new', previous: 1, origin: 'reload' },
      { type: 'set', key: 'changed', value: 1, previous: 2, origin: 'reload' },
    ]);
    expect(store.unsaved).toEqual([]);
    await store.close();
  });

  it('rejects waiting writes with DiscardedError', async () => {
    const provider = controlledProvider();
    const busy = gate();
    const store = await persistify(provider).withBatch({ intervalMs: 60_000 }).open('a');
    provider.verdict = () => busy.opened;
    const underWay = store.setAndSave('first', 1);
    await settled();
    const waiting = store.setAndSave('second', 2).catch((error: unknown) => error);
    const reloading = store.reload();
    busy.open();
    await reloading;
    expect(await underWay).toBe(true);
    expect(await waiting).toBeInstanceOf(DiscardedError);
    expect(await waiting).toMatchObject({ code: 'DISCARDED', outcome: 'discarded', keys: ['second'] });
    expect([...store]).toEqual([['first', 1]]);
    await store.close();
  });

  it('keeps what is set while it reads', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open('a');
    await store.setAndSave('a', 1);
    store.set('before', 1);
    const reloading = store.reload();
    store.set('during', 1);
    const saved = store.setAndSave('a', 2);
    await reloading;
    expect(await saved).toBe(true);
    expect(Object.fromEntries(store)).toEqual({ a: 2, during: 1 });
    await store.flush();
    expect(store.unsaved).toEqual([]);
    await store.close();
  });

  it('discards nothing when storage cannot be read', async () => {
    // The load of `open` goes well, the next one does not.
    let loads = 0;
    const inner = memory();
    const flaky: Provider = {
      name: 'flaky',
      async open(name, context) {
        const session = await inner.open(name, context);
        return { capabilities: session.capabilities, write: (batch, signal) => session.write(batch, signal), close: () => session.close(), load: () => (loads++ === 0 ? session.load() : failing()) };
      },
    };
    const other = await persistify(flaky).withBatch({ intervalMs: 60_000 }).open('a');
    other.set('a', 1);
    await expect(other.reload()).rejects.toMatchObject({ code: 'LOAD_FAILED' });
    expect(other.get('a')).toBe(1);
    expect(await other.flush()).toBe(true);
    expect(await (await inner.open('a', { writer: 'other', report: () => undefined })).read?.(['a'])).toMatchObject([{ json: '1' }]);
    await other.close();
  });
});

// eslint-disable-next-line require-yield -- it fails before its first page
async function* failing(): ReturnType<ProviderSession['load']> {
  await Promise.resolve();
  throw new ProviderError('gone', { kind: 'halt' });
}

describe('close', () => {
  it('saves what is pending, is the same however often it is asked, and refuses writes afterwards', async () => {
    const inner = memory();
    const provider = controlledProvider(inner);
    const stores = persistify(provider);
    const store = await stores.withBatch({ intervalMs: 60_000 }).open('a');
    store.set('a', 1);
    const closings = [store.close(), store.close(), store[Symbol.asyncDispose]()];
    expect(() => store.set('b', 1)).toThrow(StoreClosedError);
    await Promise.all(closings);
    expect(provider.closes).toBe(1);
    for (const write of [() => store.set('b', 1), () => store.add('b', 1), () => store.delete('a'), () => store.clear(), () => store.update('a', () => 1), () => store.transaction(() => 1)]) {
      expect(write).toThrow(StoreClosedError);
    }
    for (const wait of [store.setAndSave('b', 1), store.addAndSave('b', 1), store.deleteAndSave('a'), store.clearAndSave(), store.updateAndSave('a', () => 1), store.transactionAndSave(() => 1), store.reload()]) {
      await expect(wait).rejects.toBeInstanceOf(StoreClosedError);
    }
    expect([store.get('a'), store.has('a'), store.size, [...store.keys()], [...store.values()], store.status.state]).toEqual([1, true, 1, ['a'], [1], 'closed']);
    const again = await stores.open('a');
    expect([...again]).toEqual([['a', 1]]);
    await again.close();
  });

  it('makes one last series of attempts, and names the keys that could not be saved', async () => {
    const provider = controlledProvider();
    provider.verdict = () => new ProviderError('full', { kind: 'halt' });
    const store = await persistify(provider).open('a');
    store.errors$.subscribe();
    store.set('a', 1);
    store.set('b', 1);
    await expect(store.close()).rejects.toMatchObject({ code: 'SAVE_FAILED', keys: ['a', 'b'] });
    expect([provider.closes, store.status.state]).toEqual([1, 'closed']);
  });

  it('gives a series of its own to one that comes in the middle of another', async () => {
    useVirtualTime();
    const provider = controlledProvider();
    provider.verdict = () => (provider.attempts.length < 5 ? new ProviderError('busy', { kind: 'retry' }) : undefined);
    const store = await persistify(provider).withRetry({ maxAttempts: 3, delayMs: 1_000 }).open('a');
    store.errors$.subscribe();
    store.set('a', 1);
    store.flush().catch(() => undefined);
    await vi.advanceTimersByTimeAsync(1);
    const closing = store.close();
    await vi.advanceTimersByTimeAsync(20_000);
    await closing;
    expect(provider.attempts).toHaveLength(5);
    vi.useRealTimers();
  });

  it('ends at its deadline in the middle of a backoff', async () => {
    useVirtualTime();
    const provider = controlledProvider();
    provider.verdict = () => new ProviderError('busy', { kind: 'retry' });
    const store = await persistify(provider).withRetry({ maxAttempts: 100, delayMs: 10_000 }).open('a');
    store.errors$.subscribe();
    store.set('a', 1);
    const waiting = store.setAndSave('b', 1).catch((error: unknown) => error);
    const closing = store.close({ deadlineMs: 3_000 }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await closing).toMatchObject({ code: 'SAVE_FAILED', keys: ['a', 'b'] });
    expect(await waiting).toMatchObject({ code: 'SAVE_FAILED' });
    await vi.advanceTimersByTimeAsync(1);
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it('aborts a write under way at its deadline, and takes its answer if it comes', async () => {
    useVirtualTime();
    const provider = controlledProvider();
    provider.verdict = (_batch, signal) => new Promise((resolve) => signal.addEventListener('abort', resolve));
    const store = await persistify(provider).open('a');
    store.set('a', 1);
    const closing = store.close({ deadlineMs: 100 });
    await vi.advanceTimersByTimeAsync(200);
    await closing;
    expect(store.unsaved).toEqual([]);
    vi.useRealTimers();
  });

  it('waits for a reload that is under way', async () => {
    const store = await persistify(controlledProvider()).open('a');
    store.set('a', 1);
    const reloading = store.reload();
    await store.close();
    await reloading;
    expect(store.status.state).toBe('closed');
  });
});

describe('limits', () => {
  it('have plain writes throw and waiting ones wait; nothing is dropped', async () => {
    const provider = controlledProvider();
    const busy = gate();
    provider.verdict = () => busy.opened;
    const store = await persistify(provider).withLimits({ pendingKeys: 2 }).withBatch({ intervalMs: 60_000 }).open('a');
    store.set('a', 1);
    store.set('b', 1);
    store.set('b', 2);
    expect(() => store.set('c', 1)).toThrow(LimitError);
    expect(store.has('c')).toBe(false);
    const waiting = store.setAndSave('c', 1);
    await settled();
    expect(store.has('c')).toBe(false);
    busy.open();
    expect(await waiting).toBe(true);
    expect(Object.fromEntries(store)).toEqual({ a: 1, b: 2, c: 1 });
    await store.close();
  });

  it('have every waiting write wait, and apply it when there is room', async () => {
    const provider = controlledProvider();
    const busy = gate();
    provider.verdict = () => busy.opened;
    const store = await persistify(provider).withLimits({ pendingKeys: 1 }).withBatch({ intervalMs: 60_000 }).open<Record<string, number>>('a');
    store.set('full', 1);
    const waits = [
      store.addAndSave('a', 1),
      store.updateAndSave('b', () => 2),
      store.transactionAndSave(() => {
        store.set('c', 3);
        store.set('d', 4);
      }),
      store.deleteAndSave('full'),
    ];
    for (const write of [() => store.add('e', 1), () => store.update('e', () => 1), () => store.transaction(() => store.set('e', 1))]) expect(write).toThrow(LimitError);
    await settled();
    expect([...store]).toEqual([]); // the delete took the place of the pending set, and needed no room
    busy.open();
    expect(await Promise.all(waits)).toEqual([true, 2, undefined, true]);
    expect(Object.fromEntries(store)).toEqual({ a: 1, b: 2, c: 3, d: 4 });
    await store.close();
  });

  it('leave a waiting write applied at once where there is room, so that writes keep their order', async () => {
    const store = await persistify(controlledProvider()).withLimits({ pendingKeys: 10 }).open('a');
    const waiting = store.setAndSave('a', 'older');
    store.set('a', 'newer');
    await waiting;
    expect(store.get('a')).toBe('newer');
    await store.close();
  });

  it('have a write that waits for room reject when the store closes', async () => {
    const provider = controlledProvider();
    provider.verdict = () => new ProviderError('full', { kind: 'halt' });
    const store = await persistify(provider).withLimits({ pendingKeys: 1 }).withBatch({ intervalMs: 60_000 }).open('a');
    store.errors$.subscribe();
    store.set('a', 1);
    const waiting = store.setAndSave('b', 1);
    const [closed, waited] = await Promise.allSettled([store.close(), waiting]);
    expect(closed).toMatchObject({ reason: { keys: ['a'] } });
    expect(waited).toMatchObject({ reason: { code: 'STORE_CLOSED' } });
  });

  it('count the bytes of keys and texts', async () => {
    const store = await persistify(controlledProvider()).withLimits({ pendingBytes: 100 }).withBatch({ intervalMs: 60_000 }).open('a');
    store.set('big', 'x'.repeat(500)); // alone it may pass, as it could never be saved otherwise
    expect(() => store.set('small', 1)).toThrow(LimitError);
    await store.flush();
    store.set('small', 1);
    await store.close();
  });
});

describe('an AbortSignal', () => {
  it('already aborted, nothing is applied', async () => {
    const store = await persistify(memory()).open('a');
    const signal = AbortSignal.abort();
    for (const wait of [
      store.setAndSave('a', 1, { signal }),
      store.addAndSave('a', 1, { signal }),
      store.updateAndSave('a', () => 1, { signal }),
      store.transactionAndSave(() => store.set('a', 1), { signal }),
      store.flush({ signal }),
      store.reload({ signal }),
      store.close({ signal }),
    ]) {
      await expect(wait).rejects.toMatchObject({ name: 'AbortError' });
    }
    expect(store.size).toBe(0);
    store.set('open', 'still');
    await store.close();
  });

  it('serves any number of waiting writes without a warning, and is left without a listener of each', async () => {
    const warnings: unknown[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning.message);
    process.on('warning', onWarning);
    const store = await persistify(memory()).open('a');
    const { signal } = new AbortController();
    for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: 50 }, (_, index) => store.setAndSave(`k${index}`, round, { signal })));
    await Promise.all(Array.from({ length: 20 }, () => store.reload({ signal })));
    await settled();
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    await store.close();
  });

  it('aborted later, the waiting ends and not the write', async () => {
    const provider = controlledProvider();
    const busy = gate();
    provider.verdict = () => busy.opened;
    const store = await persistify(provider).open('a');
    const controller = new AbortController();
    const waiting = store.setAndSave('a', 1, { signal: controller.signal });
    const flushing = store.flush({ signal: controller.signal });
    await settled();
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(flushing).rejects.toThrow('enough');
    busy.open();
    expect(await store.flush()).toBe(true);
    expect(store.get('a')).toBe(1);
    await store.close();
  });
});
