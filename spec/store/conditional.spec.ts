import { memory, persistify, ProviderError, type ProviderSession, type Store } from 'rx-persistify';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { controlledProvider, gate, recorded, settled } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

type Numbers = Record<string, number>;

afterEach(() => void vi.useRealTimers());

const increment = (value = 0): number => value + 1;

/** Two stores on one storage, which hear of each other. */
async function two(): Promise<readonly [Store<Numbers>, Store<Numbers>]> {
  const provider = memory();
  return Promise.all([persistify(provider).open<Numbers>('a'), persistify(provider).open<Numbers>('a')]);
}

describe('addAndSave', () => {
  it('is decided by storage: of many who add a key, in many stores, one does', async () => {
    const provider = memory();
    const stores = await Promise.all(Array.from({ length: 5 }, () => persistify(provider).open<Numbers>('jobs')));
    const claims = await Promise.all(stores.flatMap((store, owner) => Array.from({ length: 20 }, () => store.addAndSave('job', owner))));
    expect(claims.filter(Boolean)).toHaveLength(1);
    const owner = Math.floor(claims.indexOf(true) / 20);
    for (const store of stores) {
      await settled();
      expect(store.get('job')).toBe(owner);
      await store.close();
    }
  });

  it('is applied and told when it is accepted, and not before', async () => {
    const provider = controlledProvider();
    const busy = gate();
    provider.verdict = () => busy.opened;
    const store = await persistify(provider).open<Numbers>('a');
    const changes = recorded(store.changes$);
    const adding = store.addAndSave('k', 1);
    await settled();
    expect([store.get('k'), changes, store.unsaved, store.status.state]).toEqual([undefined, [], ['k'], 'saving']);
    busy.open();
    expect(await adding).toBe(true);
    expect(store.get('k')).toBe(1);
    expect(changes).toEqual([{ type: 'set', key: 'k', value: 1, previous: undefined, seq: 1, origin: 'local' }]);
    await store.close();
  });

  it('of what is there writes nothing', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open<Numbers>('a');
    store.set('k', 1);
    expect(await store.addAndSave('k', 2)).toBe(false);
    expect([store.get('k'), provider.attempts.length]).toEqual([1, 1]); // what was pending is saved before
    await store.close();
  });

  it('gives the key its time to live', async () => {
    useVirtualTime();
    const store = await persistify(memory()).withTtl({ ms: 1_000, mode: 'sliding' }).open<Numbers>('a');
    await store.addAndSave('own', 1, { ttlMs: 50 });
    await store.addAndSave('stores', 1);
    await vi.advanceTimersByTimeAsync(30);
    store.get('own');
    expect([store.expiresAt('own'), store.expiresAt('stores')]).toEqual([Date.now() + 50, Date.now() + 970]);
    await vi.advanceTimersByTimeAsync(50);
    expect([...store.keys()]).toEqual(['stores']);
    expect(await store.addAndSave('own', 2)).toBe(true); // what has ended is not there
    await store.close();
  });

  it('refuses at once what cannot be stored', async () => {
    const store = await persistify(memory()).open('a');
    await expect(store.addAndSave('k', undefined)).rejects.toMatchObject({ code: 'INVALID_VALUE' });
    await expect(store.addAndSave('', 1)).rejects.toMatchObject({ code: 'INVALID_KEY' });
    await store.close();
  });
});

