import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';

import type { Quarantined } from '../lib/change.ts';
import { CorruptDataError } from '../lib/errors.ts';
import { Layers, type Difference, type LoadedEntry } from '../lib/layers.ts';
import { Lifetimes } from '../lib/lifetimes.ts';
import { isMortal, TransactionGroup, type Flight } from '../lib/overlay.ts';
import { byKeyOrder, LayersModel, type Value } from './layers-model.ts';

const KEYS = ['a', 'b', 'c', 'd', 'long key'] as const;

const key = fc.constantFrom(...KEYS);
const someKeys = fc.uniqueArray(key, { maxLength: 2 });

type Step =
  | { readonly type: 'set' | 'setSame' | 'delete'; readonly key: string }
  | { readonly type: 'clear' | 'begin' | 'commit' | 'rollback' | 'take' }
  | { readonly type: 'sink'; readonly count: number }
  | { readonly type: 'settle'; readonly refused: readonly boolean[] }
  | { readonly type: 'rebase'; readonly set: readonly string[]; readonly deleted: readonly string[]; readonly bad: readonly string[]; readonly discard: number | undefined };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('set' as const), key }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('setSame' as const), key }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('delete' as const), key }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('clear' as const) }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('begin' as const) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('commit' as const) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('rollback' as const) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('take' as const) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('sink' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('settle' as const), refused: fc.array(fc.boolean(), { maxLength: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('rebase' as const), set: someKeys, deleted: someKeys, bad: fc.uniqueArray(key, { maxLength: 1 }), discard: fc.option(fc.nat({ max: 3 }), { nil: undefined }) }) },
);

