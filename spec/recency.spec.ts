import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Recency } from '../lib/recency.ts';

/** What a recency is about: keys in memory, some of which have to stay. */
class Memory {
  now = 0;
  readonly keys = new Set<string>();
  readonly busy = new Set<string>();
  readonly recency: Recency;

  constructor(keepMs: number, maxKeys: number) {
    this.recency = new Recency({
      keepMs,
      maxKeys,
      now: () => this.now,
      has: (key) => this.keys.has(key),
      count: () => this.keys.size,
      evict: (key) => {
        if (this.busy.has(key)) return false;
        this.keys.delete(key);
        return true;
      },
    });
  }

  use(key: string): void {
    this.keys.add(key);
    this.recency.use(key);
  }

  remove(key: string): void {
    this.keys.delete(key);
    this.recency.forget(key);
  }

  pass(ms: number): void {
    this.now += ms;
    for (let at = this.recency.nextAt(); at !== undefined && at <= this.now; at = this.recency.nextAt()) this.recency.step();
  }
}

/** The same, as simple as can be: all keys with when they were used, looked through each time. */
class Naive {
  #used: (readonly [key: string, at: number])[] = [];
  readonly #keepMs: number;
  readonly #maxKeys: number;
  #now = 0;

  constructor(keepMs: number, maxKeys: number) {
    this.#keepMs = keepMs;
    this.#maxKeys = maxKeys;
  }

  get keys(): string[] {
    return this.#used.map(([key]) => key);
  }

  use(key: string): void {
    this.remove(key);
    this.#used = [...this.#used, [key, this.#now] as const].slice(-this.#maxKeys);
  }

  remove(key: string): void {
    this.#used = this.#used.filter(([other]) => other !== key);
  }

  pass(ms: number): void {
    this.#now += ms;
    this.#used = this.#used.filter(([, at]) => at + this.#keepMs > this.#now);
  }
}

type Step = readonly ['use' | 'remove', string] | readonly ['pass', number];
const key = fc.integer({ min: 0, max: 9 }).map(String);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('use' as const), key) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('remove' as const), key) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('pass' as const), fc.integer({ min: 0, max: 8 })) },
);
const bounds = { keepMs: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(Infinity)), maxKeys: fc.integer({ min: 1, max: 8 }) };

function take(target: Memory | Naive, [name, argument]: Step): void {
  if (name === 'pass') target.pass(argument);
  else if (name === 'use') target.use(argument);
  else target.remove(argument);
}

describe('recency', () => {
  it('lets go exactly of what a naive one would, in the same order, where nothing has to stay', () => {
    fc.assert(
      fc.property(fc.record({ ...bounds, steps: fc.array(step, { maxLength: 60 }) }), ({ keepMs, maxKeys, steps }) => {
        const [memory, naive] = [new Memory(keepMs, maxKeys), new Naive(keepMs, maxKeys)];
        for (const one of steps) {
          take(memory, one);
          take(naive, one);
          expect([...memory.keys].sort()).toEqual(naive.keys.sort());
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('never lets go of what has to stay, and of too many or too old as soon as they need not', () => {
    const busyStep = fc.oneof(step, fc.oneof(fc.tuple(fc.constant('hold' as const), key), fc.tuple(fc.constant('release' as const), key)));
    fc.assert(
      fc.property(fc.record({ ...bounds, steps: fc.array(busyStep, { maxLength: 60 }) }), ({ keepMs, maxKeys, steps }) => {
        const memory = new Memory(keepMs, maxKeys);
        const used = new Map<string, number>();
        for (const one of steps) {
          const held = [...memory.busy].filter((other) => memory.keys.has(other));
          if (one[0] === 'hold') memory.busy.add(one[1]);
          else if (one[0] === 'release') {
            memory.busy.delete(one[1]);
            memory.recency.freed();
          } else take(memory, one);
          if (one[0] === 'use') used.set(one[1], memory.now);
          if (one[0] !== 'remove') for (const other of held) if (one[0] !== 'release' || one[1] !== other) expect(memory.keys).toContain(other);
          if (one[0] !== 'release') continue;
          const free = [...memory.keys].filter((other) => !memory.busy.has(other));
          if (memory.keys.size > maxKeys) expect(free).toEqual([]);
          for (const other of free) expect((used.get(other) ?? 0) + keepMs).toBeGreaterThan(memory.now);
        }
        memory.busy.clear();
        memory.recency.freed();
        expect(memory.keys.size).toBeLessThanOrEqual(maxKeys);
        memory.pass(keepMs === Infinity ? 0 : keepMs);
        if (keepMs < Infinity) expect([...memory.keys]).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('takes in what came without being used, and counts it as used now', () => {
    const memory = new Memory(10, 2);
    memory.keys.add('back');
    memory.recency.adopt(['back', 'gone']);
    expect(memory.recency.size).toBe(1);
    memory.pass(5);
    memory.recency.adopt(['back']); // it is known
    memory.pass(4);
    expect([...memory.keys]).toEqual(['back']);
    memory.pass(1);
    expect([...memory.keys]).toEqual([]);
  });

  it('does little for one use, however many have to stay', () => {
    const memory = new Memory(Infinity, 10);
    for (let index = 0; index < 5_000; index++) {
      memory.busy.add(`busy ${index}`);
      memory.use(`busy ${index}`);
    }
    let asked = 0;
    const add = memory.busy.has.bind(memory.busy);
    memory.busy.has = (other) => {
      asked++;
      return add(other);
    };
    for (let index = 0; index < 100; index++) memory.use(`free ${index}`);
    expect(asked).toBeLessThanOrEqual(400);
    expect(memory.keys.size).toBeLessThanOrEqual(5_010);
  });

  it('forgets keys that are gone without its being told, so that it does not grow', () => {
    const memory = new Memory(Infinity, 100);
    for (let index = 0; index < 20_000; index++) {
      memory.use(`k${index}`);
      memory.keys.clear();
    }
    expect(memory.recency.size).toBeLessThanOrEqual(1_100);
  });

  it('tells when the first is due, and that something is due sooner than nothing', () => {
    const memory = new Memory(10, 5);
    let sooner = 0;
    memory.recency.sooner$.subscribe(() => sooner++);
    expect(memory.recency.nextAt()).toBeUndefined();
    memory.use('a');
    memory.now = 3;
    memory.use('b');
    expect([memory.recency.nextAt(), sooner]).toEqual([10, 1]);
    memory.use('a');
    expect(memory.recency.nextAt()).toBe(13);
    expect(new Memory(Infinity, 5).recency.nextAt()).toBeUndefined();
  });
});
