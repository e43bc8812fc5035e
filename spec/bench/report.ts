import type { Result } from './result.ts';
import type { Budget, Unit } from './row.ts';
import type { Summary } from './statistics.ts';

/** The head of the table. */
export const heads = ['', 'ours', 'limit', 'ratio', 'budget', ''] as const;

/** The cells of a result, as text. */
export function cellsOf({ line, ours, limit, ratio, judged, verdict }: Result): readonly string[] {
  const { unit, budget, budgetOf } = line;
  return [
    line.title,
    `${figure(ours.median, unit)} ${unit} ${spread(ours, unit)}`,
    limit === undefined ? '–' : `${figure(limit.median, unit)} ${unit}`,
    ratio === undefined ? '–' : `${decimals(ratio.median)}x ${spread(ratio, 'x')}`,
    budget === undefined ? '–' : budgetText(budget, budgetOf, unit),
    verdict === 'no budget' ? '–' : budgetOf === 'excess' ? `${verdict} (${figure(judged, unit)})` : verdict,
  ];
}

/** For a terminal: a line, with the limit's name where there is one. */
export function lineOf(result: Result): string {
  const [title = '', ours = '', limit = '', ratio = '', budget = '', verdict = ''] = cellsOf(result);
  const row = `  ${title.padEnd(78)} ${ours.padStart(24)} ${limit.padStart(16)} ${ratio.padStart(18)} ${budget.padStart(14)}  ${verdict}`;
  return row.trimEnd();
}

export const headLine = `  ${''.padEnd(78)} ${'ours (middle half)'.padStart(24)} ${'limit'.padStart(16)} ${'ratio'.padStart(18)} ${'budget'.padStart(14)}`;

export function summaryLine(results: readonly Result[]): string {
  const judged = results.filter(({ verdict }) => verdict !== 'no budget');
  const met = judged.filter(({ verdict }) => verdict === 'met');
  const missed = judged.filter(({ verdict }) => verdict === 'not met').map(({ line }) => line.title);
  return `${met.length} of ${judged.length} budgets met${missed.length === 0 ? '.' : `; not met: ${missed.join('; ')}.`}`;
}

/** Says so where others had the cores: what was measured then is not much of a fact. */
export function noiseLine(results: readonly Result[]): readonly string[] {
  const worst = Math.max(...results.map(({ waited }) => waited));
  return worst < 0.05 ? [] : [`The machine was busy: in the worst row the main thread waited for a core ${Math.round(worst * 100)} % of the time. Figures by the clock are doubtful.`];
}

export function figure(value: number, unit: Unit): string {
  if (unit === 'x') return decimals(value);
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

/** What was found as a part of what is allowed: 1 is just within the budget, and less is better. */
export function partOfBudget({ line: { budget }, judged }: Result): number {
  if (budget === undefined) return NaN;
  return 'atMost' in budget ? judged / budget.atMost : budget.atLeast / judged;
}

function spread({ quartiles: [low, high] }: Summary, unit: Unit): string {
  return `(${figure(low, unit)} to ${figure(high, unit)})`;
}

function decimals(value: number): string {
  return value.toFixed(value >= 10 ? 1 : 2);
}

function budgetText(budget: Budget, of: Result['line']['budgetOf'] = 'ratio', unit: Unit): string {
  const [sign, value] = 'atMost' in budget ? ['≤', budget.atMost] : ['≥', budget.atLeast];
  return of === 'ratio' ? `${sign} ${value}x` : `${sign} ${of === 'excess' ? '+' : ''}${value.toLocaleString('en')} ${unit}`;
}