describe('Layers', () => {
  it('are at each step what replaying every call on what storage holds gives', () => {
    fc.assert(
      fc.property(someKeys, fc.uniqueArray(key, { maxLength: 1 }), fc.array(step, { maxLength: 60, size: 'max' }), (good, bad, steps) => {
        const layers = new Layers<Value>();
        const model = new LayersModel(layers, good, bad);
        agree(layers, model);
        for (const each of steps) {
          take(each, model);
          agree(layers, model);
        }
      }),
      { numRuns: 400, seed: 1 },
    );
  });

  describe('a batch', () => {
    it('is everything pending, one mutation a key, the newest, in the order in which the keys came', () => {
      const layers = layersOf({ old: 1 });
      set(layers, 'a', 1);
      set(layers, 'b', 1);
      remove(layers, 'old');
      set(layers, 'a', 2);
      expect(layers.takeFlight()).toMatchObject({
        seq: 4,
        mutations: [
          { type: 'set', key: 'a', json: '2' },
          { type: 'set', key: 'b', json: '1' },
          { type: 'delete', key: 'old' },
        ],
        bytes: 'a2b1old'.length,
      });
    });

    it('is none where nothing is pending', () => {
      expect(layersOf({ a: 1 }).takeFlight()).toBeUndefined();
    });

    it('does not change when its keys are set again while it is under way', () => {
      const layers = layersOf({});
      set(layers, 'a', 1);
      const flight = flightOf(layers);
      set(layers, 'a', 2);
      expect(flight.mutations).toEqual([{ type: 'set', key: 'a', json: '1' }]);
      expect(layers.unsavedCount).toBe(2);
      expect(layers.pendingCount).toBe(1);
      layers.settle(flight, 1, new Set());
      expect(flightOf(layers).mutations).toEqual([{ type: 'set', key: 'a', json: '2' }]);
    });

    it('in which storage accepts a proposal shows it under the touch that came since, which goes where the entry stays now', () => {
      for (const expiresAt of [undefined, 500, 5_000]) {
        const layers = new Layers<number>(new Lifetimes<number>(() => 0, { ms: 1_000, mode: 'sliding' }));
        const entry = layers.load('k', { value: 1, version: 1, expiresAt: 1_000 });
        layers.propose({ key: 'k', value: 2, json: '2', expiresAt, ownTtl: undefined, expect: 1, resolve: () => undefined, reject: () => undefined });
        const flight = layers.takeFlight();
        if (!isMortal(entry) || flight === undefined) throw new Error('There is nothing to touch, or nothing under way.');
        layers.touch(entry);
        expect(layers.settle(flight, 2, new Set()).accepted).toEqual([{ key: 'k', before: 1, after: 2 }]);
        expect(layers.find('k')).toMatchObject({ value: 2, version: 2 });
        expect(layers.find('k')?.expiresAt).toBe(expiresAt === undefined ? undefined : Math.max(1_000, expiresAt));
        expect(layers.takeFlight()?.mutations).toEqual(expiresAt === undefined ? undefined : [{ type: 'touch', key: 'k', expiresAt: 1_000 }]);
      }
    });

    it('is without what the feed has replaced, which is looked for once for any number of it', () => {
      const layers = new Layers<number>(new Lifetimes<number>(() => 0, { ms: 1_000, mode: 'sliding' }));
      const keys = Array.from({ length: 1_000 }, (_, index) => `key ${index}`);
      for (const key of keys) {
        const entry = layers.load(key, { value: 1, version: 1, expiresAt: 1_000 });
        if (isMortal(entry)) layers.touch(entry);
      }
      set(layers, 'mine', 1);
      const filtering = vi.spyOn(Array.prototype, 'filter');
      const differences: Difference<number>[] = [];
      for (const key of keys) layers.rebaseOne(key, { value: 2, version: 2, expiresAt: 1_000, json: '2' }, String, differences);
      expect([differences.length, layers.pendingCount, layers.unsavedKeys()]).toEqual([1_000, 1, ['mine']]);
      expect(filtering.mock.calls.length).toBeLessThan(50); // the assertions have some
      filtering.mockRestore();
      expect(flightOf(layers).mutations).toEqual([{ type: 'set', key: 'mine', json: '1' }]);
    });

    it('that storage has taken whole may become base in parts, and is under way until the last', () => {
      const layers = layersOf({ gone: 1, other: 1 });
      const keys = ['gone', 'a', 'b', 'c', 'd'];
      remove(layers, 'gone');
      for (const key of keys.slice(1)) set(layers, key, 1);
      const flight = flightOf(layers);
      layers.sink(flight, 5, 3);
      expect(layers.view.get('a')).toEqual({ value: 1, version: 5, overlay: undefined });
      set(layers, 'a', 2);
      remove(layers, 'b');
      layers.sink(flight, 5, 1);
      expect([...keys, 'other'].map((key) => layers.isFlying(key))).toEqual([...keys.map(() => true), false]);
      expect(layers.unsavedCount).toBe(7);
      expect(layers.settle(flight, 5, new Set()).removed).toEqual(['gone']);
      expect(keys.map((key) => layers.isFlying(key))).toEqual(keys.map(() => false));
      expect(layers.unsavedKeys()).toEqual(['a', 'b']);
      layers.settle(flightOf(layers), 6, new Set([0, 1]));
      expect(['a', 'b'].map((key) => layers.view.get(key))).toEqual([1, 2].map(() => ({ value: 1, version: 5, overlay: undefined })));
    });

    it('has a clear first, and of what came before it nothing', () => {
      const layers = layersOf({ old: 1 });
      set(layers, 'a', 1);
      layers.clear(undefined);
      set(layers, 'b', 1);
      expect(flightOf(layers).mutations).toEqual([{ type: 'clear' }, { type: 'set', key: 'b', json: '1' }]);
    });
  });

  describe('what storage refuses', () => {
    it('goes, and what storage holds shows again', () => {
      const layers = layersOf({ a: 1, b: 1 });
      set(layers, 'a', 2);
      remove(layers, 'b');
      set(layers, 'c', 2);
      const { differences } = layers.settle(flightOf(layers), 1, new Set([0, 1, 2]));
      expect(valuesOf(layers)).toEqual({ a: 1, b: 1, c: undefined });
      expect(differences).toEqual([
        { key: 'a', before: 2, after: 1 },
        { key: 'b', before: undefined, after: 1 },
        { key: 'c', before: 2, after: undefined },
      ]);
    });

    it('is one of a thousand: the others are saved', () => {
      const layers = layersOf({});
      for (let index = 0; index < 1_000; index++) set(layers, `k${index}`, index);
      const { differences } = layers.settle(flightOf(layers), 1, new Set([500]));
      expect(differences).toEqual([{ key: 'k500', before: 500, after: undefined }]);
      expect(layers.view.size).toBe(999);
      expect(layers.unsavedCount).toBe(0);
    });

    it('does not show where a newer mutation of the key is pending, and comes to light if that one is refused too', () => {
      const layers = layersOf({ a: 1 });
      set(layers, 'a', 2);
      const first = flightOf(layers);
      set(layers, 'a', 3);
      expect(layers.settle(first, 1, new Set([0])).differences).toEqual([]);
      expect(valuesOf(layers)).toEqual({ a: 3 });
      expect(layers.settle(flightOf(layers), 2, new Set([0])).differences).toEqual([{ key: 'a', before: 3, after: 1 }]);
    });

    it('shows what was saved between, not what was there first', () => {
      const layers = layersOf({ a: 1 });
      set(layers, 'a', 2);
      const first = flightOf(layers);
      set(layers, 'a', 3);
      layers.settle(first, 7, new Set());
      layers.settle(flightOf(layers), 8, new Set([0]));
      expect(layers.view.get('a')).toEqual({ value: 2, version: 7, overlay: undefined });
    });

    it('leaves a quarantined entry quarantined', () => {
      const layers = layersOf({}, ['bad']);
      remove(layers, 'bad');
      expect(layers.quarantined.size).toBe(0);
      expect(layers.settle(flightOf(layers), 1, new Set([0])).differences).toEqual([]);
      expect([...layers.quarantined.keys()]).toEqual(['bad']);
    });

    it('is no difference where storage holds the same', () => {
      const layers = layersOf({ a: 1 });
      set(layers, 'a', 1);
      expect(layers.settle(flightOf(layers), 1, new Set([0])).differences).toEqual([]);
    });
  });

  describe('a clear', () => {
    it('hands over what was there, and does not copy it', () => {
      const layers = layersOf({ a: 1 });
      const { view } = layers;
      expect(layers.clear(undefined)).toBe(view);
      expect(layers.view.size).toBe(0);
    });

    it('is none of what is empty, but is one of what nobody can read', () => {
      expect(layersOf({}).clear(undefined)).toBeUndefined();
      expect(layersOf({}, ['bad']).clear(undefined)).toEqual(new Map());
    });

    it('leaves as unsaved what storage holds, and not what never came there', () => {
      const layers = layersOf({ stored: 1, changed: 1 }, ['bad']);
      set(layers, 'flying', 1);
      const flight = flightOf(layers);
      set(layers, 'changed', 2);
      set(layers, 'new', 1);
      set(layers, 'gone', 1);
      remove(layers, 'gone');
      layers.clear(undefined);
      expect(layers.unsavedKeys().sort()).toEqual(['bad', 'changed', 'flying', 'stored']);
      layers.settle(flight, 1, new Set());
      expect(layers.unsavedKeys().sort()).toEqual(['bad', 'changed', 'flying', 'stored']);
    });

    it('leaves as unsaved also what others stored meanwhile, which it will remove', () => {
      const layers = layersOf({ a: 1 });
      layers.seq++;
      layers.clear(undefined);
      layers.rebase(loaded({ b: 1 }), new Map(), 0, JSON.stringify);
      expect(layers.view.size).toBe(0);
      expect(layers.unsavedKeys()).toEqual(['b']);
    });
  });

  describe('a transaction', () => {
    it('that is rolled back leaves everything as it was: values, quarantine, what is pending, and the count of changes', () => {
      const group = new TransactionGroup(1);
      const layers = layersOf({ a: 1, b: 1 }, ['bad']);
      set(layers, 'a', 2);
      const before = stateOf(layers);
      const savepoint = layers.begin();
      set(layers, 'a', 3, group);
      remove(layers, 'b', group);
      set(layers, 'bad', 3, group);
      layers.seq++;
      layers.clear(group);
      set(layers, 'c', 3, group);
      layers.rollback(savepoint);
      expect(stateOf(layers)).toEqual(before);
      expect(flightOf(layers).mutations).toEqual([{ type: 'set', key: 'a', json: '2' }]);
    });

    it('that cleared and is rolled back leaves pending what was', () => {
      const layers = layersOf({});
      set(layers, 'a', 1);
      const before = stateOf(layers);
      const savepoint = layers.begin();
      layers.clear(undefined);
      layers.rollback(savepoint);
      expect(stateOf(layers)).toEqual(before);
    });

    it('within another is undone alone', () => {
      const group = new TransactionGroup(1);
      const layers = layersOf({});
      const outer = layers.begin();
      set(layers, 'a', 1, group);
      const inner = layers.begin();
      set(layers, 'a', 2, group);
      set(layers, 'b', 2, group);
      layers.rollback(inner);
      set(layers, 'c', 3, group);
      layers.commit(outer);
      expect(valuesOf(layers)).toEqual({ a: 1, c: 3 });
    });

    it('within another is undone with it, though it was committed', () => {
      const group = new TransactionGroup(1);
      const layers = layersOf({ a: 0 });
      const outer = layers.begin();
      const inner = layers.begin();
      set(layers, 'a', 1, group);
      layers.commit(inner);
      layers.rollback(outer);
      expect(valuesOf(layers)).toEqual({ a: 0 });
      expect(layers.unsavedCount).toBe(0);
    });

    it('has one number in its batch, and the next one has another', () => {
      const layers = layersOf({});
      const [first, second] = [new TransactionGroup(1), new TransactionGroup(2)];
      for (const key of ['a', 'b']) set(layers, key, 1, first);
      for (const key of ['c', 'd']) set(layers, key, 1, second);
      set(layers, 'alone', 1);
      expect(numbersOf(layers)).toEqual([1, 1, 2, 2, undefined]);
    });

    it('becomes one with an earlier one that changed the same key and is still pending', () => {
      const layers = layersOf({});
      const [first, second] = [new TransactionGroup(1), new TransactionGroup(2)];
      for (const key of ['a', 'b']) set(layers, key, 1, first);
      for (const key of ['b', 'c']) set(layers, key, 1, second);
      expect(new Set(numbersOf(layers)).size).toBe(1);
    });

    it('does not become one with an earlier one that is under way', () => {
      const layers = layersOf({});
      const [first, second] = [new TransactionGroup(1), new TransactionGroup(2)];
      for (const key of ['a', 'b']) set(layers, key, 1, first);
      const flight = flightOf(layers);
      for (const key of ['b', 'c']) set(layers, key, 1, second);
      layers.settle(flight, 1, new Set());
      expect(numbersOf(layers)).toEqual([2, 2]);
    });

    it('that is rolled back does not tie together two others whose keys it touched', () => {
      const layers = layersOf({});
      set(layers, 'a', 1, new TransactionGroup(1));
      set(layers, 'b', 1, new TransactionGroup(2));
      const undone = new TransactionGroup(3);
      const savepoint = layers.begin();
      for (const key of ['a', 'b']) set(layers, key, 2, undone);
      layers.rollback(savepoint);
      expect(numbersOf(layers)).toEqual([1, 2]);
    });

    it('may be one of very many that change the same key while nothing can be saved', () => {
      const layers = layersOf({});
      for (let number = 1; number <= 20_000; number++) {
        const group = new TransactionGroup(number);
        set(layers, 'count', number, group);
        set(layers, `key ${number % 10}`, number, group);
      }
      expect(new Set(numbersOf(layers)).size).toBe(1);
    });
  });

  describe('storage read anew', () => {
    it('shows through where nothing is unsaved, and its differences are told', () => {
      const layers = layersOf({ same: 1, other: 1, gone: 1, mine: 1 });
      set(layers, 'mine', 2);
      const differences = layers.rebase(loaded({ same: 1, other: 2, new: 3, mine: 9 }), new Map(), 0, JSON.stringify);
      expect(valuesOf(layers)).toEqual({ same: 1, other: 2, gone: undefined, new: 3, mine: 2 });
      expect(differences).toEqual([
        { key: 'gone', before: 1, after: undefined },
        { key: 'other', before: 1, after: 2 },
        { key: 'new', before: undefined, after: 3 },
      ]);
    });

    it('shows below what is unsaved once that is refused', () => {
      const layers = layersOf({ a: 1 });
      set(layers, 'a', 2);
      layers.rebase(loaded({ a: 9 }), new Map(), 0, JSON.stringify);
      layers.settle(flightOf(layers), 1, new Set([0]));
      expect(valuesOf(layers)).toEqual({ a: 9 });
    });

    it('shows below what is under way and what lies over that, once both are refused', () => {
      const layers = layersOf({ a: 1 });
      set(layers, 'a', 2);
      const first = flightOf(layers);
      set(layers, 'a', 3);
      layers.rebase(loaded({ a: 9 }), new Map(), 0, JSON.stringify);
      layers.settle(first, 1, new Set([0]));
      layers.settle(flightOf(layers), 1, new Set([0]));
      expect(valuesOf(layers)).toEqual({ a: 9 });
    });

    it('keeps the objects whose text is the same', () => {
      const layers = new Layers<object>();
      const value = { deep: [1] };
      layers.view.set('a', { value, version: 1, overlay: undefined });
      layers.rebase(new Map([['a', { value: { deep: [1] }, version: 5, json: '{"deep":[1]}' }]]), new Map(), 0, JSON.stringify);
      expect(layers.view.get('a')?.value).toBe(value);
      expect(layers.view.get('a')?.version).toBe(5);
    });

    it('takes back what was pending up to a moment, and keeps what came after', () => {
      const layers = layersOf({ a: 1, b: 1 });
      set(layers, 'a', 2);
      remove(layers, 'b');
      set(layers, 'c', 2);
      const { revision } = layers;
      set(layers, 'c', 3);
      set(layers, 'd', 3);
      const differences = layers.rebase(loaded({ a: 1, b: 1 }), new Map(), revision, JSON.stringify);
      expect(valuesOf(layers)).toEqual({ a: 1, b: 1, c: 3, d: 3 });
      expect(differences).toEqual([
        { key: 'a', before: 2, after: 1 },
        { key: 'b', before: undefined, after: 1 },
      ]);
      expect(layers.unsavedKeys()).toEqual(['c', 'd']);
      expect(layers.unsavedBytes).toBe('c3d3'.length);
    });

    it('takes back a clear', () => {
      const layers = layersOf({ a: 1 }, ['bad']);
      layers.seq++;
      layers.clear(undefined);
      layers.rebase(loaded({ a: 1 }), new Map([['bad', quarantined('bad')]]), layers.revision, JSON.stringify);
      expect(valuesOf(layers)).toEqual({ a: 1 });
      expect([...layers.quarantined.keys()]).toEqual(['bad']);
      expect(layers.unsavedCount).toBe(0);
    });
  });
});

