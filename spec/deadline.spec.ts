import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { deadlineAfter, deadlineOf, hasEnded, inRange, isSlid, slidTo } from '../lib/deadline.ts';

/** The last millisecond of a `Date`, and the first that lies too far for a slide to be told apart. */
const [LATEST, FAR] = [8.64e15, 2 ** 43];

const near = fc.integer({ min: 1, max: FAR });
const any = fc.oneof(near, fc.integer({ min: FAR, max: LATEST }));

describe('A deadline in one number', () => {
  it('is the same, slid or not, counted or not, in any year', () => {
    fc.assert(
      fc.property(any, (deadline) => {
        for (const expiresAt of [deadline, slidTo(deadline), -deadline, -slidTo(deadline)]) expect(deadlineOf({ expiresAt })).toBe(deadline);
      }),
      { seed: 1 },
    );
  });

  it('tells a slide apart before the year 2248, counted or not, and beyond it is the same number', () => {
    fc.assert(
      fc.property(near, (deadline) => {
        expect([deadline, slidTo(deadline), -deadline, -slidTo(deadline)].map((expiresAt) => isSlid({ expiresAt }))).toEqual([false, true, false, true]);
      }),
      { seed: 2 },
    );
    for (const deadline of [FAR + 1, Date.UTC(9999, 11, 31), LATEST]) expect(slidTo(deadline)).toBe(deadline);
  });

  it('has not ended a millisecond before, and has at it and after, slid or not', () => {
    fc.assert(
      fc.property(any, (deadline) => {
        for (const expiresAt of [deadline, slidTo(deadline)]) expect([deadline - 1, deadline, deadline + 1].map((now) => hasEnded({ expiresAt }, now))).toEqual([false, true, true]);
      }),
      { seed: 3 },
    );
  });

  it('stays ended once it is counted or over and done with, be the clock set back; without one nothing ends', () => {
    expect([-5, NaN].map((expiresAt) => hasEnded({ expiresAt }, 1))).toEqual([true, true]);
    expect(hasEnded({}, LATEST)).toBe(false);
  });

  it('after a time to live is whole, never before its time, and none after an infinite one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LATEST }), fc.oneof(fc.integer({ min: 1, max: 2 ** 33 }), fc.double({ min: 1, max: 1e6, noNaN: true })), (now, ttlMs) => {
        const deadline = deadlineAfter(now, ttlMs);
        expect(Number.isInteger(deadline)).toBe(true);
        expect(deadline).toBe(Math.min(Math.ceil(now + ttlMs), LATEST));
      }),
      { seed: 4 },
    );
    expect(deadlineAfter(0, Infinity)).toBe(Infinity);
  });

  it('from storage is brought into what a date can tell', () => {
    expect([-5, 0, 0.5, 7.2, 1e300, Infinity].map(inRange)).toEqual([1, 1, 1, 8, LATEST, LATEST]);
  });
});
