import { describe, expect, it } from 'vitest';

import { scratch, Store } from './store.ts';

async function reopened(...keys: readonly string[]): Promise<Store> {
  const first = await Store.open(await scratch());
  await first.write(...keys.map(key => ({ type: 'set', key, json: '1' }) as const));
  await first.close();
  return Store.open(first.directory);
}

async function isStored(store: Store, mutation: { type: 'set' | 'delete'; key: string; expect: number }): Promise<boolean> {
  const { leftOut } = await store.write({ json: '"new"', ...mutation });
  return leftOut.length === 0;
}

describe('a conditional write on a store that was loaded', () => {
  it('finds out from the files which keys exist', async () => {
    const store = await reopened('a', 'b', 'c');
    const version = (await store.entries())[0]?.version ?? 0;
    expect(version).toBe(1);
    await store.write({ type: 'delete', key: 'c' });
    expect(await isStored(store, { type: 'set', key: 'a', expect: 0 })).toBe(false);
    expect(await isStored(store, { type: 'set', key: 'a', expect: version })).toBe(true);
    expect(await isStored(store, { type: 'set', key: 'a', expect: version })).toBe(false);
    expect(await isStored(store, { type: 'set', key: 'absent', expect: version })).toBe(false);
    expect(await isStored(store, { type: 'set', key: 'absent', expect: 0 })).toBe(true);
    expect(await isStored(store, { type: 'set', key: 'c', expect: version })).toBe(false);
    expect(await isStored(store, { type: 'set', key: 'c', expect: 0 })).toBe(true);
    expect(await isStored(store, { type: 'delete', key: 'b', expect: version + 1 })).toBe(false);
    expect(await isStored(store, { type: 'delete', key: 'b', expect: version })).toBe(true);
    expect(await store.texts()).toEqual({ a: '"new"', absent: '"new"', c: '"new"' });
  });

  it('knows the same after a fold', async () => {
    const store = await reopened('a', 'b', 'c');
    await store.write({ type: 'delete', key: 'a' }, { type: 'set', key: 'b', json: '2' });
    await store.write({ type: 'set', key: 'long', json: JSON.stringify('x'.repeat(1_200_000)) });
    const { version } = await store.write({ type: 'set', key: 'after', json: '1' });
    expect(await isStored(store, { type: 'set', key: 'a', expect: 1 })).toBe(false);
    expect(await isStored(store, { type: 'set', key: 'b', expect: 1 })).toBe(false);
    expect(await isStored(store, { type: 'set', key: 'b', expect: 2 })).toBe(true);
    expect(await isStored(store, { type: 'set', key: 'c', expect: 1 })).toBe(true);
    expect(await isStored(store, { type: 'set', key: 'after', expect: version })).toBe(true);
    expect(await isStored(store, { type: 'set', key: 'a', expect: 0 })).toBe(true);
  });

  it('leaves a transaction out whole, with each of its places', async () => {
    const store = await reopened('a');
    const { leftOut } = await store.write(
      { type: 'set', key: 'x', json: '1', transaction: 1 },
      { type: 'set', key: 'a', json: '2', expect: 0, transaction: 1 },
      { type: 'set', key: 'y', json: '1', transaction: 2 },
      { type: 'set', key: 'z', json: '\n', transaction: 1 },
    );
    expect(leftOut.map(({ index, reason }) => [index, reason])).toEqual([[0, 'conflict'], [1, 'conflict'], [3, 'refused']]);
    expect(await store.texts()).toEqual({ a: '1', y: '1' });
  });

  it('is answered as before when it comes again, in the next run too', async () => {
    const store = await reopened('a');
    const batch = store.batch({ type: 'set', key: 'a', json: '2', expect: 0 }, { type: 'set', key: 'b', json: '2' });
    const answer = await store.send(batch);
    await store.close();
    const next = await Store.open(store.directory, { writer: store.writer });
    expect(await next.send(batch)).toEqual(answer);
    expect(await next.texts()).toEqual({ a: '1', b: '2' });
  });
});

describe('a deadline on a store that was loaded', () => {
  it('ends an entry that nobody wrote since, by the version it was loaded with', async () => {
    const first = await Store.open(await scratch());
    const past = Date.now() - 1_000;
    await first.write(...['a', 'b', 'c'].map(key => ({ type: 'set', key, json: '1', expiresAt: past }) as const));
    await first.close();
    const store = await Store.open(first.directory);
    await store.set('b', '2', { expiresAt: past });
    await store.write({ type: 'touch', key: 'c', expiresAt: Date.now() + 60_000 });
    const { leftOut } = await store.write(...['a', 'b', 'c', 'absent'].map(key => ({ type: 'expire', key, version: 1 }) as const));
    expect(leftOut).toEqual([
      { index: 1, reason: 'conflict', message: 'The key has another version.' },
      { index: 2, reason: 'conflict', message: 'Its deadline has not passed.' },
      { index: 3, reason: 'conflict', message: 'The key is absent, or has no deadline.' },
    ]);
    expect(Object.keys(await store.texts())).toEqual(['b', 'c']);
  });
});
