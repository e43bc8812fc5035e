import type { Subscription } from 'rxjs';
import { persistify, type Failure, type Provider, type Store } from 'rx-persistify';
import { expect, onTestFinished } from 'vitest';

import { digestOf, type JournalRecord } from '../../crash/journal.ts';
import { judge } from '../../crash/oracle.ts';
import type { Random } from '../../crash/random.ts';
import { stampOf } from '../../crash/stamped-value.ts';
import { inspect, storeName, type Survivor } from '../../crash/storage.ts';
import { batchOf, Workload, type Mood, type Witness } from '../../crash/workload.ts';

/** A builder of stores without a schema. */
type Stores = ReturnType<typeof persistify>;

export interface SubjectOptions {
  readonly provider: Provider;
  readonly random: Random;
  /** @default 'steady' */
  readonly mood?: Mood;
  /** What storage holds already: stamps by key. */
  readonly before?: ReadonlyMap<string, string>;
  /** Options of the store, apart from the batch of the mood and retries that are soon spent. */
  readonly configure?: (builder: Stores) => Stores;
}

/** What was found in storage afterwards. */
export interface Found {
  /** Stamps by key. */
  readonly entries: ReadonlyMap<string, string>;
  readonly changes: number;
  readonly acknowledged: number;
}

let count = 0;

/**
 * A store that is used in this process while something is done to what is under it, with a full account of what was applied
 * and what was acknowledged. Failures to save are to be expected, and are gathered.
 */
export class Subject {
  readonly store: Store<Survivor>;
  /** What `errors$` told. */
  readonly failures: Failure[] = [];
  #journal: JournalRecord[] = [];
  #before: ReadonlyMap<string, string>;
  readonly #random: Random;
  readonly #mood: Mood;
  #witness: Witness;
  readonly #saves: Subscription;

  /** Opens it; it is closed after the test, if it is not before. */
  static async open({ provider, random, mood = 'steady', before = new Map(), configure = (builder) => builder }: SubjectOptions): Promise<Subject> {
    const builder = persistify(provider).withBatch(batchOf(mood)).withRetry({ maxAttempts: 3, delayMs: 1, maxDelayMs: 5, probeMs: 100 });
    const store = await configure(builder).open<Survivor>(storeName);
    onTestFinished(() => store.close({ deadlineMs: 0 }).catch(() => undefined));
    return new Subject(store, random, mood, before);
  }

  private constructor(store: Store<Survivor>, random: Random, mood: Mood, before: ReadonlyMap<string, string>) {
    this.store = store;
    this.#random = random;
    this.#mood = mood;
    this.#before = before;
    this.#journal.push({ type: 'opened', digest: digestOf(this.entries) });
    this.#witness = witnessOf(this.#journal);
    store.errors$.subscribe((failure) => this.failures.push(failure));
    this.#saves = store.saves$.subscribe((save) => this.#witness.acknowledged(save.seq));
  }

  /** What reads see: stamps by key. */
  get entries(): ReadonlyMap<string, string> {
    return new Map([...this.store].map(([key, value]) => [key, stampOf(value)]));
  }

  /**
   * Begins the account anew: everything was acknowledged, and from now on storage is set back to `before`. What is changed from
   * here on is to come on top of that. The store's `seq` counts also what it then finds changed: only what is waited for is
   * taken for acknowledged.
   */
  beginAnew(before: ReadonlyMap<string, string>): void {
    this.#saves.unsubscribe();
    this.#before = before;
    this.#journal = [{ type: 'opened', digest: digestOf(before) }];
    this.#witness = witnessOf(this.#journal);
  }

  /** Uses the store for about so many calls, of every kind but those that storage decides. */
  async live(actions: number): Promise<void> {
    const plan = { cycle: ++count, seed: this.#random.whole(0, 2 ** 31), mood: this.#mood, life: actions };
    await new Workload(plan).live(this.store, this.#witness);
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
    this.#journal.push({ type: 'closed' });
  }

  /** Whether `errors$` told of it: an error, or a cause of one, with this code, or with this in its message. */
  hasTold(what: string): boolean {
    return this.failures.some(({ error }) => causes(error).some((cause) => isAbout(cause, what)));
  }

  /**
   * Opens what is stored by another provider, and compares: it is the store as it was at one `seq`, not below the last one that
   * was acknowledged. `isWhole`: it is the store as it was last.
   */
  async expectKept(provider: Provider, { isWhole = false }: { readonly isWhole?: boolean } = {}): Promise<Found> {
    const { found, problem } = await inspect(provider);
    expect(problem, 'what opening found').toBeUndefined();
    return this.expectRight(found, isWhole);
  }

  /** The same, of entries that were read in another way. */
  expectRight(entries: ReadonlyMap<string, string>, isWhole = false): Found {
    const verdict = judge({ before: this.#before, journal: this.#journal, found: entries });
    if (!verdict.right) throw new Error(`${verdict.wrong}: ${verdict.detail}`);
    if (isWhole) expect(verdict.found, 'how far storage has got').toBe(verdict.applied);
    return { entries, changes: verdict.applied, acknowledged: verdict.acknowledged };
  }
}

/** Writes into the journal. */
function witnessOf(journal: JournalRecord[]): Witness {
  let seq = 0;
  return {
    get seq() {
      return seq;
    },
    change: (steps) => {
      seq += steps.length;
      journal.push({ type: 'change', seq, steps });
      return seq;
    },
    acknowledged: (acknowledged) => journal.push({ type: 'acknowledged', seq: acknowledged }),
    idling: () => undefined,
    failed: () => undefined,
  };
}

function causes(error: unknown): readonly unknown[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : error === undefined ? [] : [error];
}

function isAbout(error: unknown, what: string): boolean {
  if (typeof error !== 'object' || error === null) return false;
  return ('code' in error && error.code === what) || ('message' in error && String(error.message).includes(what));
}
