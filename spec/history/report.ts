import type { Result } from './history.ts';
import { violationKinds, type ViolationKind } from './violations.ts';

/** What was found, for a person to read. */
export function reportOf(result: Result): string {
  const { counts, latencies, violations, violationCounts } = result;
  const cuts = Object.entries(result.cuts);
  const rows: readonly (readonly [string, number | string])[] = [
    ['seed', result.seed],
    ['seconds', (result.elapsedMs / 1_000).toFixed(1)],
    ['writes made', result.writes],
    ['applied', counts.applied],
    ['stored (the others were overtaken before)', counts.stored],
    ['commits', counts.commits],
    ['acknowledged', counts.acknowledged],
    ['rejected, of unknown end', result.unknown],
    ['changes of others heard', counts.heard],
    ['failures told', result.failures],
    ['lives', result.lives],
    ['kills', result.kills],
    ['restarts of the server', result.restarts],
    ['cuts', cuts.reduce((sum, [, count]) => sum + count, 0)],
    ...cuts.map(([name, count]) => [`  ${name}`, count] as const),
    ['violations', Object.values(violationCounts).reduce((sum, count) => sum + count, 0)],
  ];
  const facts = rows.map(([name, value]) => `${name.padEnd(44)}${String(value).padStart(12)}`);
  const times = latencies.map(({ probe, count, p50, p95, max }) => `  ${probe.padEnd(26)}${[p50, p95, max].map((ms) => ms.toFixed(1).padStart(10)).join('')}${String(count).padStart(10)}`);
  const head = `  ${''.padEnd(26)}${['p50', 'p95', 'longest', 'probes'].map((name) => name.padStart(10)).join('')}`;
  return [...facts, '', 'from a write in one process to changes$ in another, in milliseconds', head, ...times, ...violations.map(({ kind, detail }) => `\nVIOLATION: ${violationKinds[kind]} (${kind}, ${countOf(result, kind)} times): ${detail}`)].join('\n');
}

function countOf({ violationCounts }: Result, kind: ViolationKind): number {
  return violationCounts[kind] ?? 0;
}
