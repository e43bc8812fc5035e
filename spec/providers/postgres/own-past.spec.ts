import type { PersistifyError } from 'rx-persistify';
import { describe, expect, it } from 'vitest';

import { OwnPast } from '../../../lib/providers/postgres/own-past.ts';

describe('a loss', () => {
  it('is told once, by whoever finds it, and a later one again', () => {
    const told: PersistifyError[] = [];
    const past = new OwnPast('The dictionary', (error) => told.push(error));
    past.check(past.acknowledged, undefined);
    past.acknowledge(1, 10);
    past.acknowledge(2, 11);
    const asked = past.acknowledged;
    past.check(asked, 2);
    expect(told).toEqual([]);
    // A write and the feed had asked at the same time.
    past.check(asked, 1);
    past.check(asked, 1);
    past.check(past.acknowledged, undefined);
    expect(told).toMatchObject([{ code: 'DATA_LOST', version: 11 }]);
    past.acknowledge(3, 12);
    past.check(past.acknowledged, 3);
    past.check(past.acknowledged, undefined);
    expect(told).toMatchObject([{ version: 11 }, { code: 'DATA_LOST', version: 12 }]);
    expect(past.losses).toBe(2);
  });
});
