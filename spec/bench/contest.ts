import type { Contest, Figures, Row } from './row.ts';

/** The figures of both sides by line, and within a line by round. */
export interface Rounds {
  readonly ours: readonly (readonly number[])[];
  readonly limit: readonly (readonly number[])[];
}

/**
 * Runs rounds of both sides in turns, ABBA: what grows or tires in the course meets both alike. Before each, garbage is
 * collected, so that nobody pays for the other's.
 */
export async function takeRounds({ ours, limit }: Contest, { lines, warmUps = 1 }: Pick<Row, 'lines' | 'warmUps'>, count: number): Promise<Rounds> {
  const found = { ours: lines.map((): number[] => []), limit: lines.map((): number[] => []) };
  const take = async (side: 'ours' | 'limit', round: number): Promise<void> => {
    const run = side === 'ours' ? ours : limit;
    if (run === undefined) return;
    globalThis.gc?.();
    const figures = listOf(await run(round));
    if (figures.length !== lines.length) throw new Error(`A round found ${figures.length} figures, and the row has ${lines.length} lines.`);
    if (round >= warmUps) for (const [index, figure] of figures.entries()) found[side][index]?.push(figure);
  };
  for (let round = 0; round < warmUps + count; round++) {
    const order = round % 2 === 0 ? (['ours', 'limit'] as const) : (['limit', 'ours'] as const);
    for (const side of order) await take(side, round);
  }
  return found;
}

function listOf(figures: Figures): readonly number[] {
  return typeof figures === 'number' ? [figures] : figures;
}
