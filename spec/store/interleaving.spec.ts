import { memory, persistify, ProviderError, SaveError, type Change, type Store } from 'rx-persistify';
import { asyncScheduler } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { controlledProvider, gate, recorded, settled } from '../support/controlled-provider.ts';
import { refusing, sharedStorage, type Hooks } from '../support/shared-storage.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

type Numbers = Record<string, number>;
type Anything = Record<string, unknown>;

afterEach(() => void vi.useRealTimers());

/** What each change says, in short. */
const told = (changes: readonly Change[]): readonly string[] => changes.map((change) => [change.type, 'key' in change ? change.key : '', change.type === 'set' ? change.value : '', change.origin].join(' '));

/** Storage whose writes wait for a gate from now on, before they are made or before they are answered. */
function delayed(hooks: Hooks, when: 'before' | 'after' = 'before'): () => void {
  const { opened, open } = gate();
  hooks.write = async (batch, write) => {
    if (when === 'before') await opened;
    const result = await write(batch);
    if (when === 'after') await opened;
    return result;
  };
  return () => {
    delete hooks.write;
    open();
  };
}

describe('A write that storage decides', () => {
  it.each(['alone', 'shared'])('is shown when it was accepted, though the entry was used meanwhile and its time began anew (%s)', async (kind) => {
    useVirtualTime();
    const hooks: Hooks = {};
    const storage = sharedStorage(memory(), hooks);
    const provider = kind === 'shared' ? storage : controlledProvider(storage);
    const store = await persistify(provider).withTtl({ ms: 2_000, mode: 'sliding' }).open<Numbers>('a');
    const changes = recorded(store.changes$);
    await store.setAndSave('n', 1);
    await vi.advanceTimersByTimeAsync(300);
    const answer = delayed(hooks);
    const updating = store.updateAndSave('n', (value = 0) => value + 1);
    await settled();
    await vi.advanceTimersByTimeAsync(300);
    expect(store.get('n')).toBe(1); // storage is to be told by it
    answer();
    expect(await updating).toBe(2);
    expect([store.get('n'), store.expiresAt('n')]).toEqual([2, Date.now() + 2_000]);
    expect(told(changes)).toEqual(['set n 1 local', 'set n 2 local']);
    expect(store.update('n', (value = 0) => value + 1)).toBe(3);
    await store.flush();
    await store.close();
    const again = await persistify(storage).open<Numbers>('a');
    expect(again.get('n')).toBe(3);
    await again.close();
  });

  it('is gone again where another process cleared after it, whichever of the two is heard of first', async () => {
    const shared = memory();
    const hooks: Hooks = {};
    const store = await persistify(sharedStorage(shared, hooks)).open<Numbers>('a');
    const other = await persistify(sharedStorage(shared)).open<Numbers>('a');
    await store.setAndSave('other', 1);
    await settled();
    const answer = delayed(hooks, 'after');
    const adding = store.addAndSave('k', 1);
    await settled();
    await other.clearAndSave();
    await settled();
    answer();
    expect(await adding).toBe(true);
    await settled();
    expect([...store]).toEqual([]);
    await Promise.all([store.close(), other.close()]);
  });

  it('behind a write that cannot be saved says that nothing was changed by it', async () => {
    useVirtualTime();
    const provider = controlledProvider();
    provider.verdict = () => new ProviderError('away', { kind: 'halt' });
    const store = await persistify(provider).open<Numbers>('a');
    store.errors$.subscribe();
    store.set('n', 1);
    const failure: unknown = await store.updateAndSave('n', (value = 0) => value + 1).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SaveError);
    expect(failure).toMatchObject({ outcome: 'discarded', keys: ['n'] });
    provider.verdict = () => undefined;
    await store.flush();
    expect(store.get('n')).toBe(1);
    await store.close();
  });

  it('is made of what is there where storage refused what was written before', async () => {
    const store = await persistify(sharedStorage(memory(), { write: refusing('2') })).open<Numbers>('a');
    store.errors$.subscribe();
    await store.setAndSave('n', 1);
    store.set('n', 2);
    expect(await store.updateAndSave('n', (value = 0) => value + 10)).toBe(11);
    await store.close();
  });

  it('takes the place of what has ended here and not by the clock of storage, at once', async () => {
    useVirtualTime();
    const hooks: Hooks = {};
    let attempts = 0;
    const ahead = Object.create(asyncScheduler, { now: { value: () => Date.now() + 2_000 } }) as typeof asyncScheduler;
    const store = await persistify(sharedStorage(memory(), hooks)).withScheduler(ahead).open<Numbers>('a');
    await store.setAndSave('k', 1, { ttlMs: 100 });
    await vi.advanceTimersByTimeAsync(150);
    expect(store.get('k')).toBeUndefined();
    hooks.write = (batch, write) => {
      attempts++;
      return write(batch);
    };
    expect(await store.addAndSave('k', 2)).toBe(true);
    expect(attempts).toBeLessThan(5);
    expect(store.get('k')).toBe(2);
    await store.close();
  });

  it('asks nothing of a provider that is closed', async () => {
    const shared = memory();
    const other = await persistify(shared).open<Numbers>('a');
    const calls: string[] = [];
    const hooks: Hooks = {};
    const inner = sharedStorage(shared, hooks);
    const provider = {
      name: 'recorded',
      open: async (...args: Parameters<typeof inner.open>) => {
        const session = await inner.open(...args);
        return { ...session, watch: undefined, close: () => (calls.push('close'), session.close()) };
      },
    };
    hooks.read = async (read) => {
      calls.push('read');
      return read();
    };
    const store = await persistify(provider as unknown as typeof inner).open<Numbers>('a');
    await other.setAndSave('n', 1);
    const answer = delayed(hooks);
    const updating = store.updateAndSave('n', (value = 0) => value + 1).catch(() => undefined);
    await settled();
    const closing = store.close();
    await settled();
    answer();
    await closing;
    await updating;
    await settled();
    expect(calls.at(-1)).toBe('close');
    await other.close();
  });
});

