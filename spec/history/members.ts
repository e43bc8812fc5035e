import { join } from 'node:path';

import type { Random } from '../crash/random.ts';
import type { Latencies } from './latency.ts';
import { MemberProcess } from './member-process.ts';
import type { Report } from './messages.ts';
import type { Patience } from './patience.ts';
import type { Storage } from './storage.ts';
import { lastLife } from './written-value.ts';

export interface MembersConfig {
  readonly storage: Storage;
  readonly processes: number;
  readonly program: string;
  readonly directory: string;
  readonly random: Random;
  readonly patience: Patience;
  readonly latencies: Latencies;
  readonly onWrong: (message: string) => void;
}

/** One in four only reads, and at least one. */
const readersShare = 0.25;
/** How long a process may take to open its store, be storage away meanwhile. */
const openSeconds = 60;

/** The processes of a history, each in its slot. */
export class Members {
  readonly #config: MembersConfig;
  readonly #slots: MemberProcess[] = [];
  readonly lives: MemberProcess[] = [];
  writes = 0;
  failures = 0;
  unknown = 0;

  constructor(config: MembersConfig) {
    this.#config = config;
  }

  /** Resolves when all are open. */
  async startAll(): Promise<void> {
    await Promise.all(Array.from({ length: this.#config.processes }, (_, slot) => this.start(slot)));
  }

  /** Begins a new life in a slot. Resolves when it is open. */
  async start(slot: number): Promise<void> {
    const { storage, processes, program, directory, random, patience, onWrong } = this.#config;
    const life = this.lives.length + 1;
    if (life > lastLife) throw new Error(`There can be no more than ${lastLife} lives.`);
    const readers = Math.max(1, Math.floor(processes * readersShare));
    const plan = { place: storage.place(slot), life, slot, seed: random.whole(1, 2 ** 31), isWriter: slot < processes - readers, journal: join(directory, `journal-${life}`) };
    const member = new MemberProcess(plan, { program, onReport: (report) => this.#heard(life, report), onFailure: onWrong });
    this.lives.push(member);
    this.#slots[slot] = member;
    await patience.within(openSeconds, `life ${life} to open its store`, Promise.race([member.next('open'), member.gone]));
  }

  /** Those that have their store open. */
  get open(): readonly MemberProcess[] {
    return this.#slots.filter(({ isAlive, isOpen }) => isAlive && isOpen);
  }

  get living(): readonly MemberProcess[] {
    return this.#slots.filter(({ isAlive }) => isAlive);
  }

  async killAll(): Promise<void> {
    await Promise.all(this.lives.filter(({ isAlive }) => isAlive).map((member) => member.kill()));
  }

  #heard(life: number, report: Report): void {
    if (report.type === 'wrong') this.#config.onWrong(`life ${life}: ${report.message}`);
    if (report.type !== 'progress') return;
    this.writes += report.writes;
    this.failures += report.failures;
    this.unknown += report.unknown;
    this.#config.latencies.add(report.latencies);
  }
}
