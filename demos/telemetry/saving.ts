import { combineLatest, map, merge, scan, startWith, type Observable } from 'rxjs';

import type { Failure, Save, Status } from 'rx-persistify';

/** How saving goes, over several stores. */
export interface Saving {
  readonly state: Status['state'];
  readonly pending: number;
  readonly batches: number;
  /** Mutations saved in all. */
  readonly saved: number;
  readonly savedPerSecond: number;
  /** The last error, until the store that had it saves again. */
  readonly error: string | undefined;
}

/** The streams of a store that tell of its saving. */
export interface SavingStreams {
  readonly saves$: Observable<Save>;
  readonly errors$: Observable<Failure>;
  readonly status$: Observable<Status>;
}

interface Totals {
  readonly batches: number;
  readonly saved: number;
  readonly recent: readonly { readonly at: number; readonly count: number }[];
  /** The last of each store, by its place. */
  readonly errors: ReadonlyMap<number, string>;
}

/** A rate is taken over so many milliseconds. */
const windowMs = 5_000;
/** The first that one of the stores has is the state of all. */
export const byUrgency: readonly Status['state'][] = ['failing', 'retrying', 'saving', 'pending', 'idle', 'closed'];
const nothing: Totals = { batches: 0, saved: 0, recent: [], errors: new Map() };

/** How saving goes in `stores`: now, then whenever it changes. `now` tells milliseconds of any clock. */
export function followSaving(stores: readonly SavingStreams[], now: () => number): Observable<Saving> {
  const began = now();
  const events$ = merge(...stores.map(({ saves$, errors$ }, store) => merge(saves$, errors$).pipe(map((event) => ({ store, event })))));
  const totals$ = events$.pipe(
    scan((totals, { store, event }) => ('count' in event ? addSave(totals, store, event, now()) : addError(totals, store, event)), nothing),
    startWith(nothing),
  );
  return combineLatest([totals$, combineLatest(stores.map(({ status$ }) => status$))]).pipe(
    map(([{ batches, saved, recent, errors }, statuses]) => ({
      state: byUrgency.find((state) => statuses.some((status) => status.state === state)) ?? 'idle',
      pending: statuses.reduce((sum, { pending }) => sum + pending, 0),
      batches,
      saved,
      savedPerSecond: ratePerSecond(recent, now(), began),
      error: [...errors.values()].at(-1),
    })),
  );
}

function addSave({ batches, saved, recent, errors }: Totals, store: number, { count }: Save, at: number): Totals {
  const stillRecent = recent.filter((save) => at - save.at < windowMs);
  return { batches: batches + 1, saved: saved + count, recent: [...stillRecent, { at, count }], errors: without(errors, store) };
}

function addError(totals: Totals, store: number, { error, attempt, maxAttempts, willRetry }: Failure): Totals {
  const text = `${error.message} (attempt ${attempt}${maxAttempts === Infinity ? '' : ` of ${maxAttempts}`}${willRetry ? ', to be tried again' : ''})`;
  return { ...totals, errors: new Map([...without(totals.errors, store), [store, text]]) };
}

function without(errors: Totals['errors'], store: number): Totals['errors'] {
  return new Map([...errors].filter(([place]) => place !== store));
}

function ratePerSecond(recent: Totals['recent'], at: number, began: number): number {
  const seconds = Math.max(1, Math.min(windowMs, at - began) / 1_000);
  return recent.filter((save) => at - save.at < windowMs).reduce((sum, { count }) => sum + count, 0) / seconds;
}