function layersOf(stored: Readonly<Record<string, number>>, bad: readonly string[] = []): Layers<number> {
  const layers = new Layers<number>();
  for (const [key, value] of Object.entries(stored)) layers.view.set(key, { value, version: 1, overlay: undefined });
  for (const key of bad) layers.quarantined.set(key, quarantined(key));
  return layers;
}

function set(layers: Layers<number>, key: string, value: number, group?: TransactionGroup): void {
  layers.seq++;
  layers.setAt(key, layers.view.get(key), value, String(value), group, Infinity);
}

function remove(layers: Layers<number>, key: string, group?: TransactionGroup): void {
  layers.seq++;
  layers.delete(key, group);
}

function flightOf(layers: Layers<number>): Flight<number> {
  const flight = layers.takeFlight();
  if (flight === undefined) throw new Error('Nothing is pending.');
  return flight;
}

function numbersOf(layers: Layers<number>): (number | undefined)[] {
  return flightOf(layers).mutations.map((mutation) => ('transaction' in mutation ? mutation.transaction : undefined));
}

function valuesOf(layers: Layers<number>): Readonly<Record<string, number>> {
  return Object.fromEntries([...layers.view].map(([key, { value }]) => [key, value]));
}

function stateOf(layers: Layers<number>): unknown {
  const { seq, unsavedCount, unsavedBytes, quarantined } = layers;
  const pending = Array.from({ length: layers.pendingCount }, (_, index) => ({ ...layers.pendingAt(index) }));
  return { values: valuesOf(layers), quarantined: [...quarantined.keys()], seq, unsavedCount, unsavedBytes, unsavedKeys: layers.unsavedKeys(), pending };
}

