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

export async function openDatabase(settings: SqliteSettings, worker: boolean): Promise<DatabaseAccess> {
  const driver = await loadDriver();
  await prepareFile(settings.file);
  const feed = new FeedAccess(driver, settings);
  const committer = worker ? new WorkerCommitter(settings) : new MainThreadCommitter(settings);
  return { driver, committer, reader: new Reader(driver, settings), feed };
}

/** The reader first: the connection that closes last copies the log into the file and removes it. */
export async function closeDatabase({ reader, committer }: DatabaseAccess): Promise<void> {
  reader.close();
  await committer.close();
}
