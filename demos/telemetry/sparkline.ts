import type { Scale } from './metrics.ts';

const bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** Bars for `values`, as wide as there are values; a space where there is none. */
export function sparkline(values: readonly (number | undefined)[], scale: Scale): string {
  const known = values.filter((value) => value !== undefined);
  const [low, high] = boundsOf(known, scale);
  return values.map((value) => (value === undefined ? ' ' : barOf((value - low) / (high - low)))).join('');
}

export function boundsOf(values: readonly number[], scale: Scale): readonly [low: number, high: number] {
  switch (scale) {
    case 'percent':
      return [0, 100];
    case 'from zero':
      return [0, Math.max(...values, 0)];
    case 'its own range':
      return [Math.min(...values), Math.max(...values)];
  }
}

/** Where all values are alike, there is no range, and the part is not a number: the lowest bar. */
function barOf(part: number): string {
  const index = Number.isFinite(part) ? Math.round(part * (bars.length - 1)) : 0;
  return bars[Math.min(bars.length - 1, Math.max(0, index))] ?? '';
}

/**
 * The means of the last `width` groups of numbered values. Groups stand on fixed places in the numbering, so that a mean, once
 * its group is full, never changes: the line moves on calmly instead of trembling.
 */
export function condense(values: readonly (readonly [sequence: number, value: number])[], capacity: number, width: number): (number | undefined)[] {
  const groupSize = Math.max(1, Math.ceil(capacity / width));
  const groups = new Map<number, number[]>();
  for (const [sequence, value] of values) {
    const group = Math.floor(sequence / groupSize);
    groups.set(group, [...(groups.get(group) ?? []), value]);
  }
  const last = Math.max(...groups.keys(), 0);
  return Array.from({ length: width }, (_, index) => {
    const group = groups.get(last - width + 1 + index);
    return group === undefined ? undefined : group.reduce((sum, value) => sum + value, 0) / group.length;
  });
}
