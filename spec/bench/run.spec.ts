import { describe, expect, it } from 'vitest';

import type { Machine } from './machine.ts';
import type { Result } from './result.ts';
import { mendedBy, type Run } from './run.ts';

const machine = (commit: string): Machine => ({ date: '2026-01-01', cpu: 'one', cores: 2, memoryGiB: 8, platform: 'linux x64', node: 'v24.0.0', versions: {}, commit, load: 0 });
const result = (row: string, judged: number): Result => ({ row, group: 'a group', line: { title: row, unit: 'ms' }, ours: { median: judged, quartiles: [judged, judged], count: 1 }, limit: undefined, ratio: undefined, judged, verdict: 'no budget', waited: 0 });
const run = (commit: string, results: readonly Result[], others: Partial<Run> = {}): Run => ({ machine: machine(commit), extent: 'full', rows: [], results, failed: [], later: [], ...others });

describe('a run, some of whose rows are measured anew', () => {
  const earlier = run('old', [result('a', 1), result('b', 1), result('b', 2), result('c', 1)], { failed: ['d'] });

  it('has them in their place, the others as they were, and says which and where', () => {
    const mended = mendedBy(earlier, run('new', [result('b', 8), result('b', 9)], { rows: ['b'] }));
    expect(mended.results.map(({ row, judged }) => [row, judged])).toEqual([['a', 1], ['b', 8], ['b', 9], ['c', 1]]); // prettier-ignore
    expect(mended.machine.commit).toBe('old');
    expect(mended.later).toEqual([{ rows: ['b'], machine: machine('new') }]);
  });

  it('has what failed before and was had now, and lacks what fails now', () => {
    const mended = mendedBy(earlier, run('new', [result('d', 5)], { rows: ['a', 'd'], failed: ['a'] }));
    expect(mended.results.map(({ row }) => row)).toEqual(['d', 'b', 'b', 'c']);
    expect(mended.failed).toEqual(['a']);
  });
});
