import { setImmediate as macrotask, setTimeout as delay } from 'node:timers/promises';

import { SaveError, type BatchOptions, type Store } from 'rx-persistify';

import type { Step } from './journal.ts';
import { Random } from './random.ts';
import { newStamp, stampedValue } from './stamped-value.ts';
import type { Survivor } from './storage.ts';

/**
 * `bulk` has long values, so that logs are folded; `heavy` has batches so long that a kill cuts one in its middle; `growth`
 * has many keys; `idle` writes a little and then waits.
 */
export type Mood = 'steady' | 'bulk' | 'heavy' | 'growth' | 'idle';

export interface WorkloadPlan {
  readonly cycle: number;
  readonly seed: number;
  readonly mood: Mood;
  /** About how many actions lie between open and close. */
  readonly life: number;
}

/** To whom the workload tells what it does. */
export interface Witness {
  /** The store's `seq` after everything told so far. */
  readonly seq: number;
  /** Called before the change is applied. Returns the store's `seq` after it. */
  change(steps: readonly Step[]): number;
  /** Called when the store has said that everything up to `seq` is saved. */
  acknowledged(seq: number): void;
  idling(): void;
  /** Called when what was waited for could not be saved. Without it, the workload ends with that error, and does also what storage decides. */
  failed?(error: SaveError): void;
}

interface Habits {
  readonly keys: number;
  readonly batch: BatchOptions | undefined;
  /** How many write and wait at the same time. */
  readonly actors: number;
  /** The least and the greatest length of a value's text. */
  readonly lengths: readonly [number, number];
}

const habits: Readonly<Record<Mood, Habits>> = {
  steady: { keys: 60, batch: { size: 8, intervalMs: 2 }, actors: 4, lengths: [1, 200] },
  bulk: { keys: 24, batch: { size: 20, intervalMs: 5 }, actors: 3, lengths: [1, 300_000] },
  heavy: { keys: 12, batch: { size: 4, intervalMs: 5 }, actors: 2, lengths: [200_000, 700_000] },
  growth: { keys: 2_000, batch: { size: 100, intervalMs: 3 }, actors: 4, lengths: [1, 60] },
  idle: { keys: 60, batch: undefined, actors: 2, lengths: [1, 200] },
};

/** Longer than json-file waits before it folds. */
const idleMs = 1_500;

export function batchOf(mood: Mood): BatchOptions {
  return habits[mood].batch ?? {};
}

const actions = {
  set: 30,
  setMany: 4,
  add: 3,
  update: 5,
  delete: 10,
  clear: 0.3,
  transaction: 6,
  undoneTransaction: 2,
  setAndSave: 14,
  setAndSaveAtOnce: 3,
  addAndSave: 2,
  updateAndSave: 3,
  deleteAndSave: 3,
  clearAndSave: 0.2,
  transactionAndSave: 4,
  flush: 3,
  macrotask: 12,
  pause: 1,
};

/** Uses stores as their users would, several at once, and tells a witness. Repeats itself only where timing does. */
export class Workload {
  readonly #plan: WorkloadPlan;
  readonly #random: Random;
  #writes = 0;
  /** A write that storage decides is under way. */
  #deciding: Promise<void> | undefined;

  constructor(plan: WorkloadPlan) {
    this.#plan = plan;
    this.#random = new Random(plan.seed);
  }

  /** What is done with a store between open and close. Leaves something unsaved behind. */
  async live(store: Store<Survivor>, witness: Witness): Promise<void> {
    const { life, mood } = this.#plan;
    const { actors } = habits[mood];
    const act = async (): Promise<void> => {
      for (let left = Math.ceil(life / actors); left > 0; left--) {
        try {
          await this.#act(store, witness);
        } catch (error) {
          if (witness.failed === undefined || !(error instanceof SaveError)) throw error;
          witness.failed(error);
        }
      }
    };
    await Promise.all(Array.from({ length: actors }, act));
    if (mood === 'idle') {
      await delay(20);
      witness.idling();
      await delay(idleMs);
    }
    this.#set(store, witness, this.#key());
  }

