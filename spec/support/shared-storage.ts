import { memory, type Batch, type BatchResult, type CommitFeed, type Entry, type Feed, type Provider, type ProviderSession } from 'rx-persistify';
import { concatMap, map, of } from 'rxjs';

/** What a test does to a session's calls; each is handed the call itself. */
export interface Hooks {
  write?: (batch: Batch, write: (batch: Batch) => Promise<BatchResult>) => Promise<BatchResult>;
  read?: (read: () => Promise<readonly Entry[]>) => Promise<readonly Entry[]>;
  /** What word of a commit waits for. */
  feed?: () => Promise<unknown>;
}

/** A session on storage that several share, as SQLite and PostgreSQL have it: its feed tells own commits by their place alone. */
export function sharedStorage(storage: Provider = memory(), hooks: Hooks = {}): Provider {
  return {
    name: 'shared storage',
    async open(name, context): Promise<ProviderSession> {
      const session = await storage.open(name, context);
      const told = (feed: Feed): Feed => (feed.type === 'commit' && feed.cursor.writer === context.writer ? placeOf(feed) : feed);
      return {
        capabilities: session.capabilities,
        load: () => session.load(),
        read: (keys) => {
          const read = async (): Promise<readonly Entry[]> => (await session.read?.(keys)) ?? [];
          return hooks.read?.(read) ?? read();
        },
        write: (batch, writeContext) => {
          const write = (changed: Batch): Promise<BatchResult> => session.write(changed, writeContext);
          return hooks.write?.(batch, write) ?? write(batch);
        },
        watch: (since) => {
          if (session.watch === undefined) throw new Error('This storage is to have a feed.');
          return session.watch(since).pipe(
            concatMap((feed) => (hooks.feed === undefined ? of(feed) : hooks.feed().then(() => feed))),
            map(told),
          );
        },
        close: () => session.close(),
      };
    },
  };
}

function placeOf({ cursor }: CommitFeed): CommitFeed {
  return { type: 'commit', cursor, cleared: false, entries: [], deleted: [] };
}

/** Refuses, of each batch, the values with one of these texts, and stores the rest. */
export function refusing(...texts: readonly string[]): NonNullable<Hooks['write']> {
  return async (batch, write) => {
    const refused = batch.mutations.flatMap((mutation, index) => (mutation.type === 'set' && texts.includes(mutation.json) ? [index] : []));
    const { version } = await write({ ...batch, mutations: batch.mutations.filter((_, index) => !refused.includes(index)) });
    return { version, leftOut: refused.map((index) => ({ index, reason: 'refused', message: 'the test refuses it' })) };
  };
}
