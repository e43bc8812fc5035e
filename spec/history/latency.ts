import type { Latency } from './messages.ts';

export interface LatencySummary {
  readonly probe: string;
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/** How long it took from a write in one process to `changes$` in another, by what was measured. */
export class Latencies {
  readonly #byProbe = new Map<string, number[]>();

  add(latencies: readonly Latency[]): void {
    for (const { probe, ms } of latencies) {
      const all = this.#byProbe.get(probe);
      if (all === undefined) this.#byProbe.set(probe, [ms]);
      else all.push(ms);
    }
  }

  get summaries(): readonly LatencySummary[] {
    return [...this.#byProbe].map(([probe, all]) => {
      const sorted = Float64Array.from(all).sort();
      return { probe, count: sorted.length, p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95), max: percentile(sorted, 1) };
    });
  }
}

/** The least value that so many are not above. */
function percentile(sorted: Float64Array, part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}
