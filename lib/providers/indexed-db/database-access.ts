import { Connection } from './connection.ts';
import { DatabaseFeed } from './database-feed.ts';
import type { IndexedDbOptions } from './options.ts';
import { Parking } from './parking.ts';
import { layout, type Schema } from './schema.ts';

/** What the open dictionaries of one provider have in common. */
export interface DatabaseAccess {
  readonly settings: Required<IndexedDbOptions>;
  readonly connection: Connection<Schema>;
  readonly feed: DatabaseFeed;
  readonly parking: Parking;
}

export function openDatabase(settings: Required<IndexedDbOptions>): DatabaseAccess {
  const connection = new Connection(settings.database, layout);
  return { settings, connection, feed: new DatabaseFeed({ database: settings.database, pollMs: settings.pollMs }), parking: new Parking(settings) };
}

export async function closeDatabase({ connection, feed, parking }: DatabaseAccess): Promise<void> {
  feed.close();
  await Promise.all([connection.close(), parking.close()]);
}
