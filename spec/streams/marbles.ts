import type { SchedulerAction, SchedulerLike, Subscription } from 'rxjs';
import { TestScheduler, type RunHelpers } from 'rxjs/testing';
import { expect } from 'vitest';

export interface Marbles extends RunHelpers {
  readonly scheduler: TestScheduler;
  /** The same time, with a count of those who wait for it. */
  readonly timers: CountedTimers;
}

/** A test in virtual time: each character of a drawing is a millisecond. */
export function marbles(test: (marbles: Marbles) => void): () => void {
  return () => {
    const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
    scheduler.run((helpers) => test({ ...helpers, scheduler, timers: new CountedTimers(scheduler) }));
  };
}

export class CountedTimers implements SchedulerLike {
  open = 0;
  readonly #scheduler: SchedulerLike;

  constructor(scheduler: SchedulerLike) {
    this.#scheduler = scheduler;
  }

  now(): number {
    return this.#scheduler.now();
  }

  schedule<T>(work: (this: SchedulerAction<T>, state: T) => void, delay: number, state: T): Subscription;
  schedule<T>(work: (this: SchedulerAction<T>, state?: T) => void, delay: number, state?: T): Subscription;
  schedule<T>(work: (this: SchedulerAction<T>, state: T) => void, delay: number, state: T): Subscription {
    const subscription = this.#scheduler.schedule<T>(work as (this: SchedulerAction<T>, state?: T) => void, delay, state);
    this.open++;
    subscription.add(() => this.open--);
    return subscription;
  }
}
