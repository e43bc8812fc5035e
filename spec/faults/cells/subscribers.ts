import { config, Subscription, type Observable } from 'rxjs';
import { expect, onTestFinished } from 'vitest';

import type { Random } from '../../crash/random.ts';
import type { Trial } from './matrix.ts';
import type { Storages } from './storages.ts';
import { Subject } from './subject.ts';

class OwnError extends Error {}

/** What its subscribers did. */
interface Deeds {
  thrown: number;
  reentered: number;
  left: number;
  late: number;
  completed: number;
}

/** Subscribers that do what they should not, all at random. */
class Crowd {
  readonly deeds: Deeds = { thrown: 0, reentered: 0, left: 0, late: 0, completed: 0 };
  readonly #subject: Subject;
  readonly #random: Random;
  /** They write no more. */
  isOver = false;
  #depth = 0;
  #staying = 0;

  constructor(subject: Subject, random: Random) {
    this.#subject = subject;
    this.#random = random;
  }

  /** How many have neither left nor been told that it is over. */
  get staying(): number {
    return this.#staying - this.deeds.completed;
  }

  /** One more, of a stream at random, who may bring in others, write, throw, or leave, in the middle of being told. */
  join(): void {
    const { store } = this.#subject;
    const key = `key-${this.#random.whole(1, 60)}`;
    const streams: readonly Observable<unknown>[] = [store.changes$, store.saves$, store.errors$, store.status$, store.size$, store.entries$, store.get$(key), store.has$(key)];
    const stream = streams[this.#random.whole(0, streams.length - 1)];
    const subscription = new Subscription();
    this.#staying++;
    subscription.add(stream?.subscribe({
      next: () => this.#misbehave(() => {
        if (subscription.closed) return;
        subscription.unsubscribe();
        this.#staying--;
        this.deeds.left++;
      }),
      complete: () => {
        this.deeds.completed++;
      },
    }));
  }

  #misbehave(leave: () => void): void {
    const random = this.#random;
    if (random.chance(0.02)) leave();
    if (random.chance(0.01) && this.#staying < 300) {
      this.deeds.late++;
      this.join();
    }
    if (random.chance(0.02) && this.#depth < 3 && !this.isOver) {
      this.#depth++;
      this.deeds.reentered++;
      this.#subject.set(`key-${random.whole(1, 60)}`);
      this.#depth--;
    }
    if (random.chance(0.05)) {
      this.deeds.thrown++;
      throw new OwnError('thrown by a subscriber');
    }
  }
}

/** A crowd of such subscribers: those who behave miss nothing, storage is right, and at the end nobody is left. */
export function badSubscribers(storages: Storages): Trial {
  return async (cell) => {
    const unhandled: unknown[] = [];
    config.onUnhandledError = (error) => void unhandled.push(error);
    onTestFinished(() => void (config.onUnhandledError = null));
    const storage = storages.fresh(cell);
    const subject = await Subject.open({ provider: storage.provider(), random: cell.random });
    const { store } = subject;
    const crowd = new Crowd(subject, cell.random);
    for (let count = 0; count < 60; count++) crowd.join();
    // Those who behave come last, behind all who do not.
    let last: number | undefined;
    let gaps = 0;
    store.changes$.subscribe(({ seq }) => {
      if (seq !== (last ?? seq - 1) + 1) gaps++;
      last = seq;
    });
    const values = new Map<string, unknown>();
    for (let index = 1; index <= 60; index++) store.get$(`key-${index}`).subscribe((value) => values.set(`key-${index}`, value));
    let lastSize = -1;
    store.size$.subscribe((size) => (lastSize = size));

    for (let round = 0; round < cell.times(10, 500); round++) {
      await subject.live(40);
      crowd.join();
    }
    crowd.isOver = true;
    await subject.flush();
    expect(gaps, 'changes missed, or told twice').toBe(0);
    for (const [key, value] of values) expect(value, key).toBe(store.get(key));
    expect(lastSize).toBe(store.size);
    await subject.close();
    // What `entries$` and `status$` tell once a macrotask, they tell before they end.
    await expect.poll(() => crowd.staying, { message: 'who never leaves is told that it is over' }).toBe(0);
    const unreported = (): number => crowd.deeds.thrown - unhandled.filter((error) => error instanceof OwnError).length;
    await expect.poll(unreported).toBe(0);
    expect(unhandled.filter((error) => !(error instanceof OwnError))).toEqual([]);
    expect(subject.failures).toEqual([]);
    const { acknowledged } = await subject.expectKept(storage.provider(), { isWhole: true });
    const { thrown, reentered, left, late } = crowd.deeds;
    expect(Math.min(thrown, reentered, left, late), 'each is done').toBeGreaterThan(0);
    return { thrown, reentered, left, late, acknowledged };
  };
}