function loaded(entries: Readonly<Record<string, number>>): ReadonlyMap<string, LoadedEntry<number>> {
  return new Map(Object.entries(entries).map(([key, value]) => [key, { value, version: 2, json: String(value) }]));
}

function quarantined(key: string): Quarantined {
  return { key, json: 'bad', error: new CorruptDataError('bad') };
}

function take(step: Step, model: LayersModel): void {
  switch (step.type) {
    case 'set':
      { model.set(step.key); return; }
    case 'setSame':
      { model.setSame(step.key); return; }
    case 'delete': {
      const [answered, due] = model.delete(step.key);
      expect(answered).toBe(due);
      return;
    }
    case 'clear': {
      const [before, due] = model.clear();
      expect(before).toEqual(due);
      return;
    }
    case 'begin':
      { model.begin(); return; }
    case 'commit':
      { model.commit(); return; }
    case 'rollback':
      { model.rollback(); return; }
    case 'take':
    case 'sink':
    case 'settle':
    case 'rebase':
      if (!model.isInTransaction) takeOutside(step, model);
  }
}

function takeOutside(step: Step, model: LayersModel): void {
  if (step.type === 'take' && !model.isFlying) {
    const { pending, seq } = model.expected;
    const { flight, stored, seen } = model.takeFlight();
    expect(stored).toEqual(seen);
    if (flight === undefined) { expect(pending).toEqual([]); return; }
    expect(flight.seq).toBe(seq);
    if (flight.cleared !== undefined) expect(flight.mutations[0]?.type).toBe('clear');
    const mutations = flight.mutations.map((mutation) => ({ key: undefined, json: undefined, transaction: undefined, ...mutation })).sort(byKeyOrder);
    expect(mutations.map(({ type, key, json }) => ({ type, key, json }))).toEqual(pending.map(({ type, key, json }) => ({ type, key, json })));
    expect(partition(mutations.map(({ transaction }) => transaction))).toEqual(partition(pending.map(({ group }) => group)));
  }
  if (step.type === 'sink') model.sink(step.count);
  if (step.type === 'settle') {
    const [told, due] = model.settle((index) => !model.isSinking && (step.refused[index] ?? false));
    expect(told).toEqual(due);
  }
  if (step.type === 'rebase' && !model.isSinking) {
    // Nothing is discarded while a batch is under way: the saver settles it before.
    const discardRevision = step.discard === undefined || model.isFlying ? 0 : model.revision - step.discard;
    const [told, due] = model.rebase(step.set, step.deleted, step.bad, discardRevision);
    expect(told).toEqual(due);
  }
}

