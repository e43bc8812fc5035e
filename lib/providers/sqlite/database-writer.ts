import { ProviderError } from '../../errors.ts';
import type { BatchResult } from '../../mutation.ts';
import { Bookkeeping } from './bookkeeping.ts';
import { commitBatch, type CommitTarget, type Sliced } from './commit.ts';
import { checkAfterFailure, checkpointIfLong, fileIdentity, heldUp, openForWriting, waitForLocks } from './connection.ts';
import { DataStatements } from './data-statements.ts';
import type { Database, Driver } from './driver.ts';
import { describeFailure, isBusy, isInputOutputFailure } from './failures.ts';
import type { SqliteSettings } from './options.ts';
import type { PackedBatch } from '../packed-batch.ts';
import { checkDictionary, openDictionary, type Dictionary } from './schema.ts';

/** Mutations after which the length of the log is looked at: that takes some microseconds. */
const lookEvery = 256;

/**
 * The one connection of a provider that commits, on whatever thread it is made. Its methods must not overlap: an open
 * write transaction is the connection's, not a dictionary's.
 */
export class DatabaseWriter {
  readonly #driver: Driver;
  readonly #settings: SqliteSettings;
  readonly #targets = new Map<string, CommitTarget>();
  #database: Database | undefined;
  #identity: string | undefined;
  /** An I/O error was seen, and the file has not been found whole since. */
  #suspect = false;
  /** Mutations since the length of the log was looked at. */
  #unlooked = 0;

  /** @param identity which file the path must lead to; none: the one that it leads to at first. */
  constructor(driver: Driver, settings: SqliteSettings, identity?: string) {
    this.#driver = driver;
    this.#settings = settings;
    this.#identity = identity;
  }

  /** Finds the dictionary, or makes it in `table`. */
  open(name: string, table: string): Dictionary {
    return this.#telling(`Opening ${JSON.stringify(name)}`, () => {
      const { columns, file } = this.#settings;
      const request = { name, table, columns, file };
      const database = this.#connect((database) => checkDictionary(database, request));
      waitForLocks(database, true);
      try {
        if (this.#checkIfSuspect(database).next().done !== true) throw heldUp(file);
        return openDictionary(database, request);
      } finally {
        waitForLocks(database, false);
      }
    });
  }

  /** Stores a batch; in slices, so that the thread may do something else between them. */
  *write(dictionary: Dictionary, batch: PackedBatch): Sliced<BatchResult> {
    this.#unlooked += batch.kinds.length;
    try {
      const target = this.#targetOf(dictionary);
      yield* this.#checkIfSuspect(target.database);
      return yield* commitBatch(target, batch);
    } catch (error) {
      throw this.#failed(`Saving ${JSON.stringify(dictionary.name)}`, error);
    }
  }

  /** Whether `tidy` is to be called. */
  get isTidyingDue(): boolean {
    return this.#unlooked >= lookEvery;
  }

  /** Copies the log into the file if it has grown long, which may take as long as a large commit. To be called where nobody waits for an answer. */
  tidy(): void {
    this.#unlooked = 0;
    try {
      if (this.#database !== undefined) checkpointIfLong(this.#database);
    } catch {
      // It spares later ones some work, as one within a commit would, whose failure is not told either.
    }
  }

  /** Copies the log into the file, as far as nobody reads it, and lets go of the file. */
  close(): void {
    try {
      if (this.#database !== undefined) waitForLocks(this.#database, true);
      this.#database?.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // It spares the next one that opens the file some work; every commit is durable without it.
    }
    this.#disconnect();
  }

  #targetOf(dictionary: Dictionary): CommitTarget {
    const database = this.#connect();
    let target = this.#targets.get(dictionary.name);
    if (target === undefined) {
      target = {
        database,
        data: new DataStatements(database, dictionary.table, this.#settings.columns),
        bookkeeping: new Bookkeeping(database, dictionary, this.#settings.file),
        busyTimeoutMs: this.#settings.busyTimeoutMs,
        checkFile: () => this.#checkIdentity(),
      };
      this.#targets.set(dictionary.name, target);
    }
    return target;
  }

  #connect(look?: (database: Database) => void): Database {
    this.#checkIdentity();
    if (this.#database !== undefined) return this.#database;
    const database = openForWriting(this.#driver, this.#settings, look);
    waitForLocks(database, false);
    this.#identity ??= fileIdentity(this.#settings.file);
    this.#database = database;
    return database;
  }

  *#checkIfSuspect(database: Database): Sliced<void> {
    if (!this.#suspect) return;
    yield* checkAfterFailure(database, this.#settings);
    this.#suspect = false;
  }

  /** In WAL mode SQLite goes on writing to a file that was removed or replaced, and every commit is lost without a word. */
  #checkIdentity(): void {
    if (this.#identity === undefined) return;
    const found = fileIdentity(this.#settings.file);
    if (found === this.#identity) return;
    const what = found === undefined ? 'removed' : 'replaced';
    throw new ProviderError(`${this.#settings.file} was ${what} while it was open. Put it back, or close the store and open it again.`, { kind: 'halt' });
  }

  #telling<T>(doing: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#failed(doing, error);
    }
  }

  /** After anything but a busy lock the next attempt starts on a fresh connection; after an I/O error, on a checked one. */
  #failed(doing: string, error: unknown): Error {
    if (isInputOutputFailure(error)) this.#suspect = true;
    if (!isBusy(error)) this.#disconnect();
    return describeFailure(error, doing, this.#settings.file);
  }

  #disconnect(): void {
    const database = this.#database;
    this.#database = undefined;
    this.#targets.clear();
    try {
      database?.close();
    } catch {
      // A connection that cannot even be closed is let go of.
    }
  }
}