describe('What another process writes in place of what is to be saved', () => {
  /** A store in which a touch is pending for `k`, and another store. */
  async function touched(): Promise<{ readonly store: Store<Anything>; readonly other: Store<Anything>; readonly hooks: Hooks }> {
    useVirtualTime();
    const shared = memory();
    const hooks: Hooks = {};
    const [store, other] = await Promise.all([sharedStorage(shared, hooks), sharedStorage(shared)].map((provider) => persistify(provider).withTtl({ ms: 10_000, mode: 'sliding' }).withBatch({ intervalMs: 100 }).open<Anything>('a')));
    if (store === undefined || other === undefined) throw new Error('not open');
    await store.setAndSave('k', 1);
    await settled();
    await vi.advanceTimersByTimeAsync(5_000);
    return { store, other, hooks };
  }

  it('leaves what is set later to be saved in its time', async () => {
    const { store, other } = await touched();
    store.get('k');
    expect(store.status.pending).toBe(1);
    await other.setAndSave('k', 'other');
    await settled();
    expect(store.status.pending).toBe(0);
    await vi.advanceTimersByTimeAsync(200); // the batch closes, and there is nothing in it
    const saves = recorded(store.saves$);
    store.set('later', 1);
    await vi.advanceTimersByTimeAsync(150);
    await settled();
    expect(saves).toHaveLength(1);
    await Promise.all([store.close(), other.close()]);
  });

  it('leaves nobody waiting who waited for it to be saved, though it comes between two batches', async () => {
    const { store, other, hooks } = await touched();
    const answer = delayed(hooks);
    store.set('under way', 1);
    await vi.advanceTimersByTimeAsync(150);
    store.get('k');
    const flushed = store.flush();
    const { opened, open } = gate();
    hooks.feed = () => opened;
    await other.setAndSave('k', 'other');
    await settled();
    expect(store.status.pending).toBe(2);
    store.saves$.subscribe(() => open());
    answer();
    expect(await flushed).toBe(true);
    await settled();
    expect([store.get('k'), store.status.state]).toEqual(['other', 'idle']);
    await Promise.all([store.close(), other.close()]);
  });
});