describe('updateAndSave', () => {
  it('is exact between stores: none of 300 increments is lost', async () => {
    const provider = memory();
    const stores = await Promise.all(Array.from({ length: 3 }, () => persistify(provider).open<Numbers>('a')));
    const results = await Promise.all(stores.flatMap((store) => Array.from({ length: 100 }, () => store.updateAndSave('count', increment))));
    expect(results.toSorted((left = 0, right = 0) => left - right)).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
    await settled();
    for (const store of stores) {
      expect(store.get('count')).toBe(300);
      await store.close();
    }
  });

  it('runs fn again on what another store has written since', async () => {
    const shared = memory();
    const held = controlledProvider(shared);
    const first = await persistify(held).open<Numbers>('a');
    const second = await persistify(shared).open<Numbers>('a');
    await first.setAndSave('k', 10);
    const changes = recorded(first.changes$);
    const busy = gate();
    held.verdict = () => busy.opened;
    const seen: (number | undefined)[] = [];
    const updating = first.updateAndSave('k', (value = 0) => {
      seen.push(value);
      return value + 1;
    });
    await settled();
    await second.setAndSave('k', 20);
    busy.open();
    expect([await updating, seen]).toEqual([21, [10, 20]]);
    expect(changes).toMatchObject([
      { type: 'set', value: 20, origin: 'remote' },
      { type: 'set', value: 21, previous: 20, origin: 'local' },
    ]);
    for (const store of [first, second]) await store.close();
  });

  describe('where what another store has written cannot be read', () => {
    const opened = async (read: NonNullable<ProviderSession['read']>): Promise<{ first: Store<Numbers>; second: Store<Numbers>; updating: () => Promise<number | undefined> }> => {
      const shared = memory();
      const held = controlledProvider(shared, { read });
      const first = await persistify(held).withRetry({ maxAttempts: 3, delayMs: 1 }).open<Numbers>('a');
      const second = await persistify(shared).open<Numbers>('a');
      await second.setAndSave('k', 1);
      return { first, second, updating: () => first.updateAndSave('k', increment) };
    };

    it('tries again', async () => {
      let reads = 0;
      const { first, second, updating } = await opened((keys) => {
        reads++;
        return reads < 3 ? Promise.reject(new ProviderError('the connection was cut', { kind: 'retry' })) : Promise.resolve(keys.map((key) => ({ key, json: '1', version: 1 })));
      });
      expect([await updating(), reads]).toEqual([2, 3]);
      for (const store of [first, second]) await store.close();
    });

    it('rejects as what was not saved, and changes nothing', async () => {
      const { first, second, updating } = await opened(() => Promise.reject(new ProviderError('the connection was cut', { kind: 'retry' })));
      await expect(updating()).rejects.toMatchObject({ code: 'SAVE_FAILED', outcome: 'discarded', keys: ['k'], message: expect.stringContaining('the connection was cut') as string });
      expect(first.get('k')).toBeUndefined();
      for (const store of [first, second]) await store.close();
    });
  });

  it('changes nothing where fn returns undefined', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open<Numbers>('a');
    await store.setAndSave('k', 1);
    const changes = recorded(store.changes$);
    expect(await store.updateAndSave('k', () => undefined)).toBe(1);
    expect(await store.updateAndSave('absent', () => undefined)).toBeUndefined();
    expect([changes, provider.attempts.length]).toEqual([[], 1]);
    await store.close();
  });

  it('follows what is pending of its key, in a batch of its own, and what is set meanwhile stays', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open<Numbers>('a');
    store.set('k', 1);
    const updating = store.updateAndSave('k', increment);
    await settled(1);
    store.set('k', 10); // after it was asked for, before it was decided
    expect(await updating).toBe(11);
    expect(store.get('k')).toBe(11);
    await store.close();
    const stored = provider.attempts.map(({ mutations }) => mutations.map((mutation) => ('json' in mutation ? [mutation.json, 'expect' in mutation] : [])));
    expect(stored.at(-1)).toEqual([['11', true]]);
  });

  it('keeps what is set while it is under way', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open<Numbers>('a');
    await store.setAndSave('k', 1);
    const busy = gate();
    provider.verdict = () => busy.opened;
    const updating = store.updateAndSave('k', increment);
    await settled();
    store.set('k', 100);
    const changes = recorded(store.changes$);
    busy.open();
    expect(await updating).toBe(2);
    await store.flush();
    expect([store.get('k'), changes]).toEqual([100, []]);
    await store.reload();
    expect(store.get('k')).toBe(100);
    await store.close();
  });

  it('harms nothing else in its commit where its condition fails', async () => {
    const [first, second] = await two();
    await first.setAndSave('k', 1);
    await settled();
    const updating = first.updateAndSave('k', increment);
    second.set('k', 5);
    first.set('other', 1);
    const saved = second.flush();
    await Promise.all([updating, saved, first.flush()]);
    await settled();
    expect([first.get('other'), second.get('other'), first.get('k') === second.get('k')]).toEqual([1, 1, true]);
    for (const store of [first, second]) await store.close();
  });

  it('rejects what fn throws, and changes nothing', async () => {
    const store = await persistify(memory()).open<Numbers>('a');
    await expect(
      store.updateAndSave('k', () => {
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await store.updateAndSave('k', increment)).toBe(1); // who comes after it has his turn
    await store.close();
  });

  it('lets those of other keys share its commit', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open<Numbers>('a');
    await Promise.all(Array.from({ length: 50 }, (_, key) => store.updateAndSave(`k${key}`, increment)));
    expect(provider.attempts.map(({ mutations }) => mutations.length)).toEqual([50]);
    await store.close();
  });
});

