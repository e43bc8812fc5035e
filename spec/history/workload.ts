import { setTimeout as delay } from 'node:timers/promises';

import { SaveError, type Store } from 'rx-persistify';

import { Random } from '../crash/random.ts';
import { countOf, keyOf, pairNames, pairSize } from './keys.ts';
import type { MemberPlan } from './messages.ts';
import { now, type Witness } from './witness.ts';
import { countIn, idOf, writeId, type History, type WrittenValue } from './written-value.ts';

/** How often a waiting writer does what. */
const weights = {
  setAndSave: 40,
  deleteAndSave: 6,
  transactionAndSave: 16,
  undoneTransaction: 2,
  addAndSave: 12,
  releaseClaim: 6,
  updateAndSave: 16,
  flush: 2,
} as const;

/** How many write at a time, each waiting for its own. */
const waitingWriters = 4;
const clearChance = 1 / 10_000;
const probeEveryMs = 250;

/** What one process writes: bursts of plain writes, some writers that wait for what they do, and now and then a probe. */
export class Workload {
  readonly #store: Store<History>;
  readonly #witness: Witness;
  readonly #random: Random;
  readonly #slot: number;
  #running: readonly Promise<void>[] = [];
  #isResting = false;
  #probes = 0;
  #probe = '';

  constructor(store: Store<History>, witness: Witness, { seed, slot }: MemberPlan) {
    this.#store = store;
    this.#witness = witness;
    this.#random = new Random(seed);
    this.#slot = slot;
  }

  /** Begins, or goes on measuring under another name. */
  work(probe: string): void {
    this.#probe = probe;
    if (this.#running.length > 0 || this.#isResting) return;
    this.#running = [this.#writePlainly(), this.#measure(), ...Array.from({ length: waitingWriters }, () => this.#writeAndWait())];
  }

  /** Resolves when everything that was written is saved. */
  async rest(): Promise<void> {
    this.#isResting = true;
    await Promise.all(this.#running);
    while (!(await this.#flush())) await delay(50);
  }

  async probe(name: string, times: number, everyMs: number, isSaved: boolean): Promise<void> {
    for (let left = times; left > 0; left--) {
      await this.#setProbe(name, isSaved);
      await delay(everyMs * (0.5 + this.#random.next()));
    }
  }

  async #writePlainly(): Promise<void> {
    const random = this.#random;
    while (!this.#isResting) {
      const { state } = this.#store.status;
      // While storage is away a little goes on, and is gathered behind the batch at the head.
      const isAway = state === 'retrying' || state === 'failing';
      if (!isAway || random.chance(0.2)) for (let left = random.whole(1, 30); left > 0; left--) this.#writeOnePlainly();
      await delay(random.magnitude(10, 160));
    }
  }

  #writeOnePlainly(): void {
    const random = this.#random;
    if (random.chance(clearChance)) this.#store.clear();
    const key = this.#key();
    if (random.chance(0.1)) this.#store.delete(key);
    else this.#store.set(key, this.#value());
  }

  async #measure(): Promise<void> {
    while (!this.#isResting) {
      await this.#setProbe(this.#probe, false);
      await delay(probeEveryMs * (0.5 + this.#random.next()));
    }
  }

  async #setProbe(probe: string, isSaved: boolean): Promise<void> {
    // Of no other process, and not again soon: a probe that is overtaken is never measured.
    const key = keyOf('probe', this.#slot * 8 + (this.#probes++ % 8));
    const value = this.#witness.newValue({ probe, at: now() });
    if (!isSaved) this.#store.set(key, value);
    else if (await this.#waitFor(() => this.#store.setAndSave(key, value))) this.#witness.resolved(key, value);
  }

  async #writeAndWait(): Promise<void> {
    const random = this.#random;
    while (!this.#isResting) {
      await this.#writeOne(random.weighted(weights));
      await delay(random.magnitude(5, 100));
    }
  }

  #writeOne(type: keyof typeof weights): Promise<void> {
    switch (type) {
      case 'setAndSave':
        return this.#setAndSave();
      case 'deleteAndSave':
        return this.#deleteAndSave(this.#key());
      case 'transactionAndSave':
        return this.#transactionAndSave();
      case 'undoneTransaction':
        return this.#undoneTransaction();
      case 'addAndSave':
        return this.#addAndSave();
      case 'releaseClaim':
        return this.#deleteAndSave(this.#claim());
      case 'updateAndSave':
        return this.#updateAndSave();
      case 'flush':
        return this.#flush().then(() => undefined);
    }
  }

  async #setAndSave(): Promise<void> {
    const key = this.#key();
    const value = this.#value();
    if (await this.#waitFor(() => this.#store.setAndSave(key, value))) this.#witness.resolved(key, value);
  }

  async #deleteAndSave(key: string): Promise<void> {
    await this.#waitFor(() => this.#store.deleteAndSave(key));
  }

  async #transactionAndSave(): Promise<void> {
    const pair = this.#pair();
    const keys = pairNames(pair);
    const values = keys.map(() => this.#value());
    const write = (): void => {
      for (const [index, key] of keys.entries()) this.#store.set(key, valueAt(values, index));
    };
    const isSaved = await this.#waitFor(async () => {
      await this.#store.transactionAndSave(write);
      return true;
    });
    if (isSaved) for (const [index, key] of keys.entries()) this.#witness.resolved(key, valueAt(values, index));
  }

  #undoneTransaction(): Promise<void> {
    const keys = [...pairNames(this.#pair()), this.#key()];
    try {
      this.#store.transaction(() => {
        for (const key of keys) {
          const value = this.#value();
          this.#store.set(key, value);
          this.#witness.declined(key, value);
        }
        throw new Undo();
      });
    } catch (error) {
      if (!(error instanceof Undo)) throw error;
    }
    return Promise.resolve();
  }

