import type { Rounds } from './contest.ts';
import type { Line, Row } from './row.ts';
import { pairedRatios, summaryOf, type Summary } from './statistics.ts';

/** One line of the table: figures, ratio, and what became of the budget. */
export interface Result {
  readonly row: string;
  readonly group: string;
  readonly line: Line;
  readonly ours: Summary;
  readonly limit: Summary | undefined;
  /** Ours to the limit, round by round. */
  readonly ratio: Summary | undefined;
  /** What the budget is of. */
  readonly judged: number;
  readonly verdict: 'met' | 'not met' | 'no budget';
  /** As `Rounds` has it. */
  readonly waited: number;
}

export function resultsOf({ name, group, lines }: Row, { ours, limit, waited }: Rounds): readonly Result[] {
  return lines.map((line, index) => {
    const [own, bare] = [ours[index] ?? [], limit[index] ?? []];
    const ratio = bare.length === 0 ? undefined : summaryOf(pairedRatios(own, bare));
    const result = { row: name, group, line, ours: summaryOf(own), limit: bare.length === 0 ? undefined : summaryOf(bare), ratio };
    const judged = judgedOf(result);
    return { ...result, judged, waited, verdict: verdictOf(line, judged) };
  });
}

function judgedOf({ line, ours, limit, ratio }: Pick<Result, 'line' | 'ours' | 'limit' | 'ratio'>): number {
  const of = line.budgetOf ?? (ratio === undefined ? 'figure' : 'ratio');
  if (of === 'figure') return ours.median;
  return of === 'ratio' ? (ratio?.median ?? NaN) : ours.median - (limit?.median ?? NaN);
}

function verdictOf({ budget }: Line, judged: number): Result['verdict'] {
  if (budget === undefined) return 'no budget';
  const isMet = 'atMost' in budget ? judged <= budget.atMost : judged >= budget.atLeast;
  return isMet ? 'met' : 'not met';
}
