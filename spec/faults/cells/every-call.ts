import type { Ground } from '../../crash/ground.ts';
import type { Tally } from '../form.ts';
import type { Call } from './call-tracer.ts';
import { CourseTrial } from './course-trial.ts';
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
    const { calls, acknowledged } = await trial.strikeAfterCall(Infinity, subject);
    const tally = { tries: 0, calls: calls.length, acknowledged, 'one call late': 0 };
    for (let round = 1; round <= rounds; round++) {
      for (const number of most === Infinity ? naturals() : spread(stepsOf(calls), most, cell)) {
        const attempt = await trial.strikeAfterCall(number, subject);
        if (!attempt.wasHeld && number > calls.length) break; // how many there are varies a little
        if (!attempt.wasHeld) continue;
        tally.tries++;
        tally.acknowledged += attempt.acknowledged;
        if (attempt.calls.length !== number) tally['one call late']++;
      }
    }
    if (tally.tries === 0) throw new Error('Nothing was tried.');
    return { ...tally, ...numbersOf(calls) };
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
    const places = stepsOf(calls).filter((number) => isFlush(calls[number]) && !isFlush(calls[number - 1]));
    let tries = 0;
    for (let round = 1; round <= rounds; round++) {
      for (const number of spread(places, most, cell)) {
        await trial.strikeBehindLook(number, subject);
        tries++;
      }
    }
    if (tries === 0) throw new Error('Nothing was tried.');
    return { tries, places: places.length };
  } finally {
    await trial.end();
  }
}

/** How many writers are killed, to have all calls of the opening after each of them, if there is no end. */
const killedWriters = 12;

/** Kills writers at places that are spread over their course, and strikes others in their opening what was left. */
export async function everyCallOfOpening(cell: Cell, { what, ground, subject, most }: EveryCallOptions): Promise<Tally> {
  const trial = new CourseTrial(cell, ground, what);
  try {
    const { calls } = await trial.strikeAfterCall(Infinity, subject);
    const writers = Math.min(most, killedWriters);
    const tally = { tries: 0, writers: 0, acknowledged: 0 };
    for (const killAfter of spread(stepsOf(calls), writers, cell)) {
      const { calls: ofOpening } = await trial.strikeInOpening(killAfter, Infinity, subject);
      const all = ofOpening.map((_call, index) => index + 1);
      for (const number of most === Infinity ? all : spread(all, 1, cell)) {
        const { wasHeld, acknowledged } = await trial.strikeInOpening(killAfter, number, subject);
        if (wasHeld) tally.tries++;
        tally.acknowledged += acknowledged;
      }
      tally.writers++;
    }
    if (tally.tries === 0) throw new Error('Nothing was tried.');
    return tally;
  } finally {
    await trial.end();
  }
}

/** The numbers of the calls that are the last ones of their kind on their file for now. */
function stepsOf(calls: readonly Call[]): readonly number[] {
  const isLast = ({ name, on }: Call, next: Call | undefined): boolean => next?.name !== name || next.on !== on;
  return calls.flatMap((call, index) => (isLast(call, calls[index + 1]) ? [index + 1] : []));
}

/** So many of them at most, at even distances from a random beginning. */
function spread(numbers: readonly number[], most: number, { random }: Cell): readonly number[] {
  if (numbers.length <= most) return numbers;
  const distance = numbers.length / most;
  const begin = random.next() * distance;
  return Array.from({ length: most }, (_, index) => numbers[Math.floor(begin + index * distance)] ?? 1);
}

function* naturals(): Generator<number> {
  for (let number = 1; ; number++) yield number;
}

function isFlush(call: Call | undefined): boolean {
  return call?.name === 'fsync' || call?.name === 'fdatasync';
}

function numbersOf(calls: readonly Call[]): Tally {
  const counts: Record<string, number> = {};
  for (const { name } of calls) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
