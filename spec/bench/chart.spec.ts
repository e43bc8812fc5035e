import { describe, expect, it } from 'vitest';

import { chartOf } from './chart.ts';
import { resultsOf, type Result } from './result.ts';
import type { Budget } from './row.ts';

describe('the chart', () => {
  it('draws a bar for each budget, longer the more of it is taken, and says which are missed', () => {
    const chart = chartOf([...result('`set` & <get>', 1, { atMost: 2 }), ...result('missed', 6, { atMost: 2 }), ...result('without', 1)]);
    const bars = [...chart.matchAll(/<rect class="([\w-]+)" x="470" y="\d+" width="(\d+)"/g)].map(([, verdict, width]) => ({ verdict, width: Number(width) }));
    expect(bars.map(({ verdict }) => verdict)).toEqual(['met', 'not-met']);
    expect(bars[0]?.width).toBeLessThan(180); // where the budget is
    expect(bars[1]?.width).toBeGreaterThan(180);
    expect(chart).toContain('set &amp; &lt;get>');
  });

  it('has room for what is off its scale', () => {
    expect(chartOf(result('far off', 1_000, { atMost: 1 }))).toContain('width="360"');
  });
});

function result(title: string, figure: number, budget?: Budget): readonly Result[] {
  const line = { title, unit: 'ms', ...(budget === undefined ? {} : { budget }) } as const;
  return resultsOf({ name: title, group: 'group', lines: [line], rounds: { quick: 1, full: 1 }, prepare: () => ({ ours: () => 0 }) }, { ours: [[figure]], limit: [[]], waited: 0 });
}
