import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { deadlineOf, slidTo, type Ending } from '../lib/deadline.ts';
import { DeadlineWheel } from '../lib/deadline-wheel.ts';

const DAY = 86_400_000;
const YEAR = 365 * DAY;
const START = Date.UTC(2026, 0, 1);

/** Something with a deadline, as the model sees it. */
interface Item extends Ending {
  readonly id: number;
}

/** What is known of an item, without any wheel. */
interface Known {
  readonly item: Item;
  deadline: number;
  state: 'listed' | 'counted' | 'left';
}

const distance = fc.oneof(
  fc.integer({ min: -2_000, max: 3_000 }),
  fc.integer({ min: 0, max: 200_000 }),
  fc.integer({ min: 0, max: 10 * DAY }),
  fc.constantFrom(1_023, 1_024, 65_535, 65_536, 64 ** 3 * 1_024, YEAR, 74 * YEAR),
);
const which = fc.nat({ max: 50 });

type Step =
  | { readonly type: 'list'; readonly distance: number; readonly count: number }
  | { readonly type: 'leave' | 'take' | 'restart'; readonly which: number }
  | { readonly type: 'move'; readonly which: number; readonly by: number; readonly isLazy: boolean }
  | { readonly type: 'undo'; readonly which: number; readonly by: number; readonly isGone: boolean; readonly isAsked: boolean; readonly passes: number }
  | { readonly type: 'clock'; readonly by: number }
  | { readonly type: 'work'; readonly limit: number }
  | { readonly type: 'count' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('list' as const), distance, count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom('leave' as const, 'take' as const, 'restart' as const), which }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('move' as const), which, by: fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: 9 * DAY })), isLazy: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('undo' as const), which, by: fc.integer({ min: 0, max: 9 * DAY }), isGone: fc.boolean(), isAsked: fc.boolean(), passes: fc.constantFrom(0, 0, 1, 2_000) }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('clock' as const), by: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 20 * 60_000 }), fc.constantFrom(DAY, 7 * DAY, 3 * YEAR)) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('clock' as const), by: fc.oneof(fc.integer({ min: -50, max: -1 }), fc.integer({ min: -120_000, max: -1 }), fc.constant(-7 * DAY)) }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('work' as const), limit: fc.integer({ min: 1, max: 7 }) }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('count' as const) }) },
);

/** The same without a wheel: a list that is looked through each time. What was counted stays so, be the clock set back. */
class Model {
  readonly wheel = new DeadlineWheel<Item>();
  readonly known: Known[] = [];
  now = START;

