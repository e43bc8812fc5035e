import { capacity, type Measurement, type Sample } from './history.ts';
import { compareMetrics, formatValue, isCore, metricOf, type Metric } from './metrics.ts';
import type { Paint } from './paint.ts';
import type { Saving } from './saving.ts';
import { condense, sparkline } from './sparkline.ts';

/** What a line tells. */
const inLine = ['cpu', 'memory.used', 'load.1', 'network.received', 'network.sent', 'disk.read', 'disk.written', 'loop.max'];

/** Everything that is to be seen. */
export interface View {
  /** Where it is kept, for people. */
  readonly place: string;
  /** What was there at the start. */
  readonly found: string;
  /** Where the dashboard is. */
  readonly address: string;
  readonly elapsedSeconds: number;
  /** After how many seconds it ends by itself. */
  readonly seconds: number | undefined;
  readonly current: readonly (readonly [metric: string, measurement: Measurement])[];
  /** In order. */
  readonly samples: readonly Sample[];
  readonly saving: Saving;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Widths of a row's parts; what does not fit the terminal is left out, the history before the range. */
const widths = { label: 14, value: 12, bound: 11, least: 10, most: 60 };
/** The heading, a blank line and the table's head above it; a blank line and five more below. */
const rowsAround = 9;

/** The lines of a screen of that size: never more, never wider. */
export function renderScreen(view: View, { columns, rows }: Size, paint: Paint): readonly string[] {
  const width = Math.min(columns, widths.label + widths.value + 2 * widths.bound + widths.most + 4) - 2;
  const layout = layoutOf(width);
  const lines = [
    justify(paint, [paint.bold, 'rx-persistify telemetry'], [paint.dim, `${clockOf(view)} · ${view.place}`], width),
    '',
    paint.dim(tableHead(layout)),
    ...tableBody(view, layout, Math.max(1, rows - rowsAround), paint),
    '',
    ...statusLines(view, width, paint),
  ];
  return lines.slice(0, rows).map((line) => (line === '' ? line : ` ${line}`));
}

/** The same in one line, for where there is no screen. */
export function renderLine({ current, samples, saving }: View): string {
  const values = new Map(current.map(([id, { value }]) => [id, value]));
  const told = inLine.flatMap((id) => {
    const value = values.get(id);
    const { label, unit } = metricOf(id);
    return value === undefined ? [] : [`${label} ${formatValue(unit, value)}`];
  });
  const last = samples.at(-1);
  return [
    `${timeOf(last?.at ?? 0)}  sample ${last?.sequence ?? 0}  ${told.join(', ')}`,
    savingText(saving),
    ...(saving.error === undefined ? [] : [`error: ${saving.error}`]),
  ].join('  |  ');
}

/** `2026-01-31 14:05:09`, in the machine's time zone. */
export function momentOf(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())} ${timeOf(at)}`;
}

export function timeOf(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':');
}

export function savingText({ state, batches, saved, savedPerSecond, pending }: Saving): string {
  const mean = batches === 0 ? 0 : saved / batches;
  return `${state}  ${batches} batches, mean ${mean.toFixed(1)}  ${savedPerSecond.toFixed(1)} saved/s  ${pending} pending`;
}

interface Layout {
  readonly range: boolean;
  /** 0: there is no room for it. */
  readonly history: number;
}

function layoutOf(width: number): Layout {
  const beside = width - widths.label - widths.value;
  const range = beside >= 2 * widths.bound;
  const history = beside - (range ? 2 * widths.bound : 0) - 2;
  return { range, history: history >= widths.least ? Math.min(widths.most, history) : 0 };
}

function tableHead({ range, history }: Layout): string {
  const title = `last ${capacity} samples`;
  const bounds = range ? 'min'.padStart(widths.bound) + 'max'.padStart(widths.bound) : '';
  return [''.padEnd(widths.label), 'now'.padStart(widths.value), bounds, history === 0 ? '' : `  ${title.length > history ? 'history' : title}`].join('');
}

interface Row {
  readonly metric: Metric;
  readonly value: number;
}

function tableBody({ current, samples }: View, layout: Layout, room: number, paint: Paint): readonly string[] {
  const newest = Math.max(...current.map(([, { at }]) => at));
  const rows = current
    .filter(([, { at }]) => at === newest) // others are of a machine, or a program, that had more
    .map(([id, { value }]) => ({ metric: metricOf(id), value }))
    .sort((left, right) => compareMetrics(left.metric.id, right.metric.id));
  const { shown, hiddenCores } = withoutSurplusCores(rows, room);
  const groups = [...new Set(shown.map(({ metric }) => metric.group))];
  const isSpacious = shown.length + groups.length - 1 <= room;
  const lines = groups.flatMap((group, index) => [
    ...(isSpacious && index > 0 ? [''] : []),
    ...shown.filter(({ metric }) => metric.group === group).map((row) => tableRow(row, samples, layout, paint)),
    ...(group === 'cpu' && hiddenCores > 0 ? [paint.dim(`  and ${hiddenCores} more cores`)] : []),
  ]);
  return lines.slice(0, room);
}

/** A large machine has more cores than a screen has lines; all else stays. */
function withoutSurplusCores(rows: readonly Row[], room: number): { readonly shown: readonly Row[]; readonly hiddenCores: number } {
  const cores = rows.filter(({ metric }) => isCore(metric.id));
  const surplus = rows.length - room;
  if (surplus <= 0) return { shown: rows, hiddenCores: 0 };
  const kept = new Set(cores.slice(0, Math.max(0, cores.length - surplus - 1))); // one line says how many are missing
  return { shown: rows.filter((row) => kept.has(row) || !cores.includes(row)), hiddenCores: cores.length - kept.size };
}

function tableRow({ metric, value }: Row, samples: readonly Sample[], { range, history }: Layout, paint: Paint): string {
  const values = samples.flatMap(({ sequence, values: all }) => {
    const one = all[metric.id];
    return one === undefined ? [] : [[sequence, one] as const];
  });
  const format = (of: (...numbers: number[]) => number): string => (values.length === 0 ? '' : formatValue(metric.unit, of(...values.map(([, one]) => one))));
  return [
    paint.dim(`${isCore(metric.id) ? '  ' : ''}${metric.label}`.padEnd(widths.label)),
    paint.bold(formatValue(metric.unit, value).padStart(widths.value)),
    range ? paint.dim(format(Math.min).padStart(widths.bound) + format(Math.max).padStart(widths.bound)) : '',
    history > 0 ? `  ${paint.cyan(sparkline(condense(values, capacity, history), metric.scale))}` : '',
  ].join('');
}

function statusLines({ found, address, saving }: View, width: number, paint: Paint): readonly string[] {
  const [state = '', ...figures] = savingText(saving).split('  ');
  return [
    `${paintState(saving.state, paint)(`● ${state.padEnd(9)}`)}${paint.plain(fit(figures.join('   '), width - 11))}`,
    saving.error === undefined ? paint.dim('no errors') : paint.red(fit(saving.error, width)),
    '',
    paint.dim(fit(found, width)),
    paint.dim(fit(`Dashboard: ${address}   Ctrl-C saves everything and ends.`, width)),
  ];
}

function paintState(state: Saving['state'], paint: Paint): (text: string) => string {
  if (state === 'failing') return paint.red;
  return state === 'retrying' ? paint.yellow : paint.green;
}

function justify(paint: Paint, [paintLeft, left]: Part, [paintRight, right]: Part, width: number): string {
  const gap = width - left.length - right.length;
  return gap < 2 ? paintLeft(fit(left, width)) : `${paintLeft(left)}${paint.plain(' '.repeat(gap))}${paintRight(right)}`;
}

type Part = readonly [paint: (text: string) => string, text: string];

function fit(text: string, width: number): string {
  const line = text.replaceAll(/\s*\n\s*/g, ' ');
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}

function clockOf({ elapsedSeconds, seconds }: View): string {
  return seconds === undefined ? `${elapsedSeconds.toFixed(0)} s` : `${elapsedSeconds.toFixed(0)} of ${seconds} s`;
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0');
}
