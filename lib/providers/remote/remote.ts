import type { Provider } from '../provider.ts';
import { Connection } from './connection.ts';
import { settingsFrom, type RemoteOptions } from './options.ts';
import { RemoteSession } from './session.ts';

/**
 * Follows stores that another process serves with `serveFeed` of `rx-persistify/server`, in browsers and Node. A store that is opened
 * by it reads as any other; what changes there comes as changes of origin `remote`, of quick ones of a key the last, and writes
 * throw a `ReadOnlyError`. It shows what was applied there, be it saved or not: what a crash of the server takes back, it takes back.
 *
 * A connection that breaks, or that is refused, is told on `errors$` and made anew, with the backoff of `withRetry`. What changed
 * meanwhile is told then: no change is missed and none is told twice, also if the server was started anew. `status` is that of the
 * store that is served, and has `connection`.
 *
 * Entries are gone when the server says so, and not by a clock of this side, where `expiresAt` is unknown. Values need the schema and
 * codec that they have there. While it is open it keeps a process alive.
 *
 * @throws OptionsError
 * @example
 * const sensors = await persistify(remote({ url: '/feed' })).open<Record<string, number>>('sensors');
 */
export function remote(options: RemoteOptions): Provider {
  const settings = settingsFrom(options);
  return {
    name: 'remote',
    async open(storeName) {
      const connection = new Connection(storeName, settings);
      await connection.open();
      return new RemoteSession(storeName, settings, connection);
    },
  };
}
