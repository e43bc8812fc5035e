import { performance } from 'node:perf_hooks';

import { waitedForCoreMs } from './core-wait.ts';
import type { Contest, Figures, Row } from './row.ts';
import { quantile } from './statistics.ts';

/** The figures of both sides by line, and within a line by round. */
export interface Rounds {
  readonly ours: readonly (readonly number[])[];
  readonly limit: readonly (readonly number[])[];
  /** The part of a round in which the main thread stood ready and had no core, on the median: how busy the machine was with other things. */
  readonly waited: number;
}

/** How long a row may be tried. */
export interface Allowance {
  /** Rounds that count. */
  readonly rounds: number;
  /** After so many milliseconds there are no more of them than the fewest of which there is a median. */
  readonly mostMs?: number;
}

export const fewestRounds = 3;

/**
 * Runs rounds of both sides in turns, ABBA: what grows or tires in the course meets both alike. Before each, what is young and
 * dead is collected, so that nobody pays for the other's. Not all that is dead: with that V8 throws away compiled code that was made
 * for objects which are gone, and what follows runs three times slower for hundreds of milliseconds, as it does in no program.
 */
export async function takeRounds({ ours, limit }: Contest, { lines, warmUps = 1 }: Pick<Row, 'lines' | 'warmUps'>, { rounds, mostMs = Infinity }: Allowance): Promise<Rounds> {
  const beganAt = performance.now();
  const found = { ours: lines.map((): number[] => []), limit: lines.map((): number[] => []) };
  const waited: number[] = [];
  const take = async (side: 'ours' | 'limit', round: number): Promise<void> => {
    const run = side === 'ours' ? ours : limit;
    if (run === undefined) return;
    globalThis.gc?.({ type: 'minor' });
    const [startedAt, waitedMs] = [performance.now(), waitedForCoreMs()];
    const figures = listOf(await run(round));
    waited.push((waitedForCoreMs() - waitedMs) / (performance.now() - startedAt));
    if (figures.length !== lines.length) throw new Error(`A round found ${figures.length} figures, and the row has ${lines.length} lines.`);
    if (round >= warmUps) for (const [index, figure] of figures.entries()) found[side][index]?.push(figure);
  };
  for (let round = 0; round < warmUps + rounds; round++) {
    if (round >= warmUps + fewestRounds && performance.now() - beganAt > mostMs) break;
    const order = round % 2 === 0 ? (['ours', 'limit'] as const) : (['limit', 'ours'] as const);
    for (const side of order) await take(side, round);
  }
  return { ...found, waited: quantile(waited, 0.5) };
}

function listOf(figures: Figures): readonly number[] {
  return typeof figures === 'number' ? [figures] : figures;
}
