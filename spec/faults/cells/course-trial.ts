import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'vitest';

import type { Ground } from '../../crash/ground.ts';
import { readJournalIfThere } from '../../crash/journal.ts';
import { judge } from '../../crash/oracle.ts';
import { Victim, type Aim } from '../../crash/victim.ts';
import type { WriterPlan } from '../../crash/writer.ts';
import { CallTracer } from './call-tracer.ts';
import { evidenceOf, writer } from './campaign.ts';
import type { Cell } from './matrix.ts';

/** What came of one writer. */
export interface Attempt {
  /** Whether it was held, and so ended by us; else it has come to its end. */
  readonly wasHeld: boolean;
  readonly acknowledged: number;
  /** Its system calls; none where they were not counted. */
  readonly calls: ReadonlyMap<string, number>;
  readonly count: number;
}

/** Has writers follow the same course, each from nothing, strikes each at one moment of it, and looks at what is left. */
export class CourseTrial {
  readonly #cell: Cell;
  readonly #ground: Ground;
  readonly #what: string;
  #next = new Victim(writer);
  #attempts = 0;

  /** @param what for the name of what is kept of a broken promise */
  constructor(cell: Cell, ground: Ground, what: string) {
    this.#cell = cell;
    this.#ground = ground;
    this.#what = what;
  }

  /** Leaves no process behind. */
  async end(): Promise<void> {
    await this.#next.kill();
  }

  /** Strikes when the writer has given its signals. Throws if a promise was broken. */
  async strikeAt(aim: Aim): Promise<Attempt> {
    await this.#ground.clear();
    return this.#strikeAt(aim);
  }

  /** The same, after another writer was killed by its system call of this number: before it had stored anything. */
  async strikeBehind(killAfter: number, subject: string, aim: Aim): Promise<Attempt> {
    await this.#ground.clear();
    const victim = this.#takeVictim();
    await this.#traced(victim, await this.#plan(), subject, killAfter);
    await victim.kill();
    return this.#strikeAt(aim);
  }

  /** Strikes after the writer's system call of this number, counting those that concern `subject`. Throws if a promise was broken. */
  async strikeAfterCall(number: number, subject: string): Promise<Attempt> {
    await this.#ground.clear();
    const victim = this.#takeVictim();
    const { wasHeld, tracer } = await this.#traced(victim, await this.#plan(), subject, number);
    await this.#ground.strike?.();
    await this.#kill(victim);
    await tracer.end();
    const { count, counts } = tracer;
    return { wasHeld, count, calls: counts, acknowledged: await this.#judged(wasHeld, `after call ${wasHeld ? number : count}`) };
  }

  async #strikeAt(aim: Aim): Promise<Attempt> {
    const victim = this.#takeVictim();
    await victim.liveUntil(await this.#plan(), aim, () => undefined);
    victim.stop();
    await this.#ground.strike?.();
    await this.#kill(victim);
    return { wasHeld: true, count: 0, calls: new Map(), acknowledged: await this.#judged(true, `after signal ${aim.signal}, ${aim.times} times`) };
  }

  #takeVictim(): Victim {
    const victim = this.#next;
    this.#next = new Victim(writer);
    return victim;
  }

  get #journal(): string {
    return join(this.#cell.directory, 'journal');
  }

  async #plan(): Promise<WriterPlan> {
    await rm(this.#journal, { force: true });
    const { random } = this.#cell;
    return { cycle: ++this.#attempts, seed: 0, mood: 'steady', life: 0, course: 'the same', isHeard: true, journal: this.#journal, place: this.#ground.place(random) };
  }

  async #traced(victim: Victim, plan: WriterPlan, subject: string, holdAfter: number): Promise<{ readonly wasHeld: boolean; readonly tracer: CallTracer }> {
    await victim.ready();
    const tracer = await CallTracer.attach(victim.pid, subject, holdAfter);
    const held = tracer.held().then(() => true);
    victim.live(plan);
    return { wasHeld: await Promise.race([held, victim.death.then(() => false)]), tracer };
  }

  async #kill(victim: Victim): Promise<void> {
    const { exitCode, stderr } = await victim.kill();
    if (stderr !== '' || (exitCode ?? 0) !== 0) throw new Error(`The writer failed: exit code ${String(exitCode)} ${stderr}`);
  }

  async #judged(wasHeld: boolean, moment: string): Promise<number> {
    try {
      return await this.#judge(wasHeld);
    } catch (error) {
      const kept = evidenceOf(this.#what, this.#cell);
      await mkdir(kept, { recursive: true });
      await this.#ground.keep(kept);
      throw new Error(`${moment} of the writer: ${String(error)}\nkept: ${kept}`, { cause: error });
    }
  }

  async #judge(wasHeld: boolean): Promise<number> {
    const { random } = this.#cell;
    const journal = readJournalIfThere(this.#journal);
    const { found, problem } = await this.#ground.examine(random);
    expect(problem, 'what opening found').toBeUndefined();
    const verdict = judge({ before: new Map(), journal, found });
    if (!verdict.right) throw new Error(`${verdict.wrong}: ${verdict.detail}`);
    if (!wasHeld) expect(verdict.found, 'how far storage has got').toBe(verdict.applied);
    const again = await this.#ground.examine(random);
    expect({ found: again.found, problem: again.problem }, 'what is opened again').toEqual({ found, problem: undefined });
    return verdict.acknowledged;
  }
}
