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
    const { length } = whole.calls;
    const tally = { tries: 0, calls: length, acknowledged: whole.acknowledged, 'one call late': 0 };
    const count = (number: number, { calls, acknowledged }: Attempt): void => {
      tally.tries++;
      tally.acknowledged += acknowledged;
      if (calls.length !== number) tally['one call late']++;
    };
    for (let round = 1; round <= rounds; round++) {
      const step = Math.max(1, length / most);
      const offset = step === 1 ? 1 : cell.random.next() * step + 0.5;
      for (let at = offset; most === Infinity || at < length + 0.5; at += step) {
        const attempt = await trial.strikeAfterCall(Math.round(at), subject);
        if (!attempt.wasHeld) break;
        count(Math.round(at), attempt);
      }
    }
    if (tally.tries === 0) throw new Error('Nothing was tried.');
    return { ...tally, ...numbersOf(whole.calls) };
  } finally {
    await trial.end();
  }
}

/**
 * Kills writers between what they wrote and its flush, has another process open what is there, and strikes: what was shown
 * then is still there.
 */
export async function unflushed(cell: Cell, { what, ground, subject, most, rounds = 1 }: EveryCallOptions): Promise<Tally> {
  const trial = new CourseTrial(cell, ground, what);
  try {
    const { calls } = await trial.strikeAfterCall(Infinity, subject);
    const places = calls.flatMap((_name, index) => (isFlush(calls[index + 1]) && !isFlush(calls[index]) ? [index + 1] : []));
    const step = Math.max(1, places.length / most);
    let tries = 0;
    for (let round = 1; round <= rounds; round++) {
      for (let at = cell.random.next() * step; at < places.length; at += step) {
        await trial.strikeBehindLook(places[Math.floor(at)] ?? 1, subject);
        tries++;
      }
    }
    if (tries === 0) throw new Error('Nothing was tried.');
    return { tries, places: places.length };
  } finally {
    await trial.end();
  }
}

function isFlush(name = ''): boolean {
  return name === 'fsync' || name === 'fdatasync';
}

function numbersOf(names: readonly string[]): Tally {
  const numbers: Record<string, number> = {};
  for (const name of names) numbers[name] = (numbers[name] ?? 0) + 1;
  return numbers;
}
