import type { Failure, Provider, Store } from 'rx-persistify';
import { onTestFinished } from 'vitest';

import type { JournalRecord } from '../../crash/journal.ts';
import { judge, type Verdict } from '../../crash/oracle.ts';
import type { Random } from '../../crash/random.ts';
import type { Survivor } from '../../crash/storage.ts';
import type { Mood } from '../../crash/workload.ts';
import { AccountedStore, type Stores } from './accounted-store.ts';
import { expectKept, expectRight, type Exactness, type Found } from './verdict.ts';

export type { Found } from './verdict.ts';

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

/**
 * A store that is used in this process while something is done to what is under it, with a full account of what was applied
 * and what was acknowledged. Failures to save are to be expected, and are gathered.
 */
export class Subject {
  /** What `errors$` told. */
  readonly failures: Failure[] = [];
  /** The `seq` of each batch that `saves$` told. */
  readonly saves: number[] = [];
  readonly #accounted: AccountedStore;
  readonly #journal: JournalRecord[];
  #before: ReadonlyMap<string, string>;

  /** Opens it; it is closed after the test, if it is not before. */
  static async open({ before = new Map(), mood = 'steady', ...options }: SubjectOptions): Promise<Subject> {
    const journal: JournalRecord[] = [];
    const accounted = await AccountedStore.open({ ...options, mood, write: (record) => void journal.push(record) });
    onTestFinished(() => accounted.store.close({ deadlineMs: 0 }).catch(() => undefined));
    return new Subject(accounted, journal, before);
  }

  private constructor(accounted: AccountedStore, journal: JournalRecord[], before: ReadonlyMap<string, string>) {
    this.#accounted = accounted;
    this.#journal = journal;
    this.#before = before;
    this.store.errors$.subscribe((failure) => this.failures.push(failure));
    this.store.saves$.subscribe(({ seq }) => this.saves.push(seq));
  }

  get store(): Store<Survivor> {
    return this.#accounted.store;
  }

  /**
   * Begins the account anew: everything was acknowledged, and from now on storage is set back to `before`. What is changed from
   * here on is to come on top of that.
   */
  beginAnew(before: ReadonlyMap<string, string>): void {
    this.#before = before;
    this.#journal.length = 0;
    this.#accounted.beginAnew(before);
  }

  /** Uses the store for about so many calls, of every kind but those that storage decides. */
  live(actions: number): Promise<void> {
    return this.#accounted.live(actions);
  }

  /** Sets a key to a value that no other write has; also for who is inside a handler. */
  set(key: string): void {
    this.#accounted.set(key);
  }

  /** Saves everything. Resolves to whether that succeeded. */
  flush(): Promise<boolean> {
    return this.#accounted.flush();
  }

  close(): Promise<void> {
    return this.#accounted.close();
  }

  /** Whether `errors$` told of it: an error, or a cause of one, with this code, or with this in its message. */
  hasTold(what: string): boolean {
    return this.failures.some(({ error }) => causes(error).some((cause) => isAbout(cause, what)));
  }

  /**
   * Opens what is stored by another provider, and compares: it is the store as it was at one `seq`, not below the last one that
   * was acknowledged. `isWhole`: it is the store as it was last.
   */
  expectKept(provider: Provider, exactness: Exactness = {}): Promise<Found> {
    return expectKept(provider, { before: this.#before, journal: this.#journal }, exactness);
  }

  /** Now, to judge later by what was acknowledged until then. */
  get moment(): number {
    return this.#journal.length;
  }

  /** What the oracle says of these entries. `moment`: what was acknowledged after it need not be in them. */
  verdictOf(entries: ReadonlyMap<string, string>, moment = this.moment): Verdict {
    const journal = this.#journal.filter(({ type }, index) => index < moment || type === 'change');
    return judge({ before: this.#before, journal, found: entries });
  }

  /** What reads see: stamps by key. */
  get entries(): ReadonlyMap<string, string> {
    return this.#accounted.entries;
  }

  /** The same, of entries that were read in another way. */
  expectRight(entries: ReadonlyMap<string, string>, isWhole = false): Found {
    return expectRight({ before: this.#before, journal: this.#journal, found: entries }, { isWhole });
  }
}

function causes(error: unknown): readonly unknown[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : error === undefined ? [] : [error];
}

function isAbout(error: unknown, what: string): boolean {
  if (typeof error !== 'object' || error === null) return false;
  return ('code' in error && error.code === what) || ('message' in error && String(error.message).includes(what));
}
