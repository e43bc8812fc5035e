import { describe, expect, it } from 'vitest';

import { resultsOf } from './result.ts';
import type { Line, Row } from './row.ts';
import { pairedRatios, quantile, summaryOf } from './statistics.ts';

describe('a quantile', () => {
  it('is the value in the middle, or between the two that are', () => {
    expect(quantile([9, 1, 5], 0.5)).toBe(5);
    expect(quantile([4, 1, 2, 3], 0.5)).toBe(2.5);
  });

  it('of 0 and 1 is the least and the greatest, also where text would sort them otherwise', () => {
    expect(quantile([10, 9, 100], 0)).toBe(9);
    expect(quantile([10, 9, 100], 1)).toBe(100);
  });

  it('of nothing is no number', () => {
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe('a summary', () => {
  it('has the median and between what the middle half lies', () => {
    expect(summaryOf([1, 2, 3, 4, 5])).toEqual({ median: 3, quartiles: [2, 4], count: 5 });
  });
});

describe('ratios', () => {
  it('are of the rounds that belong together, so that a slow moment of the machine counts for neither', () => {
    expect(pairedRatios([2, 200, 2], [1, 100, 1])).toEqual([2, 2, 2]);
  });

  it('are not made of rounds without a partner', () => {
    expect(() => pairedRatios([1, 2], [1])).toThrow('2 rounds of one side and 1 of the other');
  });
});

describe('a budget', () => {
  it('is of the ratio where there is a limit', () => {
    expect(verdict({ budget: { atMost: 1.5 }, limit: 'bare' }, [3], [2])).toBe('met');
    expect(verdict({ budget: { atMost: 1.4 }, limit: 'bare' }, [3], [2])).toBe('not met');
    expect(verdict({ budget: { atLeast: 25 }, limit: 'one' }, [50], [2])).toBe('met');
    expect(verdict({ budget: { atLeast: 26 }, limit: 'one' }, [50], [2])).toBe('not met');
  });

  it('is of the figure where there is none, or where it is said', () => {
    expect(verdict({ budget: { atMost: 5 } }, [4], [])).toBe('met');
    expect(verdict({ budget: { atMost: 5 }, budgetOf: 'figure', limit: 'nothing saved' }, [6], [1])).toBe('not met');
  });

  it('can be of what is beyond the limit', () => {
    expect(verdict({ budget: { atMost: 80 }, budgetOf: 'excess', limit: 'a Map' }, [200], [120])).toBe('met');
    expect(verdict({ budget: { atMost: 79 }, budgetOf: 'excess', limit: 'a Map' }, [200], [120])).toBe('not met');
  });

  it('that was never measured is not met', () => {
    expect(verdict({ budget: { atMost: 5 } }, [], [])).toBe('not met');
  });

  it('need not be', () => {
    expect(verdict({}, [4], [])).toBe('no budget');
  });
});

function line(some: Partial<Line>): Line {
  return { title: 'something', unit: 'ms', ...some };
}

function verdict(some: Partial<Line>, ours: readonly number[], limit: readonly number[]): string | undefined {
  const row: Row = { name: 'row', group: 'group', lines: [line(some)], rounds: { quick: 1, full: 1 }, prepare: () => ({ ours: () => 0 }) };
  return resultsOf(row, { ours: [ours], limit: [limit], waited: 0 })[0]?.verdict;
}