  take(each: Step): void {
    switch (each.type) {
      case 'list':
        for (let index = 0; index < each.count; index++) this.#list(Math.max(1, this.now + each.distance + index));
        return;
      case 'leave':
        this.#with(each.which, ({ state }) => state !== 'left', (known) => {
          this.wheel.leave(known.item);
          known.state = 'left';
        });
        return;
      case 'take':
        this.#takeEnded();
        return;
      case 'restart': // as an entry whose deadline moves forward: another one stands for it
        this.#with(each.which, ({ state }) => state !== 'left', (known) => {
          this.wheel.leave(known.item);
          known.state = 'left';
          this.#list(this.now + 10);
        });
        return;
      case 'move':
        this.#with(each.which, (known) => this.#isLive(known), (known) => {
          known.deadline += each.by;
          known.item.expiresAt = each.isLazy ? slidTo(known.deadline) : known.deadline;
        });
        return;
      case 'undo':
        this.#undo(each);
        return;
      case 'clock':
        this.now += each.by;
        return;
      case 'work':
        this.wheel.work(this.now, each.limit);
        for (const known of this.known) if (known.item.expiresAt < 0) known.state = 'counted';
        return;
      case 'count':
        this.count();
    }
  }

  /** Moves one, or removes it, and has it back as it was, as a transaction does that is rolled back. */
  #undo({ which, by, isGone, isAsked, passes }: Extract<Step, { type: 'undo' }>): void {
    this.#with(which, (known) => this.#isLive(known), (known) => {
      const { item } = known;
      const { expiresAt } = item;
      const { shifts } = this.wheel;
      item.expiresAt = known.deadline + by;
      known.deadline += by;
      if (isGone) {
        this.wheel.leave(item);
        known.state = 'left';
      }
      this.now += passes;
      if (isAsked) this.count();
      this.wheel.revive(item, expiresAt, this.now, shifts);
      known.deadline = deadlineOf({ expiresAt });
      known.state = 'listed';
    });
  }

  /** How many have ended, by the wheel and by the list. */
  count(): void {
    const counted = this.wheel.endedCount(this.now);
    for (const known of this.known) if (known.state === 'listed' && known.deadline <= this.now) known.state = 'counted';
    expect(counted).toBe(this.known.filter(({ state }) => state === 'counted').length);
  }

  /** Nothing comes too late: what is to come has a time that is not later than it. */
  checkNextAt(): void {
    const listed = this.known.filter(({ state }) => state !== 'left').map(({ deadline }) => deadline);
    const next = this.wheel.nextAt(this.now);
    if (listed.length > 0) expect(next ?? Infinity).toBeLessThanOrEqual(Math.max(this.now, Math.min(...listed)));
  }

  /** Works on until nothing is due, and takes what has ended. */
  finish(limit: number): void {
    for (let at = this.wheel.nextAt(this.now), turns = 0; at !== undefined && at <= this.now; at = this.wheel.nextAt(this.now)) {
      if (turns++ > 100_000) throw new Error('It never ends.');
      this.wheel.work(this.now, limit);
      this.#takeEnded();
    }
  }

  #list(deadline: number): void {
    const item = { id: this.known.length, expiresAt: deadline };
    this.known.push({ item, deadline, state: 'listed' });
    this.wheel.list(item, this.now);
  }

  #isLive({ deadline, state }: Known): boolean {
    return state === 'listed' && deadline > this.now;
  }

  #takeEnded(): void {
    const item = this.wheel.nextEnded();
    if (item === undefined) return;
    const known = this.known[item.id];
    expect(known?.item).toBe(item);
    expect(known?.state, 'ended twice, or after it left').not.toBe('left');
    this.wheel.leave(item);
    if (known !== undefined) known.state = 'left';
  }

  #with(which: number, isMeant: (known: Known) => boolean, step: (known: Known) => void): void {
    const meant = this.known.filter(isMeant);
    const known = meant[which % Math.max(1, meant.length)];
    if (known !== undefined) step(known);
  }
}

