import fc from 'fast-check';
import { persistify, PersistifyError, type Provider, type Store } from 'rx-persistify';
import { expect } from 'vitest';

import type { Cell } from './matrix.ts';
import { hostileKey, isKey } from './hostile-keys.ts';
import { build, everyHostileValue, fateOf, hostileValues, hugeValue, type Fate, type HostileValue } from './hostile-values.ts';
import { holds } from './properties.ts';
import type { Storage } from './storages.ts';

const ways = ['set', 'add', 'update', 'transaction', 'setAndSave', 'addAndSave', 'updateAndSave', 'transactionAndSave'] as const;

interface Write {
  readonly key: unknown;
  readonly value: HostileValue;
  readonly way: (typeof ways)[number];
}

type Anything = Store<Record<string, unknown>>;

const hostileWrites = fc.array(fc.record<Write>({ key: hostileKey, value: hostileValues, way: fc.constantFrom(...ways) }), { minLength: 1, maxLength: 120, size: 'max' });

/**
 * Writes what nobody should into a store: each write is refused with the documented error at once, and changes nothing, or its value
 * comes back from storage as JSON has it. Returns how many were tried, and how many of them were kept.
 */
export async function tryWrites(cell: Cell, storage: Storage): Promise<{ readonly writes: number; readonly kept: number }> {
  const values = cell.column === 'memory' ? [...everyHostileValue, hugeValue] : everyHostileValue; // what is huge is the same to all
  const everything = values.map((value): Write => ({ key: 'constructor', value, way: 'set' }));
  const tally = { writes: 0, kept: 0 };
  const before = builtIns();
  await holds(cell, hostileWrites, { short: 20, long: 5_000, examples: [everything] }, async (writes) => {
    const kept = await tryOne(storage.provider, writes);
    tally.writes += writes.length;
    tally.kept += kept;
  });
  const after = builtIns();
  expect(after.map(([name]) => name), 'what all objects have').toEqual(before.map(([name]) => name));
  expect(after.every(([, value], index) => Object.is(value, before[index]?.[1])), 'whether what all objects have is what it was').toBe(true);
  return tally;
}

/** What everybody shares, and a value could have changed. */
function builtIns(): readonly (readonly [PropertyKey, unknown])[] {
  return [Object, Array, String, Number, Map].flatMap(({ prototype }) => Reflect.ownKeys(prototype).map((name) => [name, Reflect.getOwnPropertyDescriptor(prototype, name)?.value] as const));
}

async function tryOne(provider: () => Provider, writes: readonly Write[]): Promise<number> {
  const expected = new Map<string, string | undefined>();
  await withStore(provider(), async (store) => {
    await store.clearAndSave();
    await writeAll(store, writes, expected);
    expectEqual(store, expected);
  });
  await withStore(provider(), (store) => {
    expectEqual(store, expected);
  });
  return expected.size;
}

async function writeAll(store: Anything, writes: readonly Write[], expected: Map<string, string | undefined>): Promise<void> {
  for (const write of writes) {
    const { key, value } = write;
    const fate = fateOf(value);
    const text = fate === 'kept' ? JSON.stringify(build(value)) : undefined;
    const outcome = await outcomeOf(store, write);
    const due: Fate | 'no key' = isKey(key) ? fate : 'no key';
    if (due !== 'either' && outcome !== due) expect(outcome, `the outcome of ${fc.stringify(write)}`).toBe(due);
    if (outcome === 'kept' && isKey(key)) expected.set(key, text);
  }
}

async function withStore(provider: Provider, use: (store: Anything) => Promise<void> | void): Promise<void> {
  const store = await persistify(provider).withRetry({ maxAttempts: 1 }).open<Record<string, unknown>>('hostile');
  try {
    await use(store);
  } finally {
    await store.close();
  }
}

async function outcomeOf(store: Anything, write: Write): Promise<Fate | 'no key'> {
  const { pending } = store.status;
  const keys = [...store.keys()];
  let changes = 0;
  const subscription = store.changes$.subscribe(() => changes++);
  try {
    await perform(store, write);
    return 'kept';
  } catch (error) {
    expect(changes, 'the changes told of a write that was refused').toBe(0);
    expect([...store.keys()], 'the keys after a write that was refused').toEqual(keys);
    expect(store.status.pending, 'what is pending after a write that was refused').toBeLessThanOrEqual(pending);
    if (error instanceof PersistifyError && error.code === 'INVALID_KEY') return 'no key';
    if (error instanceof PersistifyError && error.code === 'INVALID_VALUE') return 'refused';
    throw error;
  } finally {
    subscription.unsubscribe();
  }
}

async function perform(store: Anything, { key: anyKey, value: described, way }: Write): Promise<void> {
  const key = anyKey as string; // or not; that is what is tried
  const value = build(described);
  // What is there already is not added, and so not looked at.
  const isThere = isKey(key) && store.has(key);
  switch (way) {
    case 'set':
      store.set(key, value);
      return;
    case 'add':
      if (isThere) store.set(key, value);
      else store.add(key, value);
      return;
    case 'update':
      store.update(key, () => value);
      return;
    case 'transaction':
      store.transaction(() => {
        store.set(key, value);
      });
      return;
    case 'setAndSave':
      await store.setAndSave(key, value);
      return;
    case 'addAndSave':
      if (isThere) await store.setAndSave(key, value);
      else await store.addAndSave(key, value);
      return;
    case 'updateAndSave':
      await store.updateAndSave(key, () => value);
      return;
    case 'transactionAndSave':
      await store.transactionAndSave(() => {
        store.set(key, value);
      });
      return;
  }
}

/** A liar's value is not known; what is stored of it is what it said when it was asked last. */
function expectEqual(store: Anything, expected: ReadonlyMap<string, string | undefined>): void {
  const found = new Set([...store.keys(), ...store.quarantined.keys()]);
  expect(found, 'the keys').toEqual(new Set(expected.keys()));
  for (const [key, text] of expected) {
    if (text === undefined) continue;
    const value = store.get(key);
    if (JSON.stringify(value) !== text) expect(JSON.stringify(value), `the value of ${JSON.stringify(key)}`).toBe(text);
  }
}
