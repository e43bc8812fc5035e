import { isCore, metricOf, type Scale, type Unit } from '../../telemetry/metrics.ts';

/** One line of a chart. */
export interface Line {
  readonly metric: string;
  readonly label: string;
  /** The custom property of the style sheet that has its colour. */
  readonly colour: string;
  readonly kind: 'area' | 'line' | 'faint';
}

/** A chart and its heading. */
export interface Panel {
  readonly title: string;
  readonly unit: Unit;
  readonly scale: Scale;
  /** Those that are named beside the heading, with their values; then others. */
  readonly lines: readonly Line[];
}

const colours = ['--series-1', '--series-2', '--series-3'];
/** More lines of cores than this would be a tangle. */
const mostCores = 16;

const described: readonly { readonly title: string; readonly metrics: readonly (readonly [metric: string, label: string])[] }[] = [
  { title: 'CPU', metrics: [['cpu', 'all cores']] },
  { title: 'Memory', metrics: [['memory.used', 'used'], ['memory.process', 'this program']] },
  { title: 'Load', metrics: [['load.1', '1 min'], ['load.5', '5 min'], ['load.15', '15 min']] },
  { title: 'Network', metrics: [['network.received', 'received'], ['network.sent', 'sent']] },
  { title: 'Disk', metrics: [['disk.read', 'read'], ['disk.written', 'written']] },
  { title: 'Event loop', metrics: [['loop.mean', 'mean'], ['loop.max', 'longest']] },
];

/** The charts for what there is of these keys; a system may not tell of its load, network or disks. */
export function panelsFor(keys: readonly string[]): readonly Panel[] {
  return described.flatMap(({ title, metrics }) => {
    const known = metrics.filter(([metric]) => keys.includes(metric));
    const [first] = known;
    if (first === undefined) return [];
    const lines = known.map(([metric, label], index): Line => ({ metric, label, colour: colours[index] ?? '--muted', kind: index === 0 ? 'area' : 'line' }));
    return [{ title, unit: metricOf(first[0]).unit, scale: first[0] === 'cpu' ? 'percent' : 'from zero', lines: first[0] === 'cpu' ? [...lines, ...coreLines(keys)] : lines }];
  });
}

/** The line of one metric alone; an area stands on zero. */
export function lineOf(metric: string): Line {
  return { metric, label: metric, colour: '--series-1', kind: metricOf(metric).scale === 'its own range' ? 'line' : 'area' };
}

function coreLines(keys: readonly string[]): readonly Line[] {
  const cores = keys.filter(isCore);
  return cores.length > mostCores ? [] : cores.map((metric) => ({ metric, label: metricOf(metric).label, colour: '--series-1', kind: 'faint' }));
}
