import type { Ground } from '../../crash/ground.ts';
import type { Tally } from '../form.ts';
import { CourseTrial, type Attempt } from './course-trial.ts';
import type { Cell } from './matrix.ts';

export interface EveryCallOptions {
  /** For the name of what is kept of a broken promise. */
  readonly what: string;
  readonly ground: Ground;
  /** What strace writes in a call that counts. */
  readonly subject: string;
  /** After how many calls at most, spread over all of them. Without end: after each one, until a writer comes to its end. */
  readonly most: number;
  /** @default 1 */
  readonly rounds?: number;
}

/** Strikes writers that follow the same course, each after another one of its system calls. */
export async function everyCall(cell: Cell, { what, ground, subject, most, rounds = 1 }: EveryCallOptions): Promise<Tally> {
  const trial = new CourseTrial(cell, ground, what);
  try {
    const whole = await trial.strikeAfterCall(Infinity, subject);
    const tally = { tries: 0, calls: whole.count, acknowledged: whole.acknowledged, 'one call late': 0 };
    const count = (number: number, { count, acknowledged }: Attempt): void => {
      tally.tries++;
      tally.acknowledged += acknowledged;
      if (count !== number) tally['one call late']++;
    };
    for (let round = 1; round <= rounds; round++) {
      const step = Math.max(1, whole.count / most);
      const offset = step === 1 ? 1 : cell.random.next() * step + 0.5;
      for (let at = offset; most === Infinity || at < whole.count + 0.5; at += step) {
        const attempt = await trial.strikeAfterCall(Math.round(at), subject);
        if (!attempt.wasHeld) break;
        count(Math.round(at), attempt);
      }
    }
    if (tally.tries === 0) throw new Error('Nothing was tried.');
    return { ...tally, ...Object.fromEntries(whole.calls) };
  } finally {
    await trial.end();
  }
}
