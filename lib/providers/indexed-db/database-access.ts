import { Connection } from './connection.ts';
import { DatabaseFeed } from './database-feed.ts';
import type { IndexedDbOptions } from './options.ts';
import { PageLife } from './page-life.ts';

/** What the open dictionaries of one provider have in common. */
export interface DatabaseAccess {
  readonly settings: Required<IndexedDbOptions>;
  readonly connection: Connection;
  readonly feed: DatabaseFeed;
  readonly page: PageLife;
}

export function openDatabase(settings: Required<IndexedDbOptions>): DatabaseAccess {
  const connection = new Connection(settings.database);
  return { settings, connection, feed: new DatabaseFeed({ connection, database: settings.database, pollMs: settings.pollMs }), page: new PageLife() };
}

export async function closeDatabase({ connection, feed, page }: DatabaseAccess): Promise<void> {
  page.close();
  feed.close();
  await connection.close();
}
