import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { deadlineOf } from '../lib/deadline.ts';
import { Lifetimes, type Ttl } from '../lib/lifetimes.ts';
import { entryOf, isMortal, type Mortal } from '../lib/overlay.ts';

const START = Date.UTC(2026, 0, 1);
const clock = { now: START };

/** How long it takes from one read of a key to the next: from often to hardly ever. */
const pause = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 300 }), fc.integer({ min: 900, max: 1_100 }), fc.integer({ min: 0, max: 9_000 }));

describe('A deadline that slides', () => {
  it('is told to storage at most once per tenth of its time, whatever the pattern of reads, and lags by less than two tenths', () => {
    fc.assert(
      fc.property(fc.constantFrom(10, 1_000, 10_000, 12_345), fc.constantFrom(undefined, 10, 777, 10_000), fc.array(pause, { maxLength: 80, size: 'max' }), (ms, own, pauses) => {
        const lifetimes = lifetimesOf({ ms, mode: 'sliding' });
        const entry = listed(lifetimes, own);
        const ttlMs = own ?? ms;
        let told = deadlineOf(entry);
        for (const each of pauses) {
          clock.now += Math.min(each, deadlineOf(entry) - clock.now - 1); // it is read before it ends
          const before = deadlineOf(entry);
          const due = lifetimes.slide(entry);
          expect(deadlineOf(entry)).toBe(Math.max(before, Math.ceil(clock.now + ttlMs)));
          expect(deadlineOf(entry) - (due ?? told)).toBeLessThan((2 * ttlMs) / 10);
          if (due === undefined) continue;
          expect(due - told).toBeGreaterThanOrEqual(ttlMs / 10);
          expect(due).toBe(deadlineOf(entry));
          told = due;
        }
        expect(lifetimes.slid.includes(entry)).toBe(deadlineOf(entry) !== told);
      }),
      { numRuns: 1_000, seed: 5 },
    );
  });

  it('is never moved forward: not by a shorter time of its own, nor by a clock that is set back', () => {
    const lifetimes = lifetimesOf({ ms: 10_000, mode: 'sliding' });
    const entry = listed(lifetimes);
    lifetimes.giveOwnTtl(entry, 100);
    expect(lifetimes.slide(entry)).toBeUndefined();
    clock.now -= 7 * 86_400_000;
    lifetimes.giveOwnTtl(entry, undefined);
    expect(lifetimes.slide(entry)).toBeUndefined();
    expect(deadlineOf(entry)).toBe(START + 10_000);
  });

  it('slides by its own time, which it has until it is given another', () => {
    const lifetimes = lifetimesOf({ ms: 1_000, mode: 'sliding' });
    const entry = listed(lifetimes, 50_000);
    clock.now += 10_000;
    expect(lifetimes.slide(entry)).toBe(START + 60_000);
    expect(lifetimes.deadlineKept(entry)).toBe(START + 60_000);
    lifetimes.giveOwnTtl(entry, undefined);
    clock.now += 49_900;
    expect(lifetimes.slide(entry)).toBe(START + 60_900);
  });

  it('is told by what is written, and then lags no more', () => {
    const lifetimes = lifetimesOf({ ms: 10_000, mode: 'sliding' });
    const entry = listed(lifetimes);
    clock.now += 10;
    lifetimes.slide(entry);
    expect(lifetimes.slid).toEqual([entry]);
    lifetimes.told(entry);
    expect(lifetimes.slid).toEqual([]);
    expect(deadlineOf(entry)).toBe(START + 10_010);
  });

  it('is forgotten with its entry', () => {
    const lifetimes = lifetimesOf({ ms: 10_000, mode: 'sliding' });
    const entry = listed(lifetimes);
    clock.now += 10;
    lifetimes.slide(entry);
    lifetimes.leave(entry);
    expect(lifetimes.slid).toEqual([]);
  });

  it('beyond the year 2248 moves by tenths, and nothing is left to tell', () => {
    const ms = 300 * 365 * 86_400_000;
    const lifetimes = lifetimesOf({ ms, mode: 'sliding' });
    const entry = listed(lifetimes);
    clock.now += ms / 10 - 1;
    expect(lifetimes.slide(entry)).toBeUndefined();
    expect([deadlineOf(entry), lifetimes.slid]).toEqual([START + ms, []]);
    clock.now += 1;
    expect(lifetimes.slide(entry)).toBe(START + ms + ms / 10);
    expect(lifetimes.slid).toEqual([]);
  });

  it('is as it was when a change is taken back: deadline, own time and what storage was told', () => {
    const lifetimes = lifetimesOf({ ms: 10_000, mode: 'sliding' });
    const entry = listed(lifetimes, 20_000);
    for (const wasSlid of [false, true]) {
      if (wasSlid) {
        clock.now += 10;
        lifetimes.slide(entry);
      }
      const before = [deadlineOf(entry), [...lifetimes.slid], lifetimes.ownTtl(entry)];
      for (const change of [() => lifetimes.slide(entry), () => lifetimes.told(entry), () => lifetimes.leave(entry), () => lifetimes.giveOwnTtl(entry, 1)]) {
        const restore = lifetimes.restorer(entry);
        clock.now += 3;
        change();
        restore();
        expect([deadlineOf(entry), [...lifetimes.slid], lifetimes.ownTtl(entry)]).toEqual(before);
      }
    }
    clock.now = deadlineOf(entry) - 1;
    expect(lifetimes.endedCount).toBe(0);
    clock.now++;
    expect(lifetimes.endedCount).toBe(1);
    expect([lifetimes.nextEnded(), lifetimes.slid.length]).toEqual([entry, 1]);
  });
});