describe('DeadlineWheel', () => {
  it('counts at each step what a list that is looked through would, tells its next time never too late, and in the end has told each once', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), fc.integer({ min: 1, max: 20 }), (steps, limit) => {
        const model = new Model();
        for (const each of steps) {
          model.take(each);
          model.checkNextAt();
        }
        model.count();
        const last = Math.max(model.now, ...model.known.map(({ deadline }) => deadline));
        model.now = last;
        model.count();
        model.finish(limit);
        expect(model.known.filter(({ state }) => state !== 'left')).toEqual([]);
        model.now += 10 * DAY; // what was moved away and back may be listed there, too
        model.finish(limit);
        expect(model.wheel.isEmpty).toBe(true);
        expect(model.wheel.nextAt(model.now)).toBeUndefined();
      }),
      { numRuns: 1_500, seed: 7 },
    );
  });

  it('tells ends in the order of their deadlines, where it is worked on when it asks to be', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 300_000 }), fc.integer({ min: 1, max: 3 * DAY })), { minLength: 1, maxLength: 100 }), (distances) => {
        const wheel = wheelOf(distances.map((each) => START + each));
        const told: number[] = [];
        let now = START;
        for (let at = wheel.nextAt(now); at !== undefined; at = wheel.nextAt(now)) {
          now = Math.max(now, at);
          wheel.work(now, 1_000);
          told.push(...taken(wheel));
          expect(told.at(-1) ?? now).toBeLessThanOrEqual(now);
        }
        expect(told).toEqual(distances.map((each) => START + each).sort((left, right) => left - right));
      }),
      { numRuns: 200, seed: 3 },
    );
  });

  it.each([
    ['in the year 2000', Date.UTC(2000, 1, 29)],
    ['in the year 2100', Date.UTC(2100, 11, 31)],
    ['in the year 9999', Date.UTC(9999, 11, 31)],
    ['at the last millisecond of a date', 8.64e15],
    ['at the first millisecond', 1],
  ])('ends what is to end %s at its millisecond', (_, deadline) => {
    const start = Math.min(START, deadline - 1);
    const wheel = wheelOf([deadline], start);
    expect(wheel.endedCount(deadline - 1)).toBe(0);
    expect(wheel.nextAt(deadline - 1)).toBeLessThanOrEqual(deadline);
    expect(wheel.endedCount(deadline)).toBe(1);
    expect(taken(wheel)).toEqual([deadline]);
    expect(wheel.isEmpty).toBe(true);
  });

  it('has nothing to do, ever, once all have left', () => {
    const wheel = new DeadlineWheel<Item>();
    const items = Array.from({ length: 3_000 }, (_, id) => ({ id, expiresAt: START + 5 }));
    for (const item of items) wheel.list(item, START);
    for (const item of items) wheel.leave(item);
    expect(turnsUntilIdle(wheel, START + 10_000)).toBeLessThan(100);
    expect(wheel.nextAt(START + 10_000)).toBeUndefined();
  });

  it('has nothing to do once all have left that it was about to put in their places', () => {
    const wheel = new DeadlineWheel<Item>();
    const items = Array.from({ length: 3_000 }, (_, id) => ({ id, expiresAt: START + 100_000 + id }));
    for (const item of items) wheel.list(item, START);
    expect(wheel.nextAt(START + 99_000)).toBe(START + 99_000);
    for (const item of items) wheel.leave(item);
    expect(turnsUntilIdle(wheel, START + 99_000)).toBeLessThan(100);
  });

  it('looks at no more than its limit in one go', () => {
    const looked = { count: 0 };
    const wheel = new DeadlineWheel<Item>();
    for (let id = 0; id < 5_000; id++) wheel.list(watched({ id, expiresAt: START + 1_000 + (id % 3) * 30_000_000 }, looked), START);
    const now = START + YEAR;
    for (let turns = 0; (wheel.nextAt(now) ?? Infinity) <= now && turns < 5_000; turns++) {
      looked.count = 0;
      wheel.work(now, 7);
      expect(looked.count).toBeLessThanOrEqual(7);
      for (let item = wheel.nextEnded(); item !== undefined; item = wheel.nextEnded()) wheel.leave(item);
    }
    expect(wheel.isEmpty).toBe(true);
  });

  it('looks at nothing of what is far to say how many have ended, also when the clock was set back by days', () => {
    const looked = { count: 0 };
    const wheel = new DeadlineWheel<Item>();
    for (let id = 0; id < 5_000; id++) wheel.list(watched({ id, expiresAt: START + 30 * DAY + id * 60_000 }, looked), START);
    for (const now of [START, START + DAY, START + DAY - 5, START - 6 * DAY, START + DAY]) {
      looked.count = 0;
      expect(wheel.endedCount(now)).toBe(0);
      expect(looked.count).toBe(0);
    }
  });

  it('asks to be worked on in time when the clock was set back and something is listed then', () => {
    const wheel = wheelOf([START + 20 * DAY], START + 7 * DAY);
    expect(wheel.endedCount(START + 7 * DAY)).toBe(0);
    const item = { id: 1, expiresAt: START + 50 };
    wheel.list(item, START);
    settle(wheel, START);
    expect(wheel.nextAt(START)).toBeLessThanOrEqual(START + 50);
    expect(wheel.endedCount(START + 49)).toBe(0);
    expect(wheel.endedCount(START + 50)).toBe(1);
  });

  it('holds little of what has left, however often keys are deleted and set again', async () => {
    const wheel = new DeadlineWheel<Item>();
    const references: WeakRef<Item>[] = [];
    const keys: Item[] = [];
    for (let round = 0; round < 20_000; round++) {
      const before = keys[round % 10];
      if (before !== undefined) wheel.leave(before);
      const item = { id: round, expiresAt: START + 3_600_000 + (round % 1_000) * 1_000 };
      wheel.list(item, START);
      keys[round % 10] = item;
      references.push(new WeakRef(item));
    }
    expect(await alive(references)).toBeLessThan(300);
    expect(wheel.endedCount(START + YEAR)).toBe(10);
  });

  it('holds nothing more for what was moved or removed and is back as it was, however often', async () => {
    const wheel = new DeadlineWheel<Item>();
    const item = { id: 0, expiresAt: START + 3_600_000 };
    wheel.list(item, START);
    const bytes = await used();
    for (let round = 0; round < 300_000; round++) {
      const { shifts } = wheel;
      const { expiresAt } = item;
      if (round % 2 === 0) wheel.leave(item);
      else item.expiresAt += 1_000;
      wheel.revive(item, expiresAt, START, shifts);
    }
    expect((await used()) - bytes).toBeLessThan(500_000);
    expect(wheel.endedCount(START + 3_600_000)).toBe(1);
  });

  it('is put right by half a million that slide, and counts each when it ends at last', () => {
    const wheel = new DeadlineWheel<Item>();
    const items = Array.from({ length: 500_000 }, (_, id) => ({ id, expiresAt: START + 60_000 + (id % 1_000) }));
    for (const item of items) wheel.list(item, START);
    for (const item of items) item.expiresAt = slidTo(deadlineOf(item) + 60_000);
    expect(wheel.endedCount(START + 100_000)).toBe(0);
    expect(wheel.endedCount(START + 120_000)).toBe(500);
    expect(wheel.endedCount(START + 120_999)).toBe(500_000);
  });
});