describe('a conditional write', () => {
  const halt = new ProviderError('the disk is full', { kind: 'halt' });

  it('that was sent and failed may be settled later, and is told then', async () => {
    const provider = controlledProvider();
    provider.verdict = () => new ProviderError('no answer', { kind: 'halt', outcomeUnknown: true });
    const store = await persistify(provider).open<Numbers>('a');
    await expect(store.addAndSave('k', 1)).rejects.toMatchObject({ code: 'SAVE_FAILED', outcome: 'unknown', keys: ['k'] });
    expect([store.get('k'), store.unsaved]).toEqual([undefined, ['k']]);
    const changes = recorded(store.changes$);
    provider.verdict = () => undefined;
    expect(await store.flush()).toBe(true);
    expect([store.get('k'), changes.length, store.unsaved]).toEqual([1, 1, []]);
    await store.close();
  });

  it('that was not sent when an earlier batch failed never is', async () => {
    const provider = controlledProvider();
    const busy = gate();
    let failing = true;
    provider.verdict = () => (failing ? busy.opened.then(() => Promise.reject(halt)) : undefined);
    const store = await persistify(provider).open<Numbers>('a');
    store.set('first', 1);
    const flushing = store.flush().catch((error: unknown) => error);
    await settled();
    const adding = store.addAndSave('k', 1);
    await settled(1);
    busy.open();
    await expect(adding).rejects.toMatchObject({ code: 'SAVE_FAILED', outcome: 'discarded', keys: ['k'] });
    await flushing;
    failing = false;
    await store.flush();
    expect([...store.keys()]).toEqual(['first']);
    await store.close();
  });

  it('that storage refuses rejects, and is told', async () => {
    const provider = controlledProvider();
    provider.verdict = () => ({ leaveOut: [0] });
    const store = await persistify(provider).open<Numbers>('a');
    const failures = recorded(store.errors$);
    await expect(store.addAndSave('k', 1)).rejects.toMatchObject({ code: 'SAVE_FAILED', outcome: 'refused', keys: ['k'] });
    expect([store.get('k'), failures.map(({ keys }) => keys), store.unsaved]).toEqual([undefined, [['k']], []]);
    await store.close();
  });

  it('ends with its store: it is saved, or rejected', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open<Numbers>('a');
    const adding = store.addAndSave('k', 1);
    await settled(1);
    await store.close();
    expect(await adding).toBe(true);
    provider.verdict = () => new Promise(() => undefined);
    const again = await persistify(provider).open<Numbers>('b');
    const hanging = again.addAndSave('k', 1).catch((error: unknown) => error);
    await settled();
    await expect(again.close({ deadlineMs: 1 })).rejects.toMatchObject({ code: 'SAVE_FAILED', keys: ['k'] });
    expect(await hanging).toMatchObject({ code: 'SAVE_FAILED', outcome: 'unknown' });
  });

  it('is not waited for any longer when its signal aborts', async () => {
    const provider = controlledProvider();
    const busy = gate();
    provider.verdict = () => busy.opened;
    const store = await persistify(provider).open<Numbers>('a');
    const controller = new AbortController();
    const adding = store.addAndSave('k', 1, { signal: controller.signal });
    await settled();
    controller.abort();
    await expect(adding).rejects.toMatchObject({ name: 'AbortError' });
    busy.open();
    await store.flush();
    expect(store.get('k')).toBe(1); // it was sent
    await expect(store.addAndSave('other', 1, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    expect(store.has('other')).toBe(false);
    await store.close();
  });

  it('is discarded by a reload, if it was not sent', async () => {
    const provider = controlledProvider();
    const busy = gate();
    provider.verdict = () => busy.opened;
    const store = await persistify(provider).open<Numbers>('a');
    store.set('first', 1);
    const flushing = store.flush();
    await settled();
    const adding = store.addAndSave('k', 1).catch((error: unknown) => error);
    await settled(1);
    const reloading = store.reload();
    busy.open();
    await Promise.all([flushing, reloading]);
    expect(await adding).toMatchObject({ code: 'DISCARDED', keys: ['k'] });
    expect(store.has('k')).toBe(false);
    await store.close();
  });

  it('is not discarded by a reload that was called before it, and neither is what follows it', async () => {
    const provider = controlledProvider();
    const busy = gate();
    provider.verdict = () => busy.opened;
    const store = await persistify(provider).open<Numbers>('a');
    store.set('first', 1);
    const flushing = store.flush();
    await settled();
    const reloading = store.reload();
    const adding = store.addAndSave('k', 1);
    await settled(1);
    const updating = store.updateAndSave('first', increment);
    busy.open();
    await Promise.all([flushing, reloading]);
    expect([await adding, await updating]).toEqual([true, 2]);
    await store.close();
  });
});

describe('who waits for what was undone', () => {
  it('is not left waiting when a reload discards the rest', async () => {
    const provider = controlledProvider();
    const busy = gate();
    provider.verdict = () => busy.opened;
    const store = await persistify(provider).open<Numbers>('a');
    const first = store.setAndSave('first', 1);
    await settled();
    store.set('discarded', 1);
    const reloading = store.reload();
    const undo = (): void => {
      store.set('undone', 1);
      throw new Error('undo');
    };
    expect(() => store.transaction(undo)).toThrow('undo');
    const flushing = store.flush().catch((error: unknown) => error);
    busy.open();
    await Promise.all([first, reloading]);
    expect(await flushing).toMatchObject({ code: 'DISCARDED', keys: ['discarded'] });
    await store.close();
  });
});
