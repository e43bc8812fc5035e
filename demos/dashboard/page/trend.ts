import type { Sample } from '../../telemetry/history.ts';
import { metricOf } from '../../telemetry/metrics.ts';
import { boundsOf } from '../../telemetry/sparkline.ts';

/** What a metric went through, in the samples that know it. */
export interface Trend {
  readonly least: number;
  readonly most: number;
  /** Its course as a path of SVG in a box of 100 by 20. */
  readonly path: string;
}

const [width, height] = [100, 20];
const margin = 1.5;

export function trendOf(metric: string, samples: readonly Sample[]): Trend | undefined {
  const points = samples.flatMap(({ sequence, values }) => {
    const value = values[metric];
    return value === undefined ? [] : [{ sequence, value }];
  });
  const [first, last] = [samples[0], samples.at(-1)];
  if (points.length === 0 || first === undefined || last === undefined) return undefined;
  const values = points.map(({ value }) => value);
  const [low, high] = boundsOf(values, metricOf(metric).scale);
  const x = (sequence: number): number => ((sequence - first.sequence) / Math.max(1, last.sequence - first.sequence)) * width;
  const y = (value: number): number => height - margin - (high === low ? 0 : (value - low) / (high - low)) * (height - 2 * margin);
  return { least: Math.min(...values), most: Math.max(...values), path: `M${points.map(({ sequence, value }) => `${x(sequence).toFixed(1)},${y(value).toFixed(1)}`).join('L')}` };
}
