import type { Sample } from '../../telemetry/history.ts';
import { metricOf } from '../../telemetry/metrics.ts';
import { boundsOf } from '../../telemetry/sparkline.ts';
import { gapMs, spanSeconds } from './plot-data.ts';

/** What a metric went through in the last minute, by the samples that know it. */
export interface Trend {
  readonly least: number;
  readonly most: number;
  /** Its course as a path of SVG in a box of 100 by 20; where the server was away, nothing. */
  readonly path: string;
}

const [width, height] = [100, 20];
const margin = 1.5;

export function trendOf(metric: string, samples: readonly Sample[]): Trend | undefined {
  const from = (samples.at(-1)?.at ?? 0) - spanSeconds * 1_000;
  const points = samples.flatMap(({ at, values }) => {
    const value = values[metric];
    return value === undefined || at < from ? [] : [{ at, value }];
  });
  if (points.length === 0) return undefined;
  const values = points.map(({ value }) => value);
  const [low, high] = boundsOf(values, metricOf(metric).scale);
  const x = (at: number): number => ((at - from) / (spanSeconds * 1_000)) * width;
  const y = (value: number): number => height - margin - (high === low ? 0 : (value - low) / (high - low)) * (height - 2 * margin);
  const path = points.map(({ at, value }, index) => `${at - (points[index - 1]?.at ?? -Infinity) > gapMs ? 'M' : 'L'}${x(at).toFixed(1)},${y(value).toFixed(1)}`).join('');
  return { least: Math.min(...values), most: Math.max(...values), path };
}
