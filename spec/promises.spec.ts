import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import Database from 'better-sqlite3';
import fc from 'fast-check';
import { memory, persistify, ProviderError, SaveError, type Provider } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { sqlite } from 'rx-persistify/sqlite';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { controlledProvider, recorded, settled } from './support/controlled-provider.ts';
import { useVirtualTime } from './support/virtual-time.ts';

/** What the .NET library Persistify promises, line by line, found here. */
describe('Persistify promises', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rx-persistify-promises-'));
  });

  afterEach(async () => {
    vi.useRealTimers();
    await rm(directory, { recursive: true });
  });

  const durable = (): [string, () => Provider][] => [
    ['json-file', () => jsonFile({ directory })],
    ['sqlite', () => sqlite({ file: join(directory, 'data.db') })],
  ];

  it('thread-safe async operations: the store is consistent under any interleaving of calls, flushes, reloads and closes', async () => {
    const calls = fc.array(
      fc.record({ call: fc.constantFrom('set', 'setAndSave', 'delete', 'add', 'clear', 'flush', 'reload', 'transaction', 'close'), key: fc.constantFrom('a', 'b', 'c'), value: fc.nat(9) }),
      { minLength: 1, maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), calls, fc.array(fc.nat(9), { minLength: 10, maxLength: 10 }), async (scheduler, plan, chances) => {
        const inner = memory();
        const provider = controlledProvider(inner);
        provider.verdict = () => {
          const chance = chances[provider.attempts.length % chances.length] ?? 9;
          const turn = scheduler.schedule(Promise.resolve(), 'write');
          return chance < 2 ? turn.then(() => Promise.reject(new ProviderError('now and then', { kind: chance === 0 ? 'halt' : 'retry' }))) : turn;
        };
        const store = await persistify(provider).withBatch({ size: 2, intervalMs: 1 }).withRetry({ maxAttempts: 2, delayMs: 0, probeMs: 5 }).open<Record<string, number>>('a');
        store.errors$.subscribe();
        const model = new Map<string, number>();
        store.changes$.subscribe((change) => {
          if (change.type === 'set') model.set(change.key, change.value);
          else if (change.type === 'clear') model.clear();
          else model.delete(change.key);
        });
        const seqs = recorded(store.changes$);
        const waits: Promise<unknown>[] = [];
        const steps = plan.map(({ call, key, value }) => ({
          label: call,
          builder: () => {
            if (store.status.state === 'closed') return Promise.resolve();
            const make: Record<typeof call, () => unknown> = {
              set: () => store.set(key, value),
              setAndSave: () => waits.push(store.setAndSave(key, value)),
              delete: () => store.delete(key),
              add: () => store.add(key, value),
              clear: () => store.clear(),
              flush: () => waits.push(store.flush()),
              reload: () => waits.push(store.reload()),
              transaction: () =>
                store.transaction(() => {
                  store.set(key, value);
                  store.set('d', value);
                }),
              close: () => waits.push(store.close({ deadlineMs: 2_000 })),
            };
            try {
              make[call]();
            } catch (error) {
              expect(error).toMatchObject({ code: 'STORE_CLOSED' });
            }
            return Promise.resolve();
          },
        }));
        scheduler.scheduleSequence(steps);
        const ending = scheduler.waitIdle();
        await ending;
        // Every wait ends, with a result or with an error of ours.
        const pump = setInterval(() => void scheduler.waitIdle(), 1);
        for (const outcome of await Promise.allSettled(waits)) if (outcome.status === 'rejected') expect(outcome.reason).toHaveProperty('code');
        let unsaved: readonly string[] = [];
        await store.close({ deadlineMs: 2_000 }).catch((error: unknown) => {
          if (error instanceof SaveError) unsaved = error.keys;
          else throw error;
        });
        clearInterval(pump);
        expect(Object.fromEntries(model)).toEqual(Object.fromEntries(store));
        expect(seqs.map(({ seq }) => seq)).toEqual(seqs.map((_, index) => index + 1));
        const stored = await persistify(inner).open<Record<string, number>>('a');
        for (const key of ['a', 'b', 'c', 'd']) if (!unsaved.includes(key)) expect([key, stored.get(key)]).toEqual([key, store.get(key)]);
        await stored.close();
      }),
      { numRuns: 60 },
    );
  });

  it('pluggable providers, and a custom provider: four calls are one', async () => {
    const rows = new Map<string, string>();
    const custom: Provider = {
      name: 'custom',
      open: () =>
        Promise.resolve({
          capabilities: { shared: false, durability: 'memory' },
          async *load() {
            yield await Promise.resolve({ version: 1, entries: [...rows].map(([key, json]) => ({ key, json, version: 1 })) });
          },
          write({ mutations }) {
            for (const mutation of mutations) {
              if (mutation.type === 'set') rows.set(mutation.key, mutation.json);
              else if (mutation.type === 'delete') rows.delete(mutation.key);
              else if (mutation.type === 'clear') rows.clear();
            }
            return Promise.resolve({ version: 2, leftOut: [] });
          },
          close: () => Promise.resolve(),
        }),
    };
    for (const provider of [custom, memory(), ...durable().map(([, make]) => make())]) {
      const store = await persistify(provider).open('a');
      await store.setAndSave('a', { from: provider.name });
      await store.close();
      const again = await persistify(provider).open('a');
      expect(again.get('a')).toEqual({ from: provider.name });
      await again.close();
    }
  });

  it('batch by size and by time', async () => {
    useVirtualTime();
    const provider = controlledProvider();
    const store = await persistify(provider).withBatch({ size: 3, intervalMs: 5_000 }).open('a');
    for (const key of ['a', 'b', 'c', 'd']) store.set(key, 1);
    await settled();
    const bySize = provider.attempts.length;
    await vi.advanceTimersByTimeAsync(5_000);
    await settled();
    expect([bySize, provider.attempts.length]).toEqual([1, 2]);
    await store.close();
  });

  it('retry with exponential backoff and jitter, count and delay configurable', async () => {
    useVirtualTime();
    vi.spyOn(Math, 'random').mockReturnValue(0.999_999);
    const provider = controlledProvider();
    provider.verdict = () => new ProviderError('busy', { kind: 'retry' });
    const store = await persistify(provider).withRetry({ maxAttempts: 4, delayMs: 10 }).open('a');
    const errors = recorded(store.errors$);
    store.set('a', 1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(errors.map(({ delayMs }) => delayMs)).toEqual([10, 20, 40, 0]);
    provider.verdict = () => undefined;
    await store.close();
  });

  it('throwOnFailure: rejects by default, and resolves to false if told not to', async () => {
    for (const throwing of [true, false]) {
      const provider = controlledProvider();
      provider.verdict = () => new ProviderError('full', { kind: 'halt' });
      const store = await persistify(provider).throwOnFailure(throwing).open('a');
      store.errors$.subscribe();
      const saving = store.setAndSave('a', 1);
      if (throwing) await expect(saving).rejects.toBeInstanceOf(SaveError);
      else expect(await saving).toBe(false);
      provider.verdict = () => undefined;
      await store.close();
    }
  });

  it('fluent builder, usable more than once: each step gives a new frozen one', async () => {
    const first = persistify(memory());
    const second = first.withBatch({ size: 1 }).withRetry({ maxAttempts: 1 }).withLimits({ pendingKeys: 9 }).throwOnFailure(false);
    expect(second).not.toBe(first);
    expect([Object.isFrozen(first), Object.isFrozen(second)]).toEqual([true, true]);
    const stores = await Promise.all([second.open('a'), second.open('b'), first.open('c')]);
    expect(stores.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    await Promise.all(stores.map((store) => store.close()));
  });

  it('error events with operation, attempt, maximum, fatal and cause, also for the final failure', async () => {
    useVirtualTime();
    const cause = Object.assign(new Error('EIO'), { code: 'EIO' });
    const provider = controlledProvider();
    provider.verdict = () => new ProviderError('the disk failed', { kind: 'retry', cause });
    const store = await persistify(provider).withRetry({ maxAttempts: 2, delayMs: 1 }).open('a');
    const errors = recorded(store.errors$);
    store.set('a', 1);
    await vi.advanceTimersByTimeAsync(500);
    expect(errors).toMatchObject([
      { operation: 'save', attempt: 1, maxAttempts: 2, fatal: false, error: { cause } },
      { operation: 'save', attempt: 2, maxAttempts: 2, fatal: true, error: { cause } },
    ]);
    provider.verdict = () => undefined;
    await store.close();
  });

  it('initialise once however often and concurrently it is asked', async () => {
    const provider = controlledProvider();
    const stores = persistify(provider);
    const all = await Promise.all(Array.from({ length: 50 }, () => stores.open('a')));
    expect([new Set(all).size, provider.opens, provider.loads]).toEqual([1, 1, 1]);
    await all[0]?.close();
  });

  it.each(durable())('add, try-add, remove and clear with save are on disk when they resolve (%s)', async (_name, make) => {
    const store = await persistify(make()).withBatch({ intervalMs: 60_000 }).open('a');
    const stored = async (): Promise<unknown> => {
      await store.reload();
      return Object.fromEntries(store);
    };
    await store.setAndSave('a', 1);
    expect([await store.addAndSave('a', 2), await store.addAndSave('b', 2)]).toEqual([false, true]);
    expect(await stored()).toEqual({ a: 1, b: 2 });
    expect(await store.deleteAndSave('a')).toBe(true);
    expect(await stored()).toEqual({ b: 2 });
    await store.clearAndSave();
    expect(await stored()).toEqual({});
    await store.close();
  });

  it('a plain set buffers, flush saves, and a save that resolves has saved', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).withBatch({ intervalMs: 60_000 }).open('a');
    store.set('a', 1);
    await settled();
    expect(provider.attempts).toEqual([]);
    await store.flush();
    expect(provider.attempts).toHaveLength(1);
    await store.close();
  });

  it.each(durable())('reload discards what is unsaved (%s)', async (_name, make) => {
    const store = await persistify(make()).withBatch({ intervalMs: 60_000 }).open('a');
    await store.setAndSave('a', 1);
    store.set('a', 2);
    store.set('b', 2);
    await store.reload();
    expect([...store]).toEqual([['a', 1]]);
    await store.close();
  });

  it.each(durable())('disposal flushes (%s)', async (_name, make) => {
    {
      await using store = await persistify(make()).withBatch({ intervalMs: 60_000 }).open('a');
      store.set('a', 1);
    }
    await using again = await persistify(make()).open('a');
    expect(again.get('a')).toBe(1);
  });

  it('JSON: directory, indentation, key naming through a codec, atomic writes', async () => {
    const snake = {
      encode: ({ userName }: { userName: string }) => ({ user_name: userName }),
      decode: ({ user_name }: { user_name: string }) => ({ userName: user_name }),
    };
    const deep = join(directory, 'deep', 'er');
    const store = await persistify(jsonFile({ directory: deep, indent: 2 })).withCodec(snake).open('people');
    store.set('ann', { userName: 'Ann' });
    await store.close();
    expect(await readdir(deep)).toEqual(['people.json']);
    const text = await readFile(join(deep, 'people.json'), 'utf8');
    expect(text).toMatch(/\n {2,}"user_name": "Ann"\n/);
    expect(JSON.parse(text)).toMatchObject({ ann: { user_name: 'Ann' } });
    const again = await persistify(jsonFile({ directory: deep, indent: 2 })).withCodec(snake).open('people');
    expect(again.get('ann')).toEqual({ userName: 'Ann' });
    await again.close();
  });

  it('database: file, key, value and timestamp column names', async () => {
    const file = join(directory, 'data.db');
    const provider = sqlite({ file, table: (name) => `my_${name}`, columns: { key: 'k', value: 'v', createdAt: 'born', updatedAt: 'changed' } });
    const store = await persistify(provider).open('prefs');
    await store.setAndSave('a', 1);
    await store.close();
    const database = new Database(file, { readonly: true });
    expect(database.prepare('SELECT k, v, born > 0 AS born, changed >= born AS changed FROM my_prefs').all()).toEqual([{ k: 'a', v: '1', born: 1, changed: 1 }]);
    database.close();
  });

  it.each(durable())('data is shared across instances, one after the other (%s)', async (_name, make) => {
    const first = await persistify(make()).open('a');
    first.set('a', 1);
    await first.close();
    const second = await persistify(make()).open('a');
    expect(second.get('a')).toBe(1);
    await second.close();
  });

  it('data is shared across instances that are open at once, where storage can be shared', async () => {
    const shared = sqlite({ file: join(directory, 'data.db') });
    const [first, second] = [await persistify(shared).open('a'), await persistify(sqlite({ file: join(directory, 'data.db') })).open('a')];
    await first.setAndSave('a', 1);
    await second.reload();
    expect(second.get('a')).toBe(1);
    await Promise.all([first.close(), second.close()]);
  });

  it.each(durable())('one provider, many dictionaries (%s)', async (_name, make) => {
    const stores = persistify(make());
    const names = ['users', 'Users', 'user/names', '../up', 'ünï', 'con'];
    const opened = await Promise.all(names.map((name) => stores.open(name)));
    for (const store of opened) store.set('name', store.name);
    await Promise.all(opened.map((store) => store.close()));
    for (const name of names) {
      const store = await stores.open(name);
      expect([...store]).toEqual([['name', name]]);
      await store.close();
    }
  });

  it.each(durable())('typed and complex values come back equal (%s)', async (_name, make) => {
    const value = { text: '"\\\n\u2028😀', list: [1, 2.5, null, true, [], {}], deep: { er: { est: -1e-7 } }, big: 2 ** 53 };
    const store = await persistify(make()).open<Record<string, typeof value>>('a');
    store.set('a', value);
    await store.close();
    const again = await persistify(make()).open<Record<string, typeof value>>('a');
    expect(again.get('a')).toEqual(value);
    await again.close();
  });

  it.each(durable())('bad rows are left in storage by the next save (%s)', async (name, make) => {
    const first = await persistify(make()).open('a');
    first.set('good', 1);
    first.set('bad', 'was good');
    await first.close();
    const file = join(directory, name === 'sqlite' ? 'data.db' : 'a.json');
    if (name === 'sqlite') {
      const database = new Database(file);
      database.prepare("UPDATE a SET value = '{broken' WHERE key = 'bad'").run();
      database.close();
    } else await writeFile(file, JSON.stringify({ good: 1, bad: { not: 'a number' } }));
    const numbers = { encode: (value: number) => value, decode: (value: number) => (typeof value === 'number' ? value : (() => { throw new TypeError('not a number'); })()) };
    const store = await persistify(make()).withCodec(numbers).open('a');
    expect([store.get('good'), [...store.quarantined.keys()]]).toEqual([1, ['bad']]);
    await store.setAndSave('good', 2);
    await store.close();
    const again = await persistify(make()).withCodec(numbers).open('a');
    expect([again.get('good'), [...again.quarantined.keys()]]).toEqual([2, ['bad']]);
    await again.close();
  });
});
