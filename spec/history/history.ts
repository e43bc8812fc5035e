import { existsSync } from 'node:fs';

import { Random } from '../crash/random.ts';
import { check, type Counts } from './checker.ts';
import { Course } from './course.ts';
import { readJournal } from './journal.ts';
import { Latencies, type LatencySummary } from './latency.ts';
import { Members } from './members.ts';
import type { Options } from './options.ts';
import { Patience, Stalled } from './patience.ts';
import type { Storage } from './storage.ts';
import { Violations, type Violation, type ViolationKind } from './violations.ts';

export interface HistoryConfig extends Options {
  /** Where everything of it lies. */
  readonly directory: string;
  /** The built program of a process. */
  readonly program: string;
  readonly openStorage: (random: Random) => Promise<Storage>;
  readonly onProgress: (progress: string) => void;
  /** Ends it before its time. */
  readonly signal: AbortSignal;
}

export interface Result {
  readonly seed: number;
  readonly elapsedMs: number;
  readonly writes: number;
  readonly counts: Counts;
  /** Of waiting writes, those that rejected. */
  readonly unknown: number;
  /** What `errors$` told. */
  readonly failures: number;
  readonly lives: number;
  readonly kills: number;
  readonly restarts: number;
  /** Those of each kind. */
  readonly cuts: Readonly<Record<string, number>>;
  readonly latencies: readonly LatencySummary[];
  readonly violations: readonly Violation[];
  readonly violationCounts: Readonly<Partial<Record<ViolationKind, number>>>;
}

/** Runs one history, and holds what was recorded of it against what storage tells. */
export async function runHistory(config: HistoryConfig): Promise<Result> {
  const startedAt = performance.now();
  const violations = new Violations();
  const ending = new AbortController();
  const end = (): void => ending.abort(config.signal.reason);
  config.signal.addEventListener('abort', end, { once: true });
  const random = new Random(config.seed);
  const storage = await config.openStorage(random);
  const patience = new Patience(config.seconds, ending.signal);
  const latencies = new Latencies();
  const onWrong = (message: string): void => {
    violations.add('failed', message);
    config.onProgress(message);
    ending.abort(new Error(message)); // what is left would only tell of it again
  };
  const members = new Members({ ...config, storage, random, patience, latencies, onWrong });
  try {
    const course = new Course(config, { random, storage, patience, members });
    const version = await storage.prepare();
    try {
      await course.live();
    } catch (error) {
      if (config.signal.aborted) throw error;
      if (error instanceof Stalled) violations.add('stalled', error.message);
      else if (violations.total === 0) throw error;
    }
    await course.over();
    await members.killAll();
    config.onProgress('checking');
    const lives = members.lives.map(({ plan, isKilled }) => ({ life: plan.life, isKilled: isKilled || violations.total > 0, records: existsSync(plan.journal) ? readJournal(plan.journal) : [] }));
    const counts = await check({ version, audit: storage.audit(), lives, stored: await storage.stored() }, violations);
    const { kills, restarts, cuts } = course;
    const { writes, unknown, failures } = members;
    return {
      seed: config.seed,
      elapsedMs: performance.now() - startedAt,
      ...{ writes, counts, unknown, failures, lives: lives.length, kills, restarts },
      cuts: Object.fromEntries(cuts),
      latencies: latencies.summaries,
      violations: violations.list,
      violationCounts: Object.fromEntries(violations.counts),
    };
  } finally {
    config.signal.removeEventListener('abort', end);
    await members.killAll();
    await storage.close();
  }
}
