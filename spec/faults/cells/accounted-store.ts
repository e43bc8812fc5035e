import type { Subscription } from 'rxjs';
import { persistify, type Provider, type Store } from 'rx-persistify';

import { digestOf, type JournalRecord } from '../../crash/journal.ts';
import type { Random } from '../../crash/random.ts';
import { newStamp, stampedValue, stampOf } from '../../crash/stamped-value.ts';
import { storeName, type Survivor } from '../../crash/storage.ts';
import { batchOf, Workload, type Mood, type Witness } from '../../crash/workload.ts';

/** A builder of stores without a schema. */
export type Stores = ReturnType<typeof persistify>;

export interface AccountedOptions {
  readonly provider: Provider;
  readonly random: Random;
  readonly mood: Mood;
  /** Options of the store, apart from the batch of the mood and retries that are soon spent. */
  readonly configure?: ((builder: Stores) => Stores) | undefined;
  /** Is given the account, a record at a time. */
  readonly write: (record: JournalRecord) => void;
}

let count = 0;

/** A store that is used, with a full account of what was applied and what was acknowledged. Failures to save are to be expected. */
export class AccountedStore {
  readonly store: Store<Survivor>;
  readonly #random: Random;
  readonly #mood: Mood;
  readonly #write: (record: JournalRecord) => void;
  readonly #saves: Subscription;
  #witness: Witness;

  static async open({ provider, random, mood, configure = (builder) => builder, write }: AccountedOptions): Promise<AccountedStore> {
    const builder = persistify(provider).withBatch(batchOf(mood)).withRetry({ maxAttempts: 3, delayMs: 1, maxDelayMs: 5, probeMs: 100 });
    return new AccountedStore(await configure(builder).open<Survivor>(storeName), random, mood, write);
  }

  private constructor(store: Store<Survivor>, random: Random, mood: Mood, write: (record: JournalRecord) => void) {
    this.store = store;
    this.#random = random;
    this.#mood = mood;
    this.#write = write;
    write({ type: 'opened', digest: digestOf(this.entries) });
    this.#witness = witnessOf(write);
    this.#saves = store.saves$.subscribe((save) => this.#witness.acknowledged(save.seq));
  }

  /** What reads see: stamps by key. */
  get entries(): ReadonlyMap<string, string> {
    return new Map([...this.store].map(([key, value]) => [key, stampOf(value)]));
  }

  /**
   * Begins the account anew, as storage is set back to `before`: what is changed from here on is to come on top of that. The
   * store's `seq` counts also what it then finds changed, so that only what is waited for is taken for acknowledged.
   */
  beginAnew(before: ReadonlyMap<string, string>): void {
    this.#saves.unsubscribe();
    this.#write({ type: 'opened', digest: digestOf(before) });
    this.#witness = witnessOf(this.#write);
  }

  /** Uses the store for about so many calls, of every kind but those that storage decides. */
  async live(actions: number): Promise<void> {
    const plan = { cycle: ++count, seed: this.#random.whole(0, 2 ** 31), mood: this.#mood, life: actions };
    await new Workload(plan).live(this.store, this.#witness);
  }

  /** Sets one of so many keys, and does not wait. */
  setOneOf(keys: number): void {
    this.set(`key-${this.#random.whole(1, keys)}`);
  }

  /** Sets a key to a value that no other write has; also for who is inside a handler. */
  set(key: string): void {
    const stamp = newStamp(++count, 1, this.#random.whole(1, 100));
    this.#witness.change([{ type: 'set', key, stamp }]);
    this.store.set(key, stampedValue(stamp));
  }

  /** Saves everything. Resolves to whether that succeeded. */
  async flush(): Promise<boolean> {
    const { seq } = this.#witness;
    try {
      await this.store.flush();
    } catch {
      return false;
    }
    this.#witness.acknowledged(seq);
    return true;
  }

  async close(): Promise<void> {
    await this.store.close();
    this.#write({ type: 'closed' });
  }
}

function witnessOf(write: (record: JournalRecord) => void): Witness {
  let seq = 0;
  return {
    get seq() {
      return seq;
    },
    change: (steps) => {
      seq += steps.length;
      write({ type: 'change', seq, steps });
      return seq;
    },
    acknowledged: (acknowledged) => write({ type: 'acknowledged', seq: acknowledged }),
    idling: () => undefined,
    failed: () => undefined,
  };
}
