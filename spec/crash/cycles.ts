import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { Ground } from './ground.ts';
import { readJournalIfThere, type JournalRecord } from './journal.ts';
import { judge, type Wrong } from './oracle.ts';
import { Planner } from './planner.ts';
import type { Random } from './random.ts';
import { Victim, type Death } from './victim.ts';

export interface CampaignOptions {
  readonly ground: Ground;
  readonly cycles: number;
  readonly random: Random;
  /** The built writer program. */
  readonly writer: string;
  /** For the journal. */
  readonly directory: string;
  /** Where to keep what a violation left behind. */
  readonly evidence: string;
}

/** What the writer was doing when it was killed. `unsaved`: something was applied that nobody had begun to save. */
export type Moment = 'starting' | 'opening' | 'saving' | 'unsaved' | 'idle' | 'closing' | 'closed';

export interface Violation {
  readonly cycle: number;
  readonly wrong: Wrong | 'unreadable' | 'the writer failed';
  readonly detail: string;
  /** Where storage is kept as it was found, and the journal. */
  readonly kept: string;
}

export interface Report {
  cycles: number;
  readonly kills: Record<Moment, number>;
  /** How many storages were started from nothing. */
  fresh: number;
  changes: number;
  acknowledged: number;
  /** Cycles in which storage was ahead of what was acknowledged, rightly. */
  ahead: number;
  /** Cycles in which opening told of something that it passed over, such as half a record. */
  told: number;
  violation: Violation | undefined;
}

/** Kills a writer so many times, on storage that outlives it, and looks at what is left after each. Ends at the first violation. */
export async function runCycles(options: CampaignOptions): Promise<Report> {
  const report: Report = {
    cycles: 0,
    kills: { starting: 0, opening: 0, saving: 0, unsaved: 0, idle: 0, closing: 0, closed: 0 },
    fresh: 0,
    changes: 0,
    acknowledged: 0,
    ahead: 0,
    told: 0,
    violation: undefined,
  };
  const campaign = new Campaign(options, report);
  try {
    while (report.cycles < options.cycles && report.violation === undefined) await campaign.runCycle();
  } finally {
    await campaign.end();
  }
  return report;
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #report: Report;
  readonly #planner: Planner;
  #next: Victim;
  /** What storage holds; undefined: it is to be started from nothing. */
  #held: ReadonlyMap<string, string> | undefined;

  constructor(options: CampaignOptions, report: Report) {
    this.#options = options;
    this.#report = report;
    this.#planner = new Planner(options.random);
    this.#next = new Victim(options.writer);
  }

  /** Leaves no process behind. */
  async end(): Promise<void> {
    await this.#next.kill();
  }

  async runCycle(): Promise<void> {
    const { ground, random, directory, writer } = this.#options;
    const report = this.#report;
    const cycle = ++report.cycles;
    const before = await this.#storageBefore();
    const journalFile = join(directory, 'journal');
    await rm(journalFile, { force: true });
    const { plan, aim } = this.#planner.plan({ place: ground.place(random), journal: journalFile, cycle });

    const victim = this.#next;
    this.#next = new Victim(writer);
    await victim.liveUntil(plan, aim, this.#planner.clock());
    const { strike } = ground;
    if (strike !== undefined) {
      victim.stop();
      await strike();
    }
    const death = await victim.kill();
    const journal = readJournalIfThere(journalFile);
    report.kills[momentOf(journal)]++;
    const violation = this.#writerFailure(death) ?? (await this.#examine(before, journal));
    if (violation !== undefined) report.violation = { ...violation, cycle, kept: await this.#keep(cycle, journalFile) };
  }

  async #storageBefore(): Promise<ReadonlyMap<string, string>> {
    if (this.#held !== undefined && !this.#options.random.chance(0.04)) return this.#held;
    this.#report.fresh++;
    await this.#options.ground.clear();
    return new Map();
  }

  #writerFailure({ signal, exitCode, stderr }: Death): Omit<Violation, 'cycle' | 'kept'> | undefined {
    if (signal === 'SIGKILL' && stderr === '') return undefined;
    return { wrong: 'the writer failed', detail: `exit code ${String(exitCode)}, signal ${String(signal)}: ${stderr || 'see the end of its journal'}` };
  }

  async #examine(before: ReadonlyMap<string, string>, journal: readonly JournalRecord[]): Promise<Omit<Violation, 'cycle' | 'kept'> | undefined> {
    const report = this.#report;
    const { found, told, problem } = await this.#options.ground.examine(this.#options.random);
    if (problem !== undefined) return { wrong: 'unreadable', detail: problem };
    const verdict = judge({ before, journal, found });
    if (!verdict.right) return { wrong: verdict.wrong, detail: verdict.detail };
    this.#held = found;
    report.changes += verdict.applied;
    report.acknowledged += verdict.acknowledged;
    if (verdict.found > verdict.acknowledged) report.ahead++;
    if (told.length > 0) report.told++;
    return undefined;
  }

  async #keep(cycle: number, journalFile: string): Promise<string> {
    const kept = join(this.#options.evidence, `cycle-${cycle}`);
    await mkdir(kept, { recursive: true });
    await this.#options.ground.keep(kept);
    await cp(journalFile, join(kept, 'journal')).catch(() => undefined); // it may have died before it had one
    return kept;
  }
}

/** What the writer was doing at the end of its journal. */
export function momentOf(journal: readonly JournalRecord[]): Moment {
  const last = journal.findLast((record) => record.type === 'opening' || record.type === 'opened' || record.type === 'closing' || record.type === 'closed');
  if (last === undefined) return 'starting';
  if (last.type !== 'opened') return last.type;
  const sinceOpened = journal.slice(journal.lastIndexOf(last));
  const writing = sinceOpened.findLast(({ type }) => type === 'writing' || type === 'written');
  if (writing?.type === 'writing') return 'saving';
  const applied = sinceOpened.findLast((record) => record.type === 'change')?.seq ?? 0;
  const acknowledged = sinceOpened.reduce((highest, record) => (record.type === 'acknowledged' ? Math.max(highest, record.seq) : highest), 0);
  return applied > acknowledged ? 'unsaved' : 'idle';
}
