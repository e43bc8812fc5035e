import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ChangeLog, type Logged } from '../../lib/server/change-log.ts';

const change = fc.oneof(
  { weight: 20, arbitrary: fc.record({ type: fc.constantFrom('set', 'delete', 'expire'), key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g') }) },
  { weight: 1, arbitrary: fc.constant('clear' as const) },
);

/** The latest of each key behind `seq`, of all rows since the last clear. */
function modelAfter(rows: readonly Logged[], seq: number): readonly Logged[] {
  return rows.filter((row) => row.seq > seq && !rows.some((other) => other.key === row.key && other.seq > row.seq));
}

function toldOf(log: ChangeLog, seq: number): readonly Logged[] {
  return Array.from(log.after(seq), ({ seq, key, type }) => ({ seq, key, type }));
}

describe('the log of changes', () => {
  it('tells from any place what changed behind it, each key once and in order, unless it says that it does not go back so far', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 400 }), fc.integer({ min: 1, max: 8 }), (changes, bound) => {
        const log = new ChangeLog(bound);
        let rows: Logged[] = [];
        for (const each of changes) {
          if (each === 'clear') {
            log.clear();
            rows = [];
            expect(log.clearedAt).toBe(log.head);
            continue;
          }
          log.add(each.type, each.key);
          rows.push({ seq: log.head, ...each });
          for (const since of [0, log.clearedAt, log.floor, log.head - 3, log.head]) {
            if (since >= log.floor) expect(toldOf(log, since)).toEqual(modelAfter(rows, since));
          }
          expect(modelAfter(rows, log.floor).length).toBe(Math.min(bound, modelAfter(rows, 0).length));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is no longer than the keys are many, however often they change', () => {
    const log = new ChangeLog(10);
    for (let count = 0; count < 100_000; count++) log.add('set', `key ${count % 3}`);
    expect([...log.after(0)].map(({ seq }) => seq)).toEqual([99_998, 99_999, 100_000]);
    expect(log.floor).toBe(0);
  });

  it('tells all that changed behind each place that is held, and forgets it when that is let go of', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof({ weight: 8, arbitrary: change }, { weight: 1, arbitrary: fc.constantFrom('hold' as const, 'let go' as const) }), { maxLength: 400 }), fc.integer({ min: 1, max: 8 }), fc.boolean(), (steps, bound, isAllThere) => {
        const log = new ChangeLog(bound);
        const held: { readonly seq: number; readonly letGo: () => void }[] = [];
        let rows: Logged[] = [];
        for (const step of steps) {
          if (step === 'hold') held.push({ seq: log.head, letGo: log.hold() });
          else if (step === 'let go') held.splice(held.length >> 1, 1)[0]?.letGo();
          else if (step === 'clear') {
            log.clear();
            rows = [];
          } else {
            const type = isAllThere ? 'set' : step.type;
            log.add(type, step.key);
            rows.push({ seq: log.head, type, key: step.key });
          }
          for (const { seq } of held) {
            if (isAllThere) expect(log.floor).toBeLessThanOrEqual(seq);
            if (seq >= log.floor) expect(toldOf(log, seq)).toEqual(modelAfter(rows, seq));
          }
        }
        for (const { letGo } of held) letGo();
        log.forget(Infinity);
        expect(toldOf(log, log.floor)).toEqual(modelAfter(rows, log.floor));
        expect(modelAfter(rows, log.floor).length).toBe(Math.min(bound, modelAfter(rows, 0).length));
      }),
      { numRuns: 100 },
    );
  });

  it('holds of keys that come and go no more than are there, and the bound', () => {
    const log = new ChangeLog(10);
    log.hold();
    for (let count = 0; count < 50; count++) log.add('set', `stays ${count}`);
    for (let count = 0; count < 10_000; count++) {
      log.add('set', `comes ${count}`);
      log.add('delete', `comes ${count}`);
    }
    expect([...log.after(log.floor)].length).toBeLessThan(50 + 50 + 10 + 2);
  });

  it('forgets no more at a time than it is told to', () => {
    const log = new ChangeLog(10);
    const letGo = log.hold();
    for (let count = 0; count < 100; count++) log.add('set', `key ${count}`);
    expect(log.forget(20)).toBe(false);
    letGo();
    expect(log.forget(20)).toBe(true);
    expect(log.floor).toBe(20);
    while (log.forget(20));
    expect(log.floor).toBe(90);
  });
});