  async #act(store: Store<Survivor>, witness: Witness): Promise<void> {
    while (this.#deciding !== undefined) await this.#deciding;
    const random = this.#random;
    const key = this.#key();
    switch (random.weighted(actions)) {
      case 'set':
        this.#set(store, witness, key);
        return;
      case 'setMany':
        for (let left = random.magnitude(5, habits[this.#plan.mood].keys); left > 0; left--) this.#set(store, witness, this.#key());
        return;
      case 'add': {
        const step = this.#newSet(key);
        if (!store.has(key)) witness.change([step]);
        store.add(key, stampedValue(step.stamp));
        return;
      }
      case 'update': {
        const step = this.#newSet(key);
        witness.change([step]);
        store.update(key, () => stampedValue(step.stamp));
        return;
      }
      case 'delete':
        if (store.has(key)) witness.change([{ type: 'delete', key }]);
        store.delete(key);
        return;
      case 'clear':
        if (store.size > 0) witness.change([{ type: 'clear' }]);
        store.clear();
        return;
      case 'transaction': {
        const steps = this.#newTransaction(store);
        witness.change(steps);
        store.transaction(() => this.#apply(store, steps));
        return;
      }
      case 'undoneTransaction':
        this.#undoneTransaction(store, witness);
        return;
      case 'setAndSave': {
        const step = this.#newSet(key);
        const seq = witness.change([step]);
        await store.setAndSave(key, stampedValue(step.stamp));
        witness.acknowledged(seq);
        return;
      }
      case 'setAndSaveAtOnce':
        await this.#setAndSaveAtOnce(store, witness);
        return;
      case 'addAndSave':
        await this.#alone(store, witness, async () => {
          if (store.has(key)) return;
          const step = this.#newSet(key);
          const seq = witness.change([step]);
          await store.addAndSave(key, stampedValue(step.stamp));
          witness.acknowledged(seq);
        });
        return;
      case 'updateAndSave':
        await this.#alone(store, witness, async () => {
          const step = this.#newSet(key);
          const seq = witness.change([step]);
          await store.updateAndSave(key, () => stampedValue(step.stamp));
          witness.acknowledged(seq);
        });
        return;
      case 'deleteAndSave': {
        if (!store.has(key)) return;
        const seq = witness.change([{ type: 'delete', key }]);
        await store.deleteAndSave(key);
        witness.acknowledged(seq);
        return;
      }
      case 'clearAndSave': {
        if (store.size === 0) return;
        const seq = witness.change([{ type: 'clear' }]);
        await store.clearAndSave();
        witness.acknowledged(seq);
        return;
      }
      case 'transactionAndSave': {
        const steps = this.#newTransaction(store);
        const seq = witness.change(steps);
        await store.transactionAndSave(() => this.#apply(store, steps));
        witness.acknowledged(seq);
        return;
      }
      case 'flush': {
        const { seq } = witness;
        await store.flush();
        witness.acknowledged(seq);
        return;
      }
      case 'macrotask':
        await macrotask();
        return;
      case 'pause':
        await delay(random.whole(1, 4));
        return;
    }
  }

  /**
   * What storage decides is applied when it has, so that its place among what others do meanwhile is not known before: the
   * others wait. Nothing is unsaved when it begins. Where saving may fail it is not done: nobody could tell whether it was.
   */
  async #alone(store: Store<Survivor>, witness: Witness, write: () => Promise<void>): Promise<void> {
    if (witness.failed !== undefined) return;
    while (this.#deciding !== undefined) await this.#deciding;
    const deciding = store.flush().then(write);
    this.#deciding = deciding.finally(() => (this.#deciding = undefined));
    await this.#deciding;
  }

  /** Waiting writes of one turn share a commit. */
  async #setAndSaveAtOnce(store: Store<Survivor>, witness: Witness): Promise<void> {
    const saving = Array.from({ length: this.#random.whole(2, 6) }, async () => {
      const step = this.#newSet(this.#key());
      const seq = witness.change([step]);
      await store.setAndSave(step.key, stampedValue(step.stamp));
      witness.acknowledged(seq);
    });
    await Promise.all(saving);
  }

  #set(store: Store<Survivor>, witness: Witness, key: string): void {
    const step = this.#newSet(key);
    witness.change([step]);
    store.set(key, stampedValue(step.stamp));
  }

  /** Changes that nobody may ever see; one nested savepoint in four is undone inside a transaction that is kept. */
  #undoneTransaction(store: Store<Survivor>, witness: Witness): void {
    const undone = this.#newTransaction(store);
    const isNested = this.#random.chance(0.25);
    const kept = isNested ? this.#newSet(this.#key()) : undefined;
    if (kept !== undefined) witness.change([kept]);
    const undo = (): void => {
      try {
        store.transaction(() => {
          this.#apply(store, undone);
          throw new Undo();
        });
      } catch (error) {
        if (!(error instanceof Undo)) throw error;
      }
    };
    if (kept === undefined) undo();
    else {
      store.transaction(() => {
        undo();
        store.set(kept.key, stampedValue(kept.stamp));
      });
    }
  }

  #newTransaction(store: Store<Survivor>): Step[] {
    const steps: Step[] = [];
    const touched = new Set<string>();
    const isCleared = store.size > 0 && this.#random.chance(0.02);
    if (isCleared) steps.push({ type: 'clear' });
    for (let left = this.#random.whole(2, 8); left > 0; left--) {
      const key = this.#key();
      // Deleting what is not there is no change, so it must be certain to be.
      if (!isCleared && !touched.has(key) && store.has(key) && this.#random.chance(0.3)) steps.push({ type: 'delete', key });
      else steps.push(this.#newSet(key));
      touched.add(key);
    }
    return steps;
  }

  #apply(store: Store<Survivor>, steps: readonly Step[]): void {
    for (const step of steps) {
      if (step.type === 'set') store.set(step.key, stampedValue(step.stamp));
      else if (step.type === 'delete') store.delete(step.key);
      else store.clear();
    }
  }

  #newSet(key: string): Extract<Step, { type: 'set' }> {
    const length = this.#random.magnitude(...habits[this.#plan.mood].lengths);
    return { type: 'set', key, stamp: newStamp(this.#plan.cycle, ++this.#writes, length) };
  }

  #key(): string {
    return `key-${this.#random.whole(1, habits[this.#plan.mood].keys)}`;
  }
}

class Undo extends Error {}
