import { columns, type Column } from './form.ts';
import type { Result, Run, State } from './result.ts';

const marks: Readonly<Record<State, string>> = { held: 'held', broken: 'BROKEN', absent: '–', skipped: 'skipped' };

/** One line of the matrix. */
interface Line {
  readonly row: number;
  readonly title: string;
  readonly fault: string;
  readonly cells: ReadonlyMap<Column, Result>;
}

/** A line for a cell that has just ended. */
export function progressOf({ row, fault, column, state, tally, detail, elapsedMs }: Result): string {
  const counts = Object.entries(tally).map(([what, count]) => `${count} ${what}`).join(', ');
  const rest = state === 'held' ? counts : detail;
  return `${marks[state].padEnd(8)}${(elapsedMs / 1_000).toFixed(1).padStart(7)} s  ${row}. ${fault}, ${column}: ${rest}`;
}

/** The matrix as text: a line a fault, with how much was tried in each column. */
export function tableOf(run: Run): string {
  const lines = linesOf(run.results);
  const width = Math.max(...lines.map(({ fault }) => fault.length)) + 2;
  const heads = `${''.padEnd(width)}${columns.map((column) => column.padStart(12)).join('')}`;
  const text: string[] = [];
  let current = 0;
  for (const { row, title, fault, cells } of lines) {
    if (row !== current) text.push(`\n${row}. ${title}`);
    current = row;
    text.push(`${fault.padEnd(width)}${columns.map((column) => cellOf(cells.get(column)).padStart(12)).join('')}`);
  }
  return [heads, ...text].join('\n');
}

/** What is broken, and what went wrong outside of cells. Empty if nothing is. */
export function troublesOf({ results, errors }: Run): readonly string[] {
  const broken = results.filter(({ state }) => state === 'broken').map(({ row, fault, column, detail }) => `${row}. ${fault}, ${column}: ${detail}`);
  return [...broken, ...errors];
}

/** How many cells ended how, in the words that machines look for. */
export function summaryOf({ results, errors, elapsedMs, seed }: Run): string {
  const count = (state: State): number => results.filter((result) => result.state === state).length;
  return `${results.length - count('absent')} cells in ${(elapsedMs / 1_000).toFixed(0)} s, seed ${seed}; ${count('absent')} cannot occur.\n${count('held')} passed, ${count('broken') + errors.length} failed, ${count('skipped')} skipped`;
}

export function linesOf(results: readonly Result[]): readonly Line[] {
  const lines = new Map<string, { readonly row: number; readonly title: string; readonly fault: string; readonly cells: Map<Column, Result> }>();
  for (const result of results) {
    const { row, title, fault, column } = result;
    const key = `${row} ${fault}`;
    let line = lines.get(key);
    if (line === undefined) lines.set(key, (line = { row, title, fault, cells: new Map() }));
    line.cells.set(column, result);
  }
  return [...lines.values()];
}

/** How much was tried, or what came of it. */
function cellOf(result: Result | undefined): string {
  if (result === undefined) return '';
  const [tried] = Object.values(result.tally);
  return result.state === 'held' && tried !== undefined ? tried.toLocaleString('en') : marks[result.state];
}
