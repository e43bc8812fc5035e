/** What is said of some measurements of the same thing. */
export interface Summary {
  readonly median: number;
  /** Between these two lies the middle half of the measurements. */
  readonly quartiles: readonly [number, number];
  readonly count: number;
}

export function summaryOf(values: readonly number[]): Summary {
  return { median: quantile(values, 0.5), quartiles: [quantile(values, 0.25), quantile(values, 0.75)], count: values.length };
}

/** How one side stands to the other in each round, as both met the same mood of the machine. */
export function pairedRatios(ours: readonly number[], limit: readonly number[]): readonly number[] {
  if (ours.length !== limit.length) throw new Error(`There are ${ours.length} rounds of one side and ${limit.length} of the other.`);
  return ours.map((value, round) => value / (limit[round] ?? NaN));
}

/** The value that a part of all is not above, drawn between its two neighbours where it lies between them. NaN of nothing. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = Float64Array.from(values).sort();
  const place = (sorted.length - 1) * part;
  const below = sorted[Math.floor(place)] ?? NaN;
  const above = sorted[Math.ceil(place)] ?? NaN;
  return below + (above - below) * (place - Math.floor(place));
}
