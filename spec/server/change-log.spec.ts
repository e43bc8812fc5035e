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
            if (since >= log.floor) expect([...log.after(since)]).toEqual(modelAfter(rows, since));
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
});
