import { ProviderError } from '../../errors.ts';
import type { BatchResult } from '../../mutation.ts';
import type { Bookkeeping } from './bookkeeping.ts';
import type { DataStatements } from './data-statements.ts';
import type { Database } from './driver.ts';
import { isBusy, isInputOutputFailure, isRefusal } from './failures.ts';
import { LeftOutMutations, withConflicts } from '../left-out.ts';
import { kinds, numberAt, type PackedBatch } from '../packed-batch.ts';

/** One dictionary on one connection. */
export interface CommitTarget {
  readonly database: Database;
  readonly data: DataStatements;
  readonly bookkeeping: Bookkeeping;
  /** For how long another connection's lock is waited for. */
  readonly busyTimeoutMs: number;
  /** @throws ProviderError if the path leads to another file by now, or to none. */
  readonly checkFile: () => void;
}

/**
 * Work that can pause every 100 rows or so: the main thread lets other things happen there, a worker looks whether it is still wanted.
 * At a pause that is `locked` it goes on in about a millisecond, as there is a lock to wait for.
 */
export type Sliced<T> = Generator<'locked' | undefined, T, undefined>;

/** What an unfinished write is ended with when nobody wants it any more. */
export function abandoned(): ProviderError {
  return new ProviderError('The write was aborted before its commit; nothing was stored.', { kind: 'retry' });
}

/** Rows between two pauses: half a millisecond, or some of them where their pages are cold. */
const sliceRows = 100;

/**
 * Stores a batch in one transaction, with its settling row, so that a retry whose first attempt was committed after all is
 * answered and not applied. A mutation that the table refuses is found, and the batch stored without it.
 */
export function* commitBatch(target: CommitTarget, batch: PackedBatch): Sliced<BatchResult> {
  const refused = new LeftOutMutations(batch);
  for (;;) {
    try {
      return yield* inTransaction(target, attempt(target, batch, refused));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const known = refused.size;
      yield* findRefused(target, batch, refused);
      // The table refused the whole, but nothing in it: there is nothing to go without.
      if (refused.size === known) throw error;
    }
  }
}

function* attempt({ data, bookkeeping }: CommitTarget, batch: PackedBatch, refused: LeftOutMutations): Sliced<BatchResult> {
  const settled = bookkeeping.settled(batch.writer);
  if (settled !== undefined && batch.number <= settled.number) {
    return batch.number === settled.number ? settled.result : { version: settled.result.version, leftOut: [] };
  }
  const now = Date.now();
  const head = bookkeeping.head();
  const leftOut = withConflicts(batch, refused, key => data.currentVersion(key));
  const applied = yield* apply(data, batch, leftOut, head + 1, now);
  leftOut.addUnmet(applied.unmet);
  const result = { version: applied.changed ? head + 1 : head, leftOut: leftOut.list() };
  if (applied.changed) bookkeeping.advance(result.version, batch.writer, batch.number, applied.keys, now);
  bookkeeping.settle(batch.writer, batch.number, result, now, settled === undefined);
  return result;
}

/** What a commit changed. `keys`: a JSON array, or null if it cleared everything. */
interface Applied {
  readonly changed: boolean;
  readonly keys: string | null;
  /** The places of the expiries that removed nothing. */
  readonly unmet: readonly number[];
}

function* apply(data: DataStatements, batch: PackedBatch, leftOut: LeftOutMutations, version: number, now: number): Sliced<Applied> {
  const { sets, deletes, others, clear } = byKind(batch, leftOut);
  const changedKeys: string[] = [];
  const unmet: number[] = [];
  const pace = new Pace();
  if (clear !== undefined) data.clear();
  for (const slice of slices(sets)) {
    if (pace.isDue(slice.length)) yield;
    data.upsert(batch, slice, version, now);
    changedKeys.push(keysAsText(batch, slice));
  }
  for (const slice of slices(deletes)) {
    if (pace.isDue(slice.length)) yield;
    data.delete(batch, slice);
    changedKeys.push(keysAsText(batch, slice));
  }
  for (const slice of slices(others)) {
    if (pace.isDue(slice.length)) yield;
    const expired: number[] = [];
    for (const index of slice) {
      if (touchOrExpire(data, batch, index, now)) expired.push(index);
      else if (batch.kinds[index] === kinds.expire) unmet.push(index);
    }
    if (expired.length > 0) changedKeys.push(keysAsText(batch, expired));
  }
  if (clear !== undefined) return { changed: true, keys: null, unmet };
  return { changed: changedKeys.length > 0, keys: `[${changedKeys.join(',')}]`, unmet };
}

interface ByKind {
  readonly sets: readonly number[];
  readonly deletes: readonly number[];
  /** Touches and expiries. */
  readonly others: readonly number[];
  readonly clear: number | undefined;
}

