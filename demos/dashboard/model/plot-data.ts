import type uPlot from 'uplot';

import type { Sample } from '../../telemetry/history.ts';

/** What a chart shows, in seconds: what the history holds. */
export const spanSeconds = 60;
/** After so long without a sample nothing is known of the time between, in milliseconds: no line is drawn there. */
export const gapMs = 1_500;

/** The columns of a chart: times in seconds, then the values of each metric; where the server was away, nothing. */
export function plotData(samples: readonly Sample[], metrics: readonly string[]): uPlot.AlignedData {
  const rows = samples.flatMap((sample, index) => {
    const previous = samples[index - 1];
    const isAfterGap = previous !== undefined && sample.at - previous.at > gapMs;
    return isAfterGap ? [{ at: previous.at + 1, values: {} }, sample] : [sample];
  });
  const valuesOf = (metric: string): (number | null)[] => rows.map(({ values }: Pick<Sample, 'values'>) => values[metric] ?? null);
  return [rows.map(({ at }) => at / 1_000), ...metrics.map(valuesOf)];
}
