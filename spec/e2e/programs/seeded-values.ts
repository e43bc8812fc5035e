import type { Values } from '../../../demos/telemetry/sampling.ts';
import { Random } from '../../crash/random.ts';

/** How a metric moves: around `middle` in waves of `seconds`, with noise; `burst`, now and then, to so much more. */
interface Course {
  readonly middle: number;
  readonly swing: number;
  readonly seconds: number;
  readonly noise: number;
  readonly burst?: number;
}

const MiB = 1_024 ** 2;

const courses: Readonly<Record<string, Course>> = {
  'cpu.0': { middle: 34, swing: 14, seconds: 41, noise: 7, burst: 38 },
  'cpu.1': { middle: 27, swing: 10, seconds: 29, noise: 6, burst: 45 },
  'memory.used': { middle: 5_300 * MiB, swing: 130 * MiB, seconds: 95, noise: 12 * MiB },
  'memory.process': { middle: 92 * MiB, swing: 9 * MiB, seconds: 33, noise: 1.5 * MiB },
  'load.1': { middle: 0.92, swing: 0.34, seconds: 70, noise: 0.02 },
  'load.5': { middle: 0.81, swing: 0.07, seconds: 160, noise: 0.005 },
  'load.15': { middle: 0.64, swing: 0.02, seconds: 300, noise: 0.002 },
  'network.received': { middle: 0.6 * MiB, swing: 0.35 * MiB, seconds: 37, noise: 0.15 * MiB, burst: 2.4 * MiB },
  'network.sent': { middle: 0.16 * MiB, swing: 0.07 * MiB, seconds: 31, noise: 0.04 * MiB, burst: 0.5 * MiB },
  'disk.read': { middle: 0.1 * MiB, swing: 0.08 * MiB, seconds: 53, noise: 0.05 * MiB, burst: 4.2 * MiB },
  'disk.written': { middle: 0.9 * MiB, swing: 0.3 * MiB, seconds: 23, noise: 0.3 * MiB, burst: 3 * MiB },
  'loop.mean': { middle: 0.4, swing: 0.1, seconds: 17, noise: 0.12 },
  'loop.max': { middle: 2.4, swing: 0.8, seconds: 19, noise: 1.1, burst: 9 },
};

/** A machine that is made up: what it does looks like one at work, and follows from a seed alone. */
export class SeededMachine {
  readonly #random: Random;
  /** What is left of bursts, by metric. */
  readonly #bursts = new Map<string, number>();
  #step = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** Its values a quarter of a second after those before. */
  next(): Values {
    this.#step += 1;
    const values = Object.fromEntries(Object.entries(courses).map(([metric, course]) => [metric, this.#valueOf(metric, course)]));
    const cores = [values['cpu.0'] ?? 0, values['cpu.1'] ?? 0].map((value) => Math.min(100, value));
    const [first = 0, second = 0] = cores;
    return { cpu: rounded((first + second) / 2), ...values, 'cpu.0': first, 'cpu.1': second };
  }

  #valueOf(metric: string, { middle, swing, seconds, noise, burst = 0 }: Course): number {
    const begins = burst > 0 && this.#random.chance(1 / 70);
    const left = begins ? burst * (0.4 + 0.6 * this.#random.next()) : (this.#bursts.get(metric) ?? 0) * 0.72;
    this.#bursts.set(metric, left);
    const wave = Math.sin((this.#step / 4 / seconds) * 2 * Math.PI);
    return rounded(Math.max(0, middle + swing * wave + noise * (2 * this.#random.next() - 1) + left));
  }
}

function rounded(value: number): number {
  return value < 1_000 ? Math.round(value * 100) / 100 : Math.round(value);
}
