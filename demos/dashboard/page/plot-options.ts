import type uPlot from 'uplot';

import { formatValue, type Scale, type Unit } from '../../telemetry/metrics.ts';
import { timeOf } from '../../telemetry/view.ts';
import type { Line } from '../model/panels.ts';
import { spanSeconds } from '../model/plot-data.ts';

export interface Plot {
  readonly lines: readonly Line[];
  readonly unit: Unit;
  readonly scale: Scale;
  readonly width: number;
  readonly height: number;
  /** What a custom property stands for at this moment: light or dark. */
  readonly colourOf: (property: string) => string;
  /** Told the moment that is pointed at, in milliseconds. */
  readonly onPoint: (at: number | undefined) => void;
}

/** Charts with this key show the same moment. */
const cursorGroup = 'telemetry';
/** Steps of an axis of bytes, which people count in powers of 1,024. */
const byteSteps = Array.from({ length: 5 }, (_, power) => [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map((step) => step * 1_024 ** power)).flat();

export function plotOptions({ lines, unit, scale, width, height, colourOf, onPoint }: Plot): uPlot.Options {
  const isBytes = unit === 'bytes' || unit === 'bytesPerSecond';
  const axis: uPlot.Axis = {
    stroke: () => colourOf('--muted'),
    grid: { stroke: () => colourOf('--grid'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
    gap: 4,
  };
  return {
    width,
    height,
    legend: { show: false },
    padding: [6, 4, 0, 0],
    cursor: { sync: { key: cursorGroup, setSeries: false }, drag: { x: false, y: false, setScale: false }, points: { size: 5 }, y: false },
    scales: { x: { time: true, range: (_plot, _least, most) => [most - spanSeconds, most] }, y: { range: (_plot, least, most) => rangeOf(scale, least, most) } },
    axes: [
      { ...axis, size: 20, space: 76, values: timesOf },
      { ...axis, size: 62, space: 26, ...(isBytes ? { incrs: byteSteps } : {}), values: (_plot, ticks) => ticks.map((tick) => tickText(unit, tick)) },
    ],
    series: [{}, ...lines.map((line) => seriesOf(line, colourOf))],
    hooks: {
      setCursor: [
        ({ cursor: { idx }, data: [times] }) => {
          const time = typeof idx === 'number' ? times[idx] : undefined;
          onPoint(time === undefined ? undefined : Math.round(time * 1_000));
        },
      ],
    },
  };
}

function seriesOf({ label, colour, kind }: Line, colourOf: Plot['colourOf']): uPlot.Series {
  const stroke = (): string => colourOf(colour);
  return {
    label,
    stroke,
    width: kind === 'faint' ? 1 : 1.5,
    alpha: kind === 'faint' ? 0.45 : 1,
    points: { show: false },
    ...(kind === 'area' && { fill: () => `color-mix(in srgb, ${stroke()} 14%, transparent)` }),
  };
}

/** Where nothing is known yet there is a range all the same, or no axis would be drawn. */
function rangeOf(scale: Scale, least: number | null, most: number | null): [number, number] {
  const [low, high] = [least ?? 0, most ?? 0];
  switch (scale) {
    case 'percent':
      return [0, 100];
    case 'from zero':
      return [0, high > 0 ? high * 1.1 : 1];
    case 'its own range': {
      const margin = Math.max((high - low) * 0.15, high * 0.005, 1e-6);
      return [Math.max(0, low - margin), high + margin];
    }
  }
}

/** One too near to an end would be cut off there, or meet the other axis. */
function timesOf({ scales: { x } }: uPlot, ticks: readonly number[]): string[] {
  const [least, most] = [x?.min ?? 0, x?.max ?? 0];
  const margin = (most - least) * 0.08;
  return ticks.map((tick) => (tick - least < margin || most - tick < margin ? '' : timeOf(tick * 1_000)));
}

function tickText(unit: Unit, value: number): string {
  return unit === 'percent' ? `${value} %` : formatValue(unit, value).replace(/\.0+(?= |$)/, '');
}