describe('clear()', () => {
  it('is not undone by what is read meanwhile of an entry that storage would not end', async () => {
    useVirtualTime();
    const shared = memory();
    const hooks: Hooks = {};
    const builder = persistify(sharedStorage(shared, hooks)).withBatch({ intervalMs: 50 });
    const store = await builder.open<Numbers>('a');
    const other = await persistify(sharedStorage(shared)).withTtl({ ms: 60_000, mode: 'sliding' }).open<Numbers>('a');
    await store.setAndSave('k', 1, { ttlMs: 1_000 });
    await store.setAndSave('stays', 1);
    await settled();
    other.get('k'); // no version comes of it, so nobody hears it
    await other.flush();
    const { opened, open } = gate();
    hooks.read = async (read) => {
      const found = await read();
      await opened;
      return found;
    };
    await vi.advanceTimersByTimeAsync(1_200);
    await settled();
    expect([...store.keys()]).toEqual(['stays']);
    store.clear();
    open();
    await settled();
    expect([...store.keys()]).toEqual([]);
    await store.flush();
    await settled();
    expect([...store.keys()]).toEqual([]);
    await Promise.all([store.close(), other.close()]);
  });

  it('removes also what another process set before it, where what is set after it is refused', async () => {
    const shared = memory();
    const store = await persistify(sharedStorage(shared, { write: refusing('"bad"') })).withBatch({ intervalMs: 60_000 }).open<Anything>('a');
    const other = await persistify(sharedStorage(shared)).open<Anything>('a');
    store.errors$.subscribe();
    await store.setAndSave('x', 1);
    await settled();
    store.clear();
    store.set('k', 'bad');
    await other.setAndSave('k', 'other');
    await settled();
    await store.flush().catch(() => undefined);
    await settled();
    expect([[...store], [...other]]).toEqual([[], []]);
    await Promise.all([store.close(), other.close()]);
  });

  it('in a transaction that is waited for and storage refuses it, is told so', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open<Numbers>('a');
    store.errors$.subscribe();
    await store.setAndSave('k', 1);
    provider.verdict = ({ mutations }) => ({ leaveOut: mutations.flatMap(({ type }, index) => (type === 'clear' ? [index] : [])) });
    await expect(store.transactionAndSave(() => store.clear())).rejects.toMatchObject({ outcome: 'refused' });
    await settled();
    expect(store.get('k')).toBe(1);
    await store.close();
  });
});

describe('Who writes when he hears of a save', () => {
  it('that was refused, writes after what it undid', async () => {
    const store = await persistify(sharedStorage(memory(), { write: refusing('"bad"') })).open<Anything>('a');
    const changes = recorded(store.changes$);
    const values = recorded(store.get$('k'));
    store.errors$.subscribe(({ keys }) => {
      for (const key of keys) store.set(key, 'fallback');
    });
    store.set('k', 'bad');
    await store.flush().catch(() => undefined);
    await store.flush();
    expect(store.get('k')).toBe('fallback');
    expect(values).toEqual([undefined, 'bad', undefined, 'fallback']);
    expect(told(changes)).toEqual(['set k bad local', 'delete k  reload', 'set k fallback local']);
    await store.close();
  });

  it('that storage accepted, writes after what was accepted', async () => {
    const store = await persistify(sharedStorage()).open<Anything>('a');
    const changes = recorded(store.changes$);
    store.saves$.subscribe(({ keys }) => {
      if (keys.includes('n')) store.set('k', 'after');
    });
    store.set('n', 1);
    await store.updateAndSave('k', () => 'accepted').catch(() => undefined);
    await store.flush();
    expect([store.get('k'), changes.at(-1)]).toMatchObject(['after', { value: 'after' }]);
    await store.close();
  });

  it('writes after all that came of it, what was refused and what was accepted', async () => {
    const store = await persistify(sharedStorage(memory(), { write: refusing('"bad"') })).withBatch({ intervalMs: 60_000 }).open<Anything>('a');
    const changes = recorded(store.changes$);
    store.errors$.subscribe();
    store.changes$.subscribe(({ origin }) => {
      if (origin === 'reload') store.set('k', 'after');
    });
    store.set('other', 'bad');
    await store.updateAndSave('k', () => 'accepted');
    await store.flush();
    expect([store.get('k'), changes.at(-1)]).toMatchObject(['after', { key: 'k', value: 'after', previous: 'accepted' }]);
    await store.close();
  });
});
