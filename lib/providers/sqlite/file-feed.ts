import { basename, dirname } from 'node:path';
import { setImmediate as macrotask } from 'node:timers/promises';

import { FileSigns } from '../file-signs.ts';
import type { Sliced } from './commit.ts';
import { fileIdentity, openForReading } from './connection.ts';
import type { Database, Driver, Statement } from './driver.ts';
import { isBusy } from './failures.ts';
import type { SqliteSettings } from './options.ts';

/** For how long the event loop is held at a stretch. */
const stretchMs = 4;
/** While a burst of commits goes on, a look in so long a time is enough: one costs a fifth of what a commit does beside the disk. */
const paceMs = 1;
/** For how long a lock may spoil every look. */
const busyPatienceMs = 5_000;

/** Who wants to hear of commits. */
export interface FeedListener {
  readonly pollMs: number;
  /** Reads what is new, within an open transaction; returns whether there is more than one should hold. */
  read(database: Database): Sliced<boolean>;
  /** The connection is lost. */
  fail(error: unknown): void;
}

interface Connection {
  readonly database: Database;
  readonly dataVersion: Statement;
  readonly identity: string | undefined;
}

/** When the event loop must be let go of. */
interface Stretch {
  endsAt: number;
}

/**
 * Notices commits to a database file, and has its listeners read what is new, all in one snapshot; on a connection of its own,
 * which is there as long as there are listeners. One a file and process.
 */
export class FileFeed {
  readonly #driver: Driver;
  readonly #settings: SqliteSettings;
  readonly #onEmpty: () => void;
  readonly #signs: FileSigns;
  readonly #listeners = new Set<FeedListener>();
  #connection: Connection | undefined;
  /** The `data_version` as of which everything was read; none: it is to be read whatever it is. */
  #seen: unknown;
  #reading: Promise<void> | undefined;
  /** There was a reason to look while it was being read. */
  #isDue = false;
  #isCommitted = false;
  #lookedAt = -Infinity;
  #busySince: number | undefined;

  /** @param path where the file of the settings really is: there SQLite writes. */
  constructor(driver: Driver, settings: SqliteSettings, path: string, onEmpty: () => void) {
    this.#driver = driver;
    this.#settings = settings;
    this.#onEmpty = onEmpty;
    const name = basename(path);
    const names = new Set([name, `${name}-wal`, `${name}-shm`]);
    this.#signs = new FileSigns(dirname(path), fileName => names.has(fileName), isPoll => this.#look(isPoll));
  }

  /** Begins to tell, soon. Returns what ends it, and is done when nothing is held for it any more. */
  join(listener: FeedListener): () => Promise<void> {
    this.#listeners.add(listener);
    this.#startSigns();
    this.#seen = undefined;
    queueMicrotask(() => this.#look(false));
    return () => this.#leave(listener);
  }

  /** A session of this process has committed something. It is looked at once it has been acknowledged, and once for many. */
  committed(): void {
    if (this.#isCommitted) return;
    this.#isCommitted = true;
    const look = (): void => {
      this.#isCommitted = false;
      this.#look(false);
    };
    if (performance.now() - this.#lookedAt < paceMs) setTimeout(look, paceMs);
    else setImmediate(look);
  }

  async #leave(listener: FeedListener): Promise<void> {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) {
      this.#startSigns();
      return;
    }
    this.#signs.stop();
    this.#onEmpty();
    await this.#reading;
    this.#disconnect();
  }

  #startSigns(): void {
    this.#signs.start(Math.min(...[...this.#listeners].map(({ pollMs }) => pollMs)));
  }

  #look(isPoll: boolean): void {
    if (this.#listeners.size === 0) return;
    if (this.#reading !== undefined) {
      this.#isDue = true;
      return;
    }
    this.#lookedAt = performance.now();
    try {
      // A file that took its place would never tell anything on the connection to the old one.
      if (isPoll && fileIdentity(this.#settings.file) !== this.#connection?.identity) this.#disconnect();
      const { database, dataVersion } = this.#connect();
      // Before it is read: what is committed in between is read now, and looked for once more.
      const version = dataVersion.get();
      if (version === this.#seen) return;
      this.#seen = version;
      this.#reading = this.#read(database).then(() => this.#wasRead());
    } catch (error) {
      this.#failed(error);
    }
  }

  #wasRead(): void {
    this.#reading = undefined;
    if (!this.#isDue) return;
    this.#isDue = false;
    this.#look(false);
  }

  async #read(database: Database): Promise<void> {
    try {
      database.exec('BEGIN');
      const stretch = { endsAt: performance.now() + stretchMs };
      for (const listener of [...this.#listeners]) await this.#serveAlone(listener, database, stretch);
      database.exec('COMMIT');
      this.#busySince = undefined;
    } catch (error) {
      if (database.inTransaction) database.exec('ROLLBACK');
      this.#failed(error);
    }
  }

  /** What fails for one, as its table is gone, may do for the others. */
  async #serveAlone(listener: FeedListener, database: Database, stretch: Stretch): Promise<void> {
    try {
      await this.#serve(listener, database, stretch);
    } catch (error) {
      if (isBusy(error)) throw error;
      listener.fail(error);
    }
  }

  async #serve(listener: FeedListener, database: Database, stretch: Stretch): Promise<void> {
    const work = listener.read(database);
    for (;;) {
      if (!this.#listeners.has(listener)) {
        work.return(false);
        return;
      }
      const step = work.next();
      if (step.done === true) {
        if (step.value) this.#readAgain();
        return;
      }
      if (performance.now() < stretch.endsAt) continue;
      await macrotask();
      stretch.endsAt = performance.now() + stretchMs;
    }
  }

  #readAgain(): void {
    this.#seen = undefined;
    this.#isDue = true;
  }

  #connect(): Connection {
    if (this.#connection !== undefined) return this.#connection;
    const identity = fileIdentity(this.#settings.file);
    const database = openForReading(this.#driver, this.#settings);
    this.#seen = undefined;
    this.#connection = { database, dataVersion: database.prepare('PRAGMA data_version').pluck(), identity };
    return this.#connection;
  }

  #disconnect(): void {
    const database = this.#connection?.database;
    this.#connection = undefined;
    try {
      database?.close();
    } catch {
      // A connection that cannot even be closed is let go of.
    }
  }

  #failed(error: unknown): void {
    if (this.#listeners.size === 0) return;
    this.#seen = undefined;
    if (isBusy(error) && performance.now() - (this.#busySince ??= performance.now()) < busyPatienceMs) {
      this.#signs.later();
      return;
    }
    this.#busySince = undefined;
    this.#disconnect();
    for (const listener of [...this.#listeners]) listener.fail(error);
  }
}