  async #addAndSave(): Promise<void> {
    const key = this.#claim();
    const value = this.#value();
    this.#witness.proposed(key, value);
    const added = await this.#decided(key, value, () => this.#store.addAndSave(key, value));
    if (added === true) this.#witness.accepted(key, value);
    if (added === false) this.#witness.declined(key, value);
  }

  async #updateAndSave(): Promise<void> {
    const key = keyOf('counter', this.#random.whole(0, countOf('counter') - 1));
    const value = this.#value();
    this.#witness.proposed(key, value);
    const counted = await this.#decided(key, value, async () => {
      const after = await this.#store.updateAndSave(key, (before) => ({ ...value, count: countIn(before) + 1 }));
      return idOf(after) === writeId(value.life, value.n);
    });
    if (counted === true) this.#witness.accepted(key, value);
    if (counted === false) throw new Error(`updateAndSave of ${key} resolved to another value than the one that it made.`);
  }

  /** Whether everything is saved. */
  async #flush(): Promise<boolean> {
    return (await this.#waitFor(() => this.#store.flush())) === true;
  }

  /** What storage decided; `undefined`: nobody knows. */
  async #decided(key: string, value: WrittenValue, write: () => Promise<boolean>): Promise<boolean | undefined> {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof SaveError)) throw error;
      if (error.outcome === 'discarded') this.#witness.declined(key, value);
      else this.#witness.unknown();
      return undefined;
    }
  }

  async #waitFor(write: () => Promise<boolean>): Promise<boolean | undefined> {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof SaveError)) throw error;
      this.#witness.unknown();
      return undefined;
    }
  }

  #value(): WrittenValue {
    return this.#witness.newValue(this.#random.chance(0.3) ? { text: 'x'.repeat(this.#random.magnitude(1, 300)) } : {});
  }

  /** One that anybody may write, one in three of few. */
  #key(): string {
    const kind = this.#random.chance(0.33) ? 'hot' : 'key';
    return keyOf(kind, this.#random.whole(0, countOf(kind) - 1));
  }

  #claim(): string {
    return keyOf('claim', this.#random.whole(0, countOf('claim') - 1));
  }

  #pair(): number {
    return this.#random.whole(0, countOf('pair') / pairSize - 1);
  }
}

class Undo extends Error {}

function valueAt(values: readonly WrittenValue[], index: number): WrittenValue {
  const value = values[index];
  if (value === undefined) throw new Error(`There is no value ${index}.`);
  return value;
}