describe('An absolute deadline', () => {
  it('is kept by what is written anew and yet lives on, and takes no time of its own', () => {
    const lifetimes = lifetimesOf({ ms: 1_000, mode: 'absolute' });
    const entry = listed(lifetimes, 5_000);
    clock.now += 500;
    expect(lifetimes.deadlineKept(entry)).toBe(START + 5_000);
    expect(lifetimes.ownTtl(entry)).toBeUndefined();
    expect([lifetimes.deadline(), lifetimes.deadline(7), lifetimes.deadline(Infinity)]).toEqual([START + 1_500, START + 507, Infinity]);
  });
});

describe('Lifetimes', () => {
  it('tell that something is due sooner only if it is', () => {
    const lifetimes = lifetimesOf({ ms: 1_000, mode: 'absolute' });
    let told = 0;
    lifetimes.sooner$.subscribe(() => told++);
    listed(lifetimes, 100_000);
    expect(told).toBe(1);
    lifetimes.nextAt();
    listed(lifetimes, 200_000);
    expect(told).toBe(1);
    listed(lifetimes, 5);
    expect(told).toBe(2);
  });

  it('that were forgotten and are taken back in are as before', () => {
    const lifetimes = lifetimesOf({ ms: 1_000, mode: 'sliding' });
    const entry = listed(lifetimes);
    const restore = lifetimes.clear();
    listed(lifetimes, 500);
    clock.now += 600;
    expect(lifetimes.endedCount).toBe(1);
    restore();
    expect(lifetimes.endedCount).toBe(0);
    clock.now += 400;
    lifetimes.work(10);
    expect(lifetimes.nextEnded()).toBe(entry);
  });
});

function lifetimesOf(ttl: Ttl): Lifetimes<string> {
  clock.now = START;
  return new Lifetimes<string>(() => clock.now, ttl);
}

function listed(lifetimes: Lifetimes<string>, ownTtl?: number): Mortal<string> {
  const entry = entryOf('key', 'value', 1, undefined, lifetimes.deadline(ownTtl));
  if (!isMortal(entry)) throw new Error('It has no deadline.');
  lifetimes.list(entry);
  lifetimes.giveOwnTtl(entry, ownTtl);
  return entry;
}
