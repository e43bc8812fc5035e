import { existsSync, readdirSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { emptyDir } from 'fs-extra/esm';

import { readJournal, type JournalRecord } from './journal.ts';
import { judge, type Wrong } from './oracle.ts';
import { Planner } from './planner.ts';
import { Random } from './random.ts';
import { copyDirectory, inspect, providerAt, type ProviderName } from './storage.ts';
import { Victim, type Death } from './victim.ts';

export interface CampaignOptions {
  readonly provider: ProviderName;
  readonly cycles: number;
  readonly seed: number;
  /** The built writer program. */
  readonly writer: string;
  /** Where everything is kept; storage itself lies in `store`. */
  readonly directory: string;
  readonly onCycle?: (report: Report) => void;
}

/** What the writer was doing when it was killed. `unsaved`: something was applied that nobody had begun to save. */
export type Moment = 'starting' | 'opening' | 'saving' | 'unsaved' | 'idle' | 'closing' | 'closed';

export interface Violation {
  readonly cycle: number;
  readonly wrong: Wrong | 'unreadable' | 'the writer failed';
  readonly detail: string;
  /** The files as they were when the writer was dead, and its journal. */
  readonly kept: string;
}

export interface Report {
  readonly provider: ProviderName;
  readonly seed: number;
  cycles: number;
  readonly kills: Record<Moment, number>;
  /** How many storages were started from nothing. */
  fresh: number;
  changes: number;
  acknowledged: number;
  /** Cycles in which storage was ahead of what was acknowledged, rightly. */
  ahead: number;
  /** Cycles in which a temporary file was left, such as that of a fold. */
  temporary: number;
  /** Cycles in which opening told of something that it passed over, such as half a record. */
  told: number;
  entries: number;
  elapsedMs: number;
  violation: Violation | undefined;
}

/** Kills a writer so many times, on storage that outlives it, and looks at what is left after each. Ends at the first violation. */
export async function runCycles(options: CampaignOptions): Promise<Report> {
  const startedAt = performance.now();
  const report: Report = {
    provider: options.provider,
    seed: options.seed,
    cycles: 0,
    kills: { starting: 0, opening: 0, saving: 0, unsaved: 0, idle: 0, closing: 0, closed: 0 },
    fresh: 0,
    changes: 0,
    acknowledged: 0,
    ahead: 0,
    temporary: 0,
    told: 0,
    entries: 0,
    elapsedMs: 0,
    violation: undefined,
  };
  const campaign = new Campaign(options, report);
  try {
    while (report.cycles < options.cycles && report.violation === undefined) {
      await campaign.runCycle();
      report.elapsedMs = performance.now() - startedAt;
      options.onCycle?.(report);
    }
  } finally {
    await campaign.end();
  }
  return report;
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #report: Report;
  readonly #random: Random;
  readonly #planner: Planner;
  readonly #store: string;
  readonly #spare: string;
  #next: Victim;
  /** The directory that is as the kill left it. */
  #untouched: string;
  /** What storage holds; undefined: it is to be started from nothing. */
  #held: ReadonlyMap<string, string> | undefined;

  constructor(options: CampaignOptions, report: Report) {
    this.#options = options;
    this.#report = report;
    this.#random = new Random(options.seed);
    this.#planner = new Planner(this.#random);
    this.#store = join(options.directory, 'store');
    this.#spare = join(options.directory, 'spare');
    this.#untouched = this.#store;
    this.#next = new Victim(options.writer);
  }

  /** Leaves no process behind. */
  async end(): Promise<void> {
    await this.#next.kill();
  }

  async runCycle(): Promise<void> {
    const report = this.#report;
    const cycle = ++report.cycles;
    const before = await this.#storageBefore();
    const journalFile = join(this.#options.directory, 'journal');
    await rm(journalFile, { force: true });
    const { plan, aim } = this.#planner.plan({ provider: this.#options.provider, directory: this.#store, journal: journalFile, cycle });

    this.#untouched = this.#store;
    const victim = this.#next;
    this.#next = new Victim(this.#options.writer);
    const death = await victim.liveAndDie(plan, aim, this.#planner.clock());
    const journal = readIfThere(journalFile);
    if (existsSync(this.#store) && readdirSync(this.#store).some((name) => name.endsWith('.tmp'))) report.temporary++;
    report.kills[momentOf(journal)]++;
    const violation = this.#writerFailure(death) ?? (await this.#examine(before, journal));
    if (violation !== undefined) report.violation = { ...violation, cycle, kept: await this.#keep(cycle, journalFile) };
  }

  async #storageBefore(): Promise<ReadonlyMap<string, string>> {
    if (this.#held !== undefined && !this.#random.chance(0.04)) return this.#held;
    this.#report.fresh++;
    await emptyDir(this.#store);
    return new Map();
  }

  #writerFailure({ signal, exitCode, stderr }: Death): Omit<Violation, 'cycle' | 'kept'> | undefined {
    if (signal === 'SIGKILL' && stderr === '') return undefined;
    return { wrong: 'the writer failed', detail: `exit code ${String(exitCode)}, signal ${String(signal)}: ${stderr || 'see the end of its journal'}` };
  }

  async #examine(before: ReadonlyMap<string, string>, journal: readonly JournalRecord[]): Promise<Omit<Violation, 'cycle' | 'kept'> | undefined> {
    const report = this.#report;
    // Half of the time a copy is looked at, so that the next writer finds what the kill left, and not what looking at it made.
    await copyDirectory(this.#store, this.#spare);
    const isCopyExamined = this.#random.chance(0.5);
    const examined = isCopyExamined ? this.#spare : this.#store;
    this.#untouched = isCopyExamined ? this.#store : this.#spare;
    const { found, told, problem } = await inspect(providerAt(this.#options.provider, examined, 'on the main thread'));
    if (problem !== undefined) return { wrong: 'unreadable', detail: problem };
    const verdict = judge({ before, journal, found });
    if (!verdict.right) return { wrong: verdict.wrong, detail: verdict.detail };
    this.#held = found;
    report.changes += verdict.applied;
    report.acknowledged += verdict.acknowledged;
    report.entries += found.size;
    if (verdict.found > verdict.acknowledged) report.ahead++;
    if (told.length > 0) report.told++;
    return undefined;
  }

  async #keep(cycle: number, journalFile: string): Promise<string> {
    const kept = join(this.#options.directory, `violation-${cycle}`);
    await cp(this.#untouched, kept, { recursive: true, preserveTimestamps: true });
    await cp(journalFile, join(kept, 'journal')).catch(() => undefined); // it may have died before it had one
    return kept;
  }
}

function readIfThere(file: string): JournalRecord[] {
  return existsSync(file) ? readJournal(file) : [];
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