/** The same with each group named by the first place that is in it. */
function partition(groups: readonly (number | undefined)[]): (number | undefined)[] {
  return groups.map((group) => (group === undefined ? undefined : groups.indexOf(group)));
}

function agree(layers: Layers<Value>, model: LayersModel): void {
  const { view, quarantined, pending, pendingBytes, flying, flyingBytes, differing, unsettled, seq } = model.expected;
  expect(new Map([...layers.view].map(([key, { value }]) => [key, JSON.stringify(value)]))).toEqual(view);
  expect(new Map([...layers.quarantined].map(([key, { json }]) => [key, json]))).toEqual(quarantined);
  expect(layers.seq).toBe(seq);
  expect(layers.pendingCount).toBe(pending.length);
  expect(layers.unsavedCount).toBe(pending.length + flying.length);
  expect(layers.unsavedBytes).toBe(pendingBytes + flyingBytes);
  const listed = pending.map((_, index) => ({ key: undefined, ...layers.pendingAt(index) }));
  expect(listed.map(({ key }) => key).sort()).toEqual(pending.map(({ key }) => key).sort());
  expect(layers.pendingAt(pending.length)).toBeUndefined();
  for (const key of KEYS) expect(layers.isPending(key)).toBe(pending.some((each) => each.key === key));
  expect(layers.unsavedKeys()).toEqual(expect.arrayContaining([...differing]));
  expect(layers.unsavedKeys().filter((key) => !unsettled.has(key))).toEqual([]);
  for (const [key, version] of model.versions) expect(layers.view.get(key)?.version).toBe(version);
}
