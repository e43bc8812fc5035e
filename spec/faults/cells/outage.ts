import { LimitError, persistify, type Change, type LimitOptions, type Provider, type Store } from 'rx-persistify';
import { expect, onTestFinished } from 'vitest';

import type { Random } from '../../crash/random.ts';
import { heapInUse } from './heap.ts';
import { Sink, type Absence } from './sink.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface OutagePlan {
  readonly absence: Absence;
  /** Distinct keys that are written. */
  readonly keys: number;
  readonly writesPerSecond: number;
  readonly limits?: LimitOptions;
}

export interface Sample {
  readonly count: number;
  readonly text: string;
}

type Samples = Record<string, Sample>;

/** What `errors$` told, in numbers: to keep it all would be what the heap is measured by. */
interface Told {
  failures: number;
  fatal: number;
  retried: number;
}

export const outageRow = [11, 'the sink is away for ten minutes, at full write rate'] as const;

const minuteMs = 60_000;
const stepMs = 200;
const outageMs = 10 * minuteMs;

/** A store that is written at full rate for ten minutes while nothing can be saved. */
export class Outage {
  readonly store: Store<Samples>;
  readonly sink: Sink;
  readonly clock: VirtualClock;
  readonly told: Told = { failures: 0, fatal: 0, retried: 0 };
  /** The store as it is to be. */
  readonly model = new Map<string, number>();
  /** The store as it was when each batch was first attempted. */
  readonly moments = new Map<number, ReadonlyMap<string, number>>();
  writes = 0;
  /** Writes that were refused, as too much was unsaved. */
  refused = 0;
  /** The `seq` of the last change, and of the last save. */
  readonly seqs = { changed: 0, saved: 0 };
  readonly #plan: OutagePlan;
  readonly #random: Random;

  static async begin(provider: Provider, random: Random, plan: OutagePlan): Promise<Outage> {
    const clock = new VirtualClock();
    const sink = new Sink(provider, () => clock.now);
    const builder = persistify(sink).withScheduler(clock.scheduler);
    const store = await (plan.limits === undefined ? builder : builder.withLimits(plan.limits)).open<Samples>('samples');
    onTestFinished(async () => {
      const closing = store.close({ deadlineMs: 0 }).catch(() => undefined);
      await clock.advanceUntil(() => store.status.state === 'closed', minuteMs, 20_000); // its time is not real either
      await closing;
    });
    return new Outage(store, sink, clock, random, plan);
  }

  private constructor(store: Store<Samples>, sink: Sink, clock: VirtualClock, random: Random, plan: OutagePlan) {
    this.store = store;
    this.sink = sink;
    this.clock = clock;
    this.#random = random;
    this.#plan = plan;
    store.errors$.subscribe(({ fatal, willRetry }) => {
      this.told.failures++;
      if (fatal) this.told.fatal++;
      if (willRetry) this.told.retried++;
    });
    store.changes$.subscribe(({ seq }: Change) => (this.seqs.changed = seq));
    store.saves$.subscribe(({ seq }) => (this.seqs.saved = seq));
  }

  /** Writes for a while. */
  async write(forMs: number): Promise<void> {
    const each = (this.#plan.writesPerSecond * stepMs) / 1_000;
    for (const endsAt = this.clock.now + forMs; this.clock.now < endsAt; ) {
      withoutTraces(() => {
        for (let left = each; left > 0; left--) this.#write();
      });
      await this.clock.advance(stepMs);
      this.#checkBound();
    }
  }

  /** The ten minutes. Returns how much of the heap was in use after some of them, the first and the last among them. `onMinute` is called between them. */
  async last(onMinute: (minute: number) => void): Promise<readonly number[]> {
    this.sink.onBatch = (number) => this.moments.set(number, new Map(this.model));
    this.sink.leave(this.#plan.absence);
    const heap: number[] = [];
    for (let minute = 1; minute <= outageMs / minuteMs; minute++) {
      await this.write(minuteMs);
      if (minute % 3 === 1) heap.push(await heapInUse());
      onMinute(minute);
    }
    return heap;
  }

  /** Writes a key that no other write has, and waits until it is saved. Resolves to what came of it, be it an error. */
  async writeAndWait(key: string): Promise<unknown> {
    const count = ++this.writes;
    const saving = this.store.setAndSave(key, sampleOf(count));
    if (this.store.has(key)) this.model.set(key, count); // where there was room it is applied at once
    const outcome: unknown = await saving.catch((error: unknown) => error);
    this.model.set(key, count);
    return outcome;
  }

  /** Lets so many batches through, by the store's own attempts alone. */
  async comeBack(batches: number): Promise<void> {
    const saves: unknown[] = [];
    const counting = this.store.saves$.subscribe((save) => saves.push(save));
    this.sink.comeBack(batches);
    await this.clock.advanceUntil(() => saves.length >= batches || this.store.status.state === 'idle', stepMs, 20_000);
    counting.unsubscribe();
  }

  /** Everything is saved. */
  expectSaved(): void {
    expect(this.store.unsaved).toEqual([]);
    expect(this.store.status).toMatchObject({ state: 'idle', pending: 0, fullness: 0 });
    expect(this.seqs.saved).toBe(this.seqs.changed);
  }

  #write(): void {
    const count = ++this.writes;
    const key = `key ${this.#random.whole(1, this.#plan.keys)}`;
    const before = this.model.get(key);
    this.model.set(key, count); // first, as it may be this write by which a batch is full, and attempted at once
    try {
      this.store.set(key, sampleOf(count));
    } catch (error) {
      if (!(error instanceof LimitError)) throw error;
      this.refused++;
      if (before === undefined) this.model.delete(key);
      else this.model.set(key, before);
      if (this.store.get(key)?.count !== before) throw new Error(`What was refused has changed ${key}.`, { cause: error });
    }
  }

  #checkBound(): void {
    const { pending, fullness } = this.store.status;
    // Of each key one mutation in the batch that is under way, and one behind it; and those that are waited for.
    const most = 2 * this.#plan.keys + 10;
    if (pending > most || fullness > 1) throw new Error(`${pending} mutations are unsaved, and ${most} may be; fullness is ${fullness}.`);
  }
}

/** Where most writes are refused, most of the time would go into the stack traces of what they are refused with. */
function withoutTraces(work: () => void): void {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function sampleOf(count: number): Sample {
  return { count, text: `the sample ${count} of a sensor` };
}
