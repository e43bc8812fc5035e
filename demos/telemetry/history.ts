import type { Store } from 'rx-persistify';

import type { Values } from './sampling.ts';

/** The value of a metric, and when it was measured. */
export interface Measurement {
  readonly value: number;
  readonly at: number;
}

/** The current value of each metric. */
export type Current = Record<string, Measurement>;

/** All metrics at one moment. */
export interface Sample {
  /** Counts all samples that there ever were, from 1. */
  readonly sequence: number;
  readonly at: number;
  readonly values: Values;
}

/** The last samples, each in its slot; a new one takes the slot of the oldest, so that storing it costs one entry. */
export type Slots = Record<string, Sample>;

/** How many samples are kept: a minute. */
export const capacity = 240;

/** What is kept, in short. */
export interface Kept {
  readonly metrics: number;
  readonly samples: number;
  readonly from: number;
  readonly to: number;
}

/** The dictionaries that hold what was measured. */
export class Measurements {
  readonly current: Store<Current>;
  readonly slots: Store<Slots>;
  #lastSequence: number;

  constructor(current: Store<Current>, slots: Store<Slots>) {
    this.current = current;
    this.slots = slots;
    this.#lastSequence = sortSamples(slots.values()).at(-1)?.sequence ?? 0;
  }

  add(at: number, values: Values): void {
    // Of one sample, storage holds all values or none.
    this.current.transaction(() => {
      for (const [metric, value] of Object.entries(values)) this.current.set(metric, { value, at });
    });
    this.#lastSequence += 1;
    this.slots.set(slotOf(this.#lastSequence), { sequence: this.#lastSequence, at, values });
  }

  get kept(): Kept | undefined {
    const samples = sortSamples(this.slots.values());
    const [first, last] = [samples[0], samples.at(-1)];
    if (first === undefined || last === undefined) return undefined;
    return { metrics: this.current.size, samples: samples.length, from: first.at, to: last.at };
  }
}

export function slotOf(sequence: number): string {
  return String(sequence % capacity).padStart(3, '0');
}

/** The samples in the order in which they were taken. */
export function sortSamples(samples: Iterable<Sample>): readonly Sample[] {
  return [...samples].sort((left, right) => left.sequence - right.sequence);
}