/** The places of the mutations that are not left out. */
function byKind(batch: PackedBatch, leftOut: LeftOutMutations): ByKind {
  const sets: number[] = [];
  const deletes: number[] = [];
  const others: number[] = [];
  let clear: number | undefined;
  for (let index = 0; index < batch.kinds.length; index++) {
    if (leftOut.has(index)) continue;
    const kind = batch.kinds[index];
    if (kind === kinds.set) sets.push(index);
    else if (kind === kinds.delete) deletes.push(index);
    else if (kind === kinds.clear) clear = index;
    else others.push(index);
  }
  return { sets, deletes, others, clear };
}

/** Tells whether the entry is gone. */
function touchOrExpire(data: DataStatements, batch: PackedBatch, index: number, now: number): boolean {
  const key = batch.keys[index];
  if (batch.kinds[index] === kinds.expire) return data.expire(key, numberAt(batch.versions, index) ?? 0, now);
  data.touch(key, numberAt(batch.deadlines, index) ?? 0);
  return false;
}

/** Tries each mutation on its own, in a transaction that is undone, and leaves out those that the table refuses. */
function* findRefused(target: CommitTarget, batch: PackedBatch, refused: LeftOutMutations): Sliced<undefined> {
  const { database, data } = target;
  const { sets, deletes, others, clear } = byKind(batch, refused);
  const now = Date.now();
  const pace = new Pace();
  const attempts: readonly (readonly [readonly number[], (index: number) => void])[] = [
    [clear === undefined ? [] : [clear], () => data.clear()],
    [sets, index => data.upsert(batch, [index], 1, now)],
    [deletes, index => data.delete(batch, [index])],
    [others, index => touchOrExpire(data, batch, index, now)],
  ];
  yield* begin(target);
  try {
    for (const [indexes, store] of attempts) {
      for (const index of indexes) {
        if (pace.isDue(1)) yield;
        const message = refusalOf(() => store(index));
        if (message !== undefined) refused.add(index, 'refused', message);
        // A trigger may answer with RAISE(ROLLBACK), which ends the transaction.
        if (!database.inTransaction) yield* begin(target);
      }
    }
  } finally {
    rollBack(database);
  }
  return undefined;
}

function refusalOf(store: () => void): string | undefined {
  try {
    store();
    return undefined;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

function* inTransaction<T>(target: CommitTarget, work: Sliced<T>): Sliced<T> {
  const { database } = target;
  try {
    yield* begin(target);
    const result = yield* work;
    yield; // a commit writes each page that was changed, and can itself not be cut in slices
    commit(database);
    return result;
  } finally {
    rollBack(database);
  }
}

/**
 * Takes the write lock at once: a transaction that reads first and then writes can get a SQLITE_BUSY that no waiting cures.
 * The lock has no queue, and is free between two commits of another process for some tenths of a millisecond: SQLite's own
 * waiting, with pauses of up to 100 ms, finds it so ever more rarely as the disk is slower, and holds the thread meanwhile.
 */
function* begin({ database, busyTimeoutMs, checkFile }: CommitTarget): Sliced<void> {
  let giveUpAt: number | undefined;
  for (;;) {
    try {
      database.exec('BEGIN IMMEDIATE');
      break;
    } catch (error) {
      if (!isBusy(error) || performance.now() >= (giveUpAt ??= performance.now() + busyTimeoutMs)) throw error;
    }
    yield 'locked';
    checkFile();
  }
  if (giveUpAt !== undefined) checkFile(); // whoever had the lock may have moved the file since
}

function commit(database: Database): void {
  try {
    database.exec('COMMIT');
  } catch (error) {
    if (!isInputOutputFailure(error)) throw error;
    // The commit may stand in the log, and only its fsync have failed.
    const reason = error instanceof Error ? error.message : String(error);
    throw new ProviderError(`The commit failed in the file system (${reason}).`, { kind: 'retry', outcomeUnknown: true, cause: error });
  }
}

function rollBack(database: Database): void {
  if (!database.inTransaction) return;
  try {
    database.exec('ROLLBACK');
  } catch {
    // What failed before is what there is to tell; the connection is given up after it.
  }
}

/** Counts rows, and says when to pause. */
class Pace {
  #rows = 0;

  /** Whether these rows should wait for a pause. */
  isDue(rows: number): boolean {
    this.#rows += rows;
    if (this.#rows <= sliceRows) return false;
    this.#rows = rows;
    return true;
  }
}

function keysAsText(batch: PackedBatch, indexes: readonly number[]): string {
  return JSON.stringify(indexes.map(index => batch.keys[index])).slice(1, -1);
}

/** The indexes in parts of at most 100; a list that is short enough is given as it is. */
function slices(indexes: readonly number[]): readonly (readonly number[])[] {
  if (indexes.length === 0) return [];
  if (indexes.length <= sliceRows) return [indexes];
  return Array.from({ length: Math.ceil(indexes.length / sliceRows) }, (_, part) => indexes.slice(part * sliceRows, (part + 1) * sliceRows));
}
