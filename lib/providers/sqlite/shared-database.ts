import type { Committer } from './committer.ts';
import { loadDriver, type Driver } from './driver.ts';
import { FeedAccess } from './feed-access.ts';
import { MainThreadCommitter } from './main-thread-committer.ts';
import type { SqliteSettings } from './options.ts';
import { prepareFile } from './prepare-file.ts';
import { Reader } from './reader.ts';
import { WorkerCommitter } from './worker-committer.ts';

/** What the open dictionaries of one provider have in common. */
export interface DatabaseAccess {
  readonly driver: Driver;
  readonly committer: Committer;
  readonly reader: Reader;
  readonly feed: FeedAccess;
}

/** Opens a provider's file with its first dictionary, and lets go of it with its last. */
export class SharedDatabase {
  readonly #settings: SqliteSettings;
  readonly #worker: boolean;
  #users = 0;
  #access: Promise<DatabaseAccess> | undefined;
  #closing: Promise<void> = Promise.resolve();

  constructor(settings: SqliteSettings, worker: boolean) {
    this.#settings = settings;
    this.#worker = worker;
  }

  /** Each one is to be given back by `release`, unless it rejects. */
  async acquire(): Promise<DatabaseAccess> {
    this.#users++;
    this.#access ??= this.#open();
    try {
      return await this.#access;
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  async release(): Promise<void> {
    if (--this.#users > 0) return;
    const access = this.#access;
    this.#access = undefined;
    this.#closing = this.#close(access);
    await this.#closing;
  }

  async #open(): Promise<DatabaseAccess> {
    await this.#closing;
    const driver = await loadDriver();
    await prepareFile(this.#settings.file);
    const feed = new FeedAccess(driver, this.#settings);
    const committer = this.#worker ? new WorkerCommitter(this.#settings) : new MainThreadCommitter(this.#settings);
    return { driver, committer, reader: new Reader(driver, this.#settings), feed };
  }

  /** The reader first: the connection that closes last copies the log into the file and removes it. */
  async #close(access: Promise<DatabaseAccess> | undefined): Promise<void> {
    const opened = await access?.catch(() => undefined);
    opened?.reader.close();
    await opened?.committer.close();
  }
}
