import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Layers } from '../lib/layers.ts';
import { Lifetimes } from '../lib/lifetimes.ts';
import { isMortal } from '../lib/overlay.ts';
import { DeadlinesModel } from './deadlines-model.ts';

const TTL_MS = 1_000;

const key = fc.constantFrom('a', 'b', 'c');
const keys = fc.uniqueArray(key, { maxLength: 2 });
const ttlMs = fc.constantFrom(100, TTL_MS, 5_000, Infinity);

type Step =
  | { readonly type: 'set'; readonly key: string; readonly ttlMs: number }
  | { readonly type: 'delete' | 'slide'; readonly key: string }
  | { readonly type: 'clear' | 'begin' | 'commit' | 'rollback' | 'size' }
  | { readonly type: 'pass' | 'lag'; readonly ms: number }
  | StepOutside;

/** What does not come within a transaction. */
type StepOutside =
  | { readonly type: 'take' | 'saveSlides' }
  | { readonly type: 'expire'; readonly limit: number }
  | { readonly type: 'sink'; readonly count: number }
  | { readonly type: 'settle'; readonly refused: readonly boolean[] }
  | { readonly type: 'rebase'; readonly set: readonly string[]; readonly deleted: readonly string[]; readonly touched: readonly string[]; readonly ttlMs: number; readonly isDiscarding: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('set' as const), key, ttlMs }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constantFrom('delete' as const, 'slide' as const, 'slide' as const), key }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('clear' as const) }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constantFrom('begin' as const, 'commit' as const, 'rollback' as const, 'size' as const) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('take' as const, 'take' as const, 'saveSlides' as const) }) },
  { weight: 7, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.constantFrom(1, 50, 99, 100, 500, 1_000, 5_000) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('expire' as const), limit: fc.constantFrom(1, 100) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('lag' as const), ms: fc.constantFrom(0, 2_000) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('sink' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('settle' as const), refused: fc.array(fc.boolean(), { maxLength: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('rebase' as const), set: keys, deleted: keys, touched: keys, ttlMs, isDiscarding: fc.boolean() }) },
);

describe('Layers with deadlines', () => {
  it('show at each step what replaying every call on what storage holds gives, and tell each change and each end once', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const { layers, model } = modelled();
        for (const each of steps) {
          take(each, model, layers);
          agree(layers, model);
        }
        finish(layers, model);
      }),
      { numRuns: 3_000, seed: 11 },
    );
  });

  it('never delete without a condition what ended and may be another’s by now', () => {
    const { layers, model } = modelled();
    model.set('a', 100);
    model.take();
    model.settle(() => false);
    model.pass(100);
    model.expire(1);
    model.rebase([], ['a'], [], 100, 0); // another process has ended it
    expect(layers.takeFlight()?.mutations).toEqual([{ type: 'expire', key: 'a', version: 0 }]);
  });

  it('have nothing over an entry any more when its touch is saved, where one after it was void as another process had written', () => {
    const { layers, model } = modelled();
    const touchIt = (): void => {
      const entry = layers.view.get('a');
      if (entry !== undefined && isMortal(entry)) layers.touch(entry);
    };
    layers.load('a', { value: 1, version: 1, expiresAt: model.now + TTL_MS });
    touchIt();
    const flight = layers.takeFlight();
    touchIt();
    layers.rebaseEntry('a', { value: 2, json: '2', version: 2, expiresAt: model.now + TTL_MS }, String, []);
    if (flight !== undefined) layers.settle(flight, 3, new Set());
    expect(layers.view.get('a')).toMatchObject({ value: 2, version: 2, overlay: undefined });
    layers.drop('a'); // as a cache does
    expect(layers.view.has('a')).toBe(false);
  });
});

function modelled(): { readonly layers: Layers<number>; readonly model: DeadlinesModel } {
  const clock = { now: (): number => 0 };
  const layers = new Layers(new Lifetimes<number>(() => clock.now(), { ms: TTL_MS, mode: 'sliding' }));
  const model = new DeadlinesModel(layers);
  clock.now = () => model.now;
  return { layers, model };
}

function take(step: Step, model: DeadlinesModel, layers: Layers<number>): void {
  switch (step.type) {
    case 'set':
      model.set(step.key, step.ttlMs);
      break;
    case 'delete':
      model.delete(step.key);
      break;
    case 'slide':
      model.slide(step.key);
      break;
    case 'clear':
      model.clear();
      break;
    case 'begin':
      model.begin();
      break;
    case 'commit':
    case 'rollback':
      model.end(step.type === 'rollback');
      break;
    case 'pass':
      model.pass(step.ms);
      break;
    case 'lag':
      model.lag = step.ms;
      break;
    case 'size':
      expect(layers.size).toBe(model.seen.size);
      break;
    case 'take':
    case 'saveSlides':
    case 'expire':
    case 'sink':
    case 'settle':
    case 'rebase':
      if (!model.isInTransaction) takeOutside(step, model);
  }
}

function takeOutside(step: StepOutside, model: DeadlinesModel): void {
  switch (step.type) {
    case 'take':
      if (!model.isFlying) model.take();
      break;
    case 'saveSlides':
      model.saveSlides();
      break;
    case 'expire':
      expect(model.expire(step.limit)).toEqual([]);
      break;
    case 'sink':
      model.sink(step.count);
      break;
    case 'settle':
      model.settle((index) => step.refused[index] ?? false);
      break;
    case 'rebase':
      // Nothing is discarded while a batch is under way: the saver settles it before.
      if (!model.isSinking) model.rebase(step.set, step.deleted, step.touched, step.ttlMs, step.isDiscarding && !model.isFlying ? model.revision : 0);
  }
}

function agree(layers: Layers<number>, model: DeadlinesModel): void {
  const { seen, told } = model;
  const visible = [...layers.view].filter(([, entry]) => layers.isVisible(entry));
  expect(new Map(visible.map(([each, { value }]) => [each, value]))).toEqual(new Map([...seen].map(([each, { value }]) => [each, value])));
  for (const [each, entry] of visible) {
    if (!model.isUncertain(entry.value)) expect([each, Math.ceil(entry.expiresAt ?? Infinity)]).toEqual([each, seen.get(each)?.deadline]);
    expect([each, told.get(each)]).toEqual([each, entry.value]);
  }
  for (const [each, value] of told) expect([each, layers.view.get(each)?.value]).toEqual([each, value]); // what has ended is still to be told
  expect(layers.size).toBe(seen.size);
}

/** All is saved at last, with clocks that agree: storage is what reads see. */
function finish(layers: Layers<number>, model: DeadlinesModel): void {
  while (model.isInTransaction) model.end(false);
  model.lag = 0;
  model.settle(() => false);
  model.expire(1_000);
  model.saveSlides();
  for (let turn = 0; turn < 3; turn++) {
    model.take();
    model.settle(() => false);
  }
  agree(layers, model);
  expect(layers.unsavedCount).toBe(0);
  const live = [...model.stored.values()].filter(({ expiresAt }) => (expiresAt ?? Infinity) > model.now);
  const visible = [...layers.view].filter(([, entry]) => layers.isVisible(entry));
  expect(new Map(live.map((entry) => [entry.key, Number(entry.json)]))).toEqual(new Map(visible.map(([each, { value }]) => [each, value])));
}
