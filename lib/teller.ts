import { audit, distinctUntilChanged, filter, map, merge, Observable, Subject, share } from 'rxjs';

import type { Change } from './change.ts';
import { follow } from './streams/follow.ts';
import { macrotask$ } from './streams/macrotask.ts';
import { routeByKey } from './streams/route-by-key.ts';

/** What the teller tells of; answers as of now. */
export interface Told<V> {
  readonly seq: () => number;
  readonly value: (key: string) => V | undefined;
  readonly has: (key: string) => boolean;
  readonly size: () => number;
  readonly entries: () => readonly (readonly [string, V])[];
  /** Whether what the others answer may be taken back, without a change being told. */
  readonly isTentative: () => boolean;
}

interface Item<V> {
  readonly change: Change<string, V>;
  /** The size after it; none within a transaction, which tells its size once. */
  readonly size: number | undefined;
}

interface Snapshot<V> {
  readonly seq: number;
  readonly restorations: number;
  readonly entries: readonly (readonly [string, V])[];
}

/**
 * Tells changes, one after the other: each first to `changes$`, then to the watchers of its key, then to those of the size.
 * A change made while another is told waits until that one has reached everyone. Who subscribes hears nothing again that
 * his first answer included.
 */
export class Teller<V> {
  readonly changes$: Observable<Change<string, V>>;
  readonly size$: Observable<number>;
  readonly entries$: Observable<readonly (readonly [string, V])[]>;
  readonly #told: Told<V>;
  readonly #changes = new Subject<Change<string, V>>();
  readonly #routed = new Subject<Change<string, V>>();
  readonly #sizes = new Subject<{ readonly seq: number; readonly size: number }>();
  readonly #news = new Subject<undefined>();
  readonly #restored = new Subject<undefined>();
  readonly #routes = routeByKey(this.#routed, (change) => (change.type === 'clear' ? undefined : change.key));
  #queue: Item<V>[] = [];
  #isTelling = false;
  /** How often changes were taken back, after which a `seq` comes again with other entries. */
  #restorations = 0;

  constructor(told: Told<V>) {
    this.#told = told;
    this.changes$ = this.#changes.asObservable();
    this.size$ = this.#afterwards(
      () => told.size(),
      this.#sizes,
      ({ size }) => size,
    );
    // One array a macrotask, however many watch: it costs milliseconds for a hundred thousand entries.
    const snapshots$ = this.#news.pipe(
      audit(() => macrotask$),
      map(() => this.#snapshot()),
      share(),
    );
    const all$ = new Observable<Snapshot<V>>((subscriber) =>
      follow(() => this.#snapshot(), snapshots$, this.#hold).subscribe(subscriber),
    );
    this.entries$ = all$.pipe(
      distinctUntilChanged((left, right) => left.seq === right.seq && left.restorations === right.restorations),
      map(({ entries }) => entries),
    );
  }

  /** Whether anybody would hear of a change of `key`; if not, it need not be made. */
  isHeard(key: string): boolean {
    return this.#changes.observed || this.#sizes.observed || this.#news.observed || (this.#routes.size > 0 && this.#routes.has(key));
  }

  /** As `isHeard`, for a change of every key. */
  get isAnyHeard(): boolean {
    return this.#changes.observed || this.#sizes.observed || this.#news.observed || this.#routes.size > 0;
  }

  /**
   * Tells changes that were made together: what is written while they are told comes after the last of them.
   * `isOne`: the size is told once, with the last.
   */
  tellAll(changes: readonly Change<string, V>[], isOne: boolean): void {
    if (changes.length === 0) return; // to ask for the size looks through all that may have ended
    const size = this.#sizes.observed ? this.#told.size() : undefined;
    this.#hold(() => {
      for (const [index, change] of changes.entries()) this.#queue.push({ change, size: isOne && index < changes.length - 1 ? undefined : size });
    });
  }

  /** `isWithin` what goes on, such as many expiries, the size is not told. */
  tell(change: Change<string, V>, isWithin = false): void {
    const size = !isWithin && this.#sizes.observed ? this.#told.size() : undefined;
    if (this.#isTelling) {
      this.#queue.push({ change, size });
      return;
    }
    this.#isTelling = true;
    try {
      this.#tellOne(change, size);
      if (this.#queue.length > 0) this.#tellQueued();
    } finally {
      this.#isTelling = false;
    }
  }

  /** The size has changed by changes that were told without it. */
  tellSize(): void {
    if (this.#sizes.observed) this.#hold(() => this.#sizes.next({ seq: this.#told.seq(), size: this.#told.size() }));
  }

  value$(key: string): Observable<V | undefined> {
    return this.#ofKey(key, () => this.#told.value(key), (change) => (change.type === 'set' ? change.value : undefined));
  }

  has$(key: string): Observable<boolean> {
    return this.#ofKey(key, () => this.#told.has(key), (change) => change.type === 'set');
  }

  /** A transaction was rolled back: who subscribed within it hears how things are. */
  restored(): void {
    this.#restorations++;
    if (!this.#restored.observed && !this.#news.observed) return;
    this.#hold(() => {
      this.#restored.next(undefined);
      this.#news.next(undefined);
    });
  }

  complete(): void {
    for (const subject of [this.#changes, this.#routed, this.#sizes, this.#news, this.#restored]) subject.complete();
  }

  /** Runs `step`, and then tells what came up meanwhile. */
  readonly #hold = (step: () => void): void => {
    if (this.#isTelling) {
      step();
      return;
    }
    this.#isTelling = true;
    try {
      step();
      this.#tellQueued();
    } finally {
      this.#isTelling = false;
    }
  };

  /** Also what is queued meanwhile. */
  #tellQueued(): void {
    for (const { change, size } of this.#queue) this.#tellOne(change, size);
    this.#queue = [];
  }

  /** A Subject that nobody observes is passed by: `next` costs as much as all else here. */
  #tellOne(change: Change<string, V>, size: number | undefined): void {
    if (this.#changes.observed) this.#changes.next(change);
    if (this.#routes.size > 0) this.#routed.next(change);
    if (size !== undefined) this.#sizes.next({ seq: change.seq, size });
    if (this.#news.observed) this.#news.next(undefined);
  }

  #ofKey<T>(key: string, current: () => T, after: (change: Change<string, V>) => T): Observable<T> {
    return this.#afterwards(current, this.#routes.of(key), after);
  }

  /** The current answer, and then those of changes that it does not include. */
  #afterwards<C extends { readonly seq: number }, T>(current: () => T, changes$: Observable<C>, after: (change: C) => T): Observable<T> {
    return new Observable<T>((subscriber) => {
      let since = this.#told.seq();
      const following$ = changes$.pipe(
        filter((change) => change.seq > since),
        map(after),
      );
      if (!this.#told.isTentative()) return follow(current, following$, this.#hold).subscribe(subscriber);
      const restored$ = this.#restored.pipe(
        map(() => {
          since = Math.min(since, this.#told.seq());
          return current();
        }),
      );
      return follow(current, merge(following$, restored$), this.#hold).subscribe(subscriber);
    });
  }

  #snapshot(): Snapshot<V> {
    return { seq: this.#told.seq(), restorations: this.#restorations, entries: this.#told.entries() };
  }
}
