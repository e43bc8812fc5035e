import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'vitest';

import type { Ground } from '../../crash/ground.ts';
import { digestOf, readJournal, readJournalIfThere, type JournalRecord } from '../../crash/journal.ts';
import { judge } from '../../crash/oracle.ts';
import { Victim, type Aim } from '../../crash/victim.ts';
import type { WriterPlan } from '../../crash/writer.ts';
import { CallTracer, type Call } from './call-tracer.ts';
import { evidenceOf, writer } from './campaign.ts';
import type { Cell } from './matrix.ts';

/** What came of one writer. */
export interface Attempt {
  /** Whether it was held, and so ended by us; else it has come to its end. */
  readonly wasHeld: boolean;
  readonly acknowledged: number;
  /** Its system calls; none where they were not counted. */
  readonly calls: readonly Call[];
}

const opened: Aim = { signal: 'O', times: 1, afterMs: 0 };

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
    const victim = this.#takeVictim();
    await victim.liveUntil(await this.#plan('the same'), aim, () => undefined);
    victim.stop();
    await this.#strikeAndKill(victim);
    return { wasHeld: true, calls: [], acknowledged: await this.#judged(readJournalIfThere(this.#journal), false, `after signal ${aim.signal}, ${aim.times} times`) };
  }

  /**
   * Kills a writer after its system call of this number, has another one open what it left, and strikes. What was shown then
   * must be there again, though nobody acknowledged all of it.
   */
  async strikeBehindLook(killAfter: number, subject: string): Promise<void> {
    await this.#ground.clear();
    const writer = this.#takeVictim();
    await this.#traced(writer, await this.#plan('the same'), subject, killAfter);
    await writer.kill();
    const reader = this.#takeVictim();
    await reader.liveUntil(await this.#plan('none'), opened, () => undefined);
    await this.#strikeAndKill(reader);
    await this.#keepingEvidence(`after call ${killAfter}, and a look`, async () => {
      const shown = readJournal(this.#journal).find((record) => record.type === 'opened');
      if (shown === undefined) throw new Error('The other one did not open.');
      expect(digestOf(await this.#examined()), 'what is there').toBe(shown.digest);
    });
  }

  /**
   * Kills a writer after its system call of this number, and strikes another one after that call of its opening what was left.
   * It is not held if it has opened before.
   */
  async strikeInOpening(killAfter: number, number: number, subject: string): Promise<Attempt> {
    await this.#ground.clear();
    const writer = this.#takeVictim();
    await this.#traced(writer, await this.#plan('the same'), subject, killAfter);
    await writer.kill();
    const journal = readJournalIfThere(this.#journal);
    const opener = this.#takeVictim();
    const { wasHeld, tracer } = await this.#traced(opener, await this.#plan('none'), subject, number);
    await this.#strikeAndKill(opener);
    await tracer.end();
    return { wasHeld, calls: tracer.calls, acknowledged: await this.#judged(journal, false, `after call ${killAfter}, and after call ${number} of the next opening`) };
  }

  /** Strikes after the writer's system call of this number, counting those that concern `subject`. Throws if a promise was broken. */
  async strikeAfterCall(number: number, subject: string): Promise<Attempt> {
    await this.#ground.clear();
    const victim = this.#takeVictim();
    const { wasHeld, tracer } = await this.#traced(victim, await this.#plan('the same'), subject, number);
    await this.#strikeAndKill(victim);
    await tracer.end();
    const { calls } = tracer;
    return { wasHeld, calls, acknowledged: await this.#judged(readJournalIfThere(this.#journal), !wasHeld, `after call ${wasHeld ? number : calls.length}`) };
  }

  #takeVictim(): Victim {
    const victim = this.#next;
    this.#next = new Victim(writer);
    return victim;
  }

  get #journal(): string {
    return join(this.#cell.directory, 'journal');
  }

  async #plan(course: WriterPlan['course']): Promise<WriterPlan> {
    await rm(this.#journal, { force: true });
    const { random } = this.#cell;
    return { cycle: ++this.#attempts, seed: 0, mood: 'steady', life: 0, course, isHeard: true, journal: this.#journal, place: this.#ground.place(random) };
  }

  async #traced(victim: Victim, plan: WriterPlan, subject: string, holdAfter: number): Promise<{ readonly wasHeld: boolean; readonly tracer: CallTracer }> {
    await victim.ready();
    const tracer = await CallTracer.attach(victim.pid, subject, holdAfter);
    const held = tracer.held().then(() => true);
    const over = plan.course === 'none' ? victim.liveUntil(plan, opened, () => undefined) : victim.live(plan);
    return { wasHeld: await Promise.race([held, over.then(() => false)]), tracer };
  }

  async #strikeAndKill(victim: Victim): Promise<void> {
    await this.#ground.strike?.();
    const { exitCode, stderr } = await victim.kill();
    if (stderr !== '' || (exitCode ?? 0) !== 0) throw new Error(`The writer failed: exit code ${String(exitCode)} ${stderr}`);
  }

  /** @param isWhole whether everything must be there that was applied */
  async #judged(journal: readonly JournalRecord[], isWhole: boolean, moment: string): Promise<number> {
    return this.#keepingEvidence(moment, async () => {
      const found = await this.#examined();
      const verdict = judge({ before: new Map(), journal, found });
      if (!verdict.right) throw new Error(`${verdict.wrong}: ${verdict.detail}`);
      if (isWhole) expect(verdict.found, 'how far storage has got').toBe(verdict.applied);
      expect(await this.#examined(), 'what is opened again').toEqual(found);
      return verdict.acknowledged;
    });
  }

  async #examined(): Promise<ReadonlyMap<string, string>> {
    const { found, problem } = await this.#ground.examine(this.#cell.random);
    expect(problem, 'what opening found').toBeUndefined();
    return found;
  }

  async #keepingEvidence<Result>(moment: string, judgement: () => Promise<Result>): Promise<Result> {
    try {
      return await judgement();
    } catch (error) {
      const kept = evidenceOf(this.#what, this.#cell);
      await mkdir(kept, { recursive: true });
      await this.#ground.keep(kept);
      await cp(this.#journal, join(kept, 'journal')).catch(() => undefined); // there may be none yet
      throw new Error(`${moment}: ${String(error)}\nkept: ${kept}`, { cause: error });
    }
  }
}
