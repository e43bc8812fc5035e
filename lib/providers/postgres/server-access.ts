import { Connections } from './connections.ts';
import { Doorbell } from './doorbell.ts';
import type { PostgresSettings } from './options.ts';
import { ServerFeed } from './server-feed.ts';

/** What the open dictionaries of one provider have in common. */
export interface ServerAccess {
  readonly connections: Connections;
  readonly doorbell: Doorbell;
  readonly feed: ServerFeed;
}

export async function connectToServer(settings: PostgresSettings): Promise<ServerAccess> {
  const { listen, pollMs, connectTimeoutMs } = settings;
  const connections = await Connections.open(settings);
  const feed = new ServerFeed({ connections, listens: listen !== false, pollMs, timeoutMs: 2 * connectTimeoutMs });
  return { connections, doorbell: new Doorbell(connections), feed };
}

export async function leaveServer({ doorbell, connections }: ServerAccess): Promise<void> {
  await doorbell.close();
  await connections.close();
}
