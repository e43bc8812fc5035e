import type { Random } from '../crash/random.ts';
import { planFaults, type FaultType } from './fault-plan.ts';
import type { Members } from './members.ts';
import { digestOf } from './memory-digest.ts';
import { UsageError, type Options } from './options.ts';
import { Stalled, type Patience } from './patience.ts';
import type { Fault, Storage } from './storage.ts';

export interface CourseConfig extends Options {
  readonly onProgress: (progress: string) => void;
}

/** How long no process may write anything. */
const silenceSeconds = 90;
/** How long a fault may take. */
const faultSeconds = 90;
const tickMs = 20;
const progressEveryMs = 2_000;
/** What is measured while nobody writes anything else. */
const probeTimes = 60;
const probeEveryMs = 30;
/** How often a process that was killed is killed again as soon as it begins. */
const againChance = 0.2;

/** What takes part in it. */
export interface Parts {
  readonly random: Random;
  readonly storage: Storage;
  readonly patience: Patience;
  readonly members: Members;
}

/** The course of a history: it is quiet, then there is writing, then there are faults, then everything must agree. */
export class Course {
  readonly #config: CourseConfig;
  readonly #parts: Parts;
  readonly #faults: readonly Fault[];
  /** Those under way. */
  readonly #underWay = new Set<Promise<void>>();
  #restarting: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  #toldAt = 0;
  /** What is measured now. */
  #probe = '';
  readonly cuts = new Map<string, number>();
  kills = 0;
  restarts = 0;

  constructor(config: CourseConfig, parts: Parts) {
    this.#config = config;
    this.#parts = parts;
    const names = parts.storage.faults.map(({ name }) => name);
    const { faults = names } = config;
    const unknown = faults.find((name) => !names.includes(name));
    if (unknown !== undefined) throw new UsageError(`--faults: there is no ${JSON.stringify(unknown)}; there are ${names.join(', ')}`);
    this.#faults = parts.storage.faults.filter(({ name }) => faults.includes(name));
  }

