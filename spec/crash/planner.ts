import type { Random } from './random.ts';
import type { Aim } from './victim.ts';
import type { Mood } from './workload.ts';
import type { WriterPlan } from './writer.ts';

const moods: Readonly<Record<Mood, number>> = { steady: 54, bulk: 15, heavy: 8, growth: 22, idle: 1 };

/** What a writer is to be killed in. `time`: any moment. */
const targets = { opening: 12, reopening: 6, writing: 45, closing: 17, time: 20 };
type Target = keyof typeof targets | 'heavy writing' | 'idling';

/** Decides what a writer does and when it is killed, at random; and learns how long things take, so that kills fall into them. */
export class Planner {
  readonly #random: Random;
  /** Running means, in milliseconds. */
  readonly #durations = { opening: 5, writing: 1, closing: 5 };

  constructor(random: Random) {
    this.#random = random;
  }

  plan(given: Pick<WriterPlan, 'place' | 'journal' | 'cycle'>): { readonly plan: WriterPlan; readonly aim: Aim } {
    const random = this.#random;
    const mood = random.weighted(moods);
    const target = mood === 'idle' ? 'idling' : mood === 'heavy' ? 'heavy writing' : random.weighted(targets);
    const plan: WriterPlan = {
      ...given,
      seed: random.whole(0, 2 ** 31),
      mood,
      life: this.#life(mood, target),
      course: 'at random',
      isHeard: random.chance(0.5),
    };
    return { plan, aim: this.#aim(target) };
  }

  /** What is to be killed in a close must come to it soon. */
  #life(mood: Mood, target: Target): number {
    if (mood === 'idle') return 40;
    if (target === 'closing' || target === 'reopening') return this.#random.magnitude(4, mood === 'bulk' ? 40 : 150);
    return this.#random.magnitude(50, 5_000);
  }

  #aim(target: Target): Aim {
    const random = this.#random;
    const { opening, writing, closing } = this.#durations;
    switch (target) {
      case 'opening':
        return { signal: 'o', times: 1, afterMs: random.next() * opening * 1.2 };
      case 'reopening':
        return { signal: 'o', times: 2, afterMs: random.next() * opening * 1.2 };
      case 'writing':
        return { signal: 'w', times: random.magnitude(1, 60), afterMs: random.next() * writing * 1.3 };
      case 'heavy writing':
        // A megabyte is with the kernel after a millisecond or two; what takes longer is the flush.
        return { signal: 'w', times: random.magnitude(1, 6), afterMs: random.next() * 4 };
      case 'closing':
        return { signal: 'c', times: 1, afterMs: random.next() * closing * 1.3 };
      case 'idling':
        return { signal: 'i', times: 1, afterMs: 900 + random.next() * 200 };
      case 'time':
        return { signal: 'O', times: 1, afterMs: random.next() * 80 };
    }
  }

  /** Hears the signals of one writer, each with its moment in milliseconds. */
  clock(): (signal: string, at: number) => void {
    const begun: Record<string, number> = {};
    const ends = { O: ['o', 'opening'], W: ['w', 'writing'], C: ['c', 'closing'] } as const;
    return (signal, at) => {
      begun[signal] = at;
      if (signal !== 'O' && signal !== 'W' && signal !== 'C') return;
      const [start, phase] = ends[signal];
      const duration = at - (begun[start] ?? at);
      this.#durations[phase] += (duration - this.#durations[phase]) * 0.1;
    };
  }
}