function wheelOf(deadlines: readonly number[], now = START): DeadlineWheel<Item> {
  const wheel = new DeadlineWheel<Item>();
  for (const [id, expiresAt] of deadlines.entries()) wheel.list({ id, expiresAt }, now);
  return wheel;
}

function taken(wheel: DeadlineWheel<Item>): number[] {
  const deadlines: number[] = [];
  for (let item = wheel.nextEnded(); item !== undefined; item = wheel.nextEnded()) {
    deadlines.push(deadlineOf(item));
    wheel.leave(item);
  }
  return deadlines;
}

/** How often it wants to be worked on at `now`. */
function turnsUntilIdle(wheel: DeadlineWheel<Item>, now: number): number {
  let turns = 0;
  for (; (wheel.nextAt(now) ?? Infinity) <= now && turns < 1_000; turns++) {
    wheel.work(now, 1_000);
    taken(wheel);
  }
  return turns;
}

function settle(wheel: DeadlineWheel<Item>, now: number): void {
  expect(turnsUntilIdle(wheel, now)).toBeLessThan(1_000);
}

/** `item`, with a count of those that are looked at: each once, however often its deadline is read then. */
function watched(item: Item, looked: { count: number }): Item {
  let { expiresAt } = item;
  let lookedAt = -1;
  return {
    id: item.id,
    get expiresAt() {
      if (lookedAt !== looked.count) lookedAt = ++looked.count;
      return expiresAt;
    },
    set expiresAt(value) {
      expiresAt = value;
    },
  };
}

/** Collects garbage, which the runner's flags do not allow by themselves. */
async function collect(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve)); // a WeakRef holds until the end of the turn
    gc();
  }
}

async function alive(references: readonly WeakRef<Item>[]): Promise<number> {
  await collect();
  return references.filter((reference) => reference.deref() !== undefined).length;
}

async function used(): Promise<number> {
  await collect();
  return process.memoryUsage().heapUsed;
}