  async live(): Promise<void> {
    const { writes, cuts, restarts, kills } = this.#config;
    const { members, random } = this.#parts;
    await members.startAll();
    await this.#measureQuietly();
    const planned = planFaults(random, writes, { cut: this.#faults.length === 0 ? 0 : cuts, restart: restarts, kill: kills });
    const firstAt = planned[0]?.at ?? writes;
    this.#work('writing');
    await this.#untilWritten(Math.min(firstAt, writes));
    if (planned.length > 0) this.#work('faults');
    for (const { at, type } of planned) {
      await this.#untilWritten(at);
      this.#begin(type);
    }
    await this.#untilWritten(writes);
    this.#tell('the faults end');
    await this.#parts.patience.within(faultSeconds, 'faults to end', Promise.all(this.#underWay));
    if (this.#failure !== undefined) throw this.#failure.error;
    await this.#agree();
  }

  /** Resolves when no fault is under way any more, so that storage can be looked at. */
  async over(): Promise<void> {
    await Promise.allSettled([...this.#underWay, this.#restarting]);
  }

  async #measureQuietly(): Promise<void> {
    const { members, patience } = this.#parts;
    for (const isSaved of [false, true]) {
      this.#tell(`quiet, ${isSaved ? 'setAndSave' : 'set'}`);
      const [member] = members.open;
      if (member === undefined) return;
      const probed = member.next('probed');
      member.order({ type: 'probe', probe: `quiet, ${isSaved ? 'setAndSave' : 'set'}`, times: probeTimes, everyMs: probeEveryMs, isSaved });
      await patience.within(60, 'probes to be set', probed);
    }
  }

  #work(probe: string): void {
    this.#probe = probe;
    for (const member of this.#parts.members.open) member.order({ type: 'work', probe: `${probe}, set` });
  }

  async #untilWritten(writes: number): Promise<void> {
    const { members, patience } = this.#parts;
    let last = members.writes;
    let since = performance.now();
    while (members.writes < writes) {
      if (this.#failure !== undefined) throw this.#failure.error;
      await patience.pause(tickMs);
      this.#tell();
      if (members.writes > last) since = performance.now();
      last = members.writes;
      if (performance.now() - since > silenceSeconds * 1_000) throw new Stalled(`it waited ${silenceSeconds} s for any process to write, after ${last} writes`);
    }
  }

  #begin(type: FaultType): void {
    const run: Readonly<Record<FaultType, () => Promise<void>>> = { cut: () => this.#cut(), restart: () => this.#restart(), kill: () => this.#kill() };
    const underWay = run[type]()
      .catch((error: unknown) => void (this.#failure ??= { error }))
      .finally(() => this.#underWay.delete(underWay));
    this.#underWay.add(underWay);
  }

  async #cut(): Promise<void> {
    const { members, random, patience } = this.#parts;
    const name = random.weighted(Object.fromEntries(this.#faults.map((fault) => [fault.name, fault.weight])));
    const fault = this.#faults.find((known) => known.name === name);
    const among = members.open.filter(({ plan }) => plan.isWriter || fault?.isOfWriters !== true);
    const member = among[random.whole(0, among.length - 1)];
    if (member === undefined || fault === undefined) return;
    this.cuts.set(name, (this.cuts.get(name) ?? 0) + 1);
    await patience.within(faultSeconds, `the fault "${name}" to end`, Promise.resolve(fault.inject(member)));
  }

  async #restart(): Promise<void> {
    const { storage, patience } = this.#parts;
    this.restarts++;
    this.#restarting = this.#restarting.then(() => storage.restart?.());
    await patience.within(faultSeconds, 'the server to be there again', this.#restarting);
  }

  async #kill(): Promise<void> {
    const { members, random } = this.#parts;
    const member = members.open[random.whole(0, members.open.length - 1)];
    if (member === undefined) return;
    const { slot } = member.plan;
    this.kills++;
    await member.kill();
    if (random.chance(againChance)) {
      this.kills++;
      const starting = members.start(slot);
      const again = members.living.find(({ plan }) => plan.slot === slot);
      await this.#parts.patience.pause(random.whole(0, 300));
      await again?.kill();
      await starting;
    }
    await members.start(slot);
    const started = members.open.find(({ plan }) => plan.slot === slot);
    started?.order({ type: 'work', probe: `${this.#probe}, set` });
  }

  /** Everything is saved, and every memory comes to equal storage; if not, what is recorded then tells how they differ. */
  async #agree(): Promise<void> {
    const { members, patience, storage } = this.#parts;
    const { settleSeconds } = this.#config;
    this.#tell('saving what is left');
    await patience.within(settleSeconds + 30, 'everything to be saved', Promise.all(members.open.map((member) => this.#ask(member, 'rest', 'rested'))));
    this.#tell('waiting until every memory equals storage');
    const endsAt = performance.now() + settleSeconds * 1_000;
    for (;;) {
      const stored = digestOf((await storage.stored()).map(({ key, json }) => [key, JSON.parse(json)]));
      const memories = await patience.within(30, 'what is in memory', Promise.all(members.open.map((member) => this.#ask(member, 'compare', 'memory'))));
      if (memories.every(({ digest }) => digest === stored) || performance.now() > endsAt) break;
      await patience.pause(100);
    }
    await patience.within(60, 'processes to end', Promise.all(members.open.map((member) => member.end())));
  }

  #ask<T extends 'rested' | 'memory'>(member: Members['open'][number], type: 'rest' | 'compare', answer: T): ReturnType<typeof member.next<T>> {
    const answered = member.next(answer);
    member.order({ type });
    return answered;
  }

  /** Now and then, or at once where there is something to say. */
  #tell(what?: string): void {
    if (what === undefined && performance.now() - this.#toldAt < progressEveryMs) return;
    this.#toldAt = performance.now();
    const { members } = this.#parts;
    const cuts = [...this.cuts.values()].reduce((sum, count) => sum + count, 0);
    this.#config.onProgress(`${members.writes} of ${this.#config.writes} writes, ${cuts} cuts, ${this.restarts} restarts, ${this.kills} kills, ${members.failures} failures told${what === undefined ? '' : `; ${what}`}`);
  }
}
