import { persistify, type Change } from 'rx-persistify';
import { remote } from 'rx-persistify/remote';

/** What a page has heard of a store whose entries are numbers, each an entry of its own. */
export interface Heard {
  /** The numbers in the order in which they were told to be there. */
  readonly numbers: number[];
  /** Those that were told to be there no more. */
  readonly takenBack: number[];
  /** How the connection stood, each state once it is another. */
  readonly connections: string[];
  /** Whether it had to be told all anew. */
  isReloaded: boolean;
}

declare global {
  /** Follows the store at `url` from now on; resolves when it is open. */
  var follow: (url: string, timeoutMs: number) => Promise<void>;
  var heard: Heard;
  /** The numbers that the store has. */
  var contents: () => number[];
}

globalThis.heard = { numbers: [], takenBack: [], connections: [], isReloaded: false };

globalThis.follow = async (url, timeoutMs) => {
  const store = await persistify(remote({ url, timeoutMs })).withRetry({ delayMs: 50, maxDelayMs: 200 }).open<Record<string, number>>('numbers');
  heard.numbers.push(...store.values());
  store.changes$.subscribe(note);
  store.status$.subscribe(({ connection }) => {
    if (connection !== undefined && connection.state !== heard.connections.at(-1)) heard.connections.push(connection.state);
  });
  globalThis.contents = () => [...store.values()];
};

function note(change: Change<string, number>): void {
  if (change.origin === 'reload') heard.isReloaded = true;
  if (change.type === 'set') heard.numbers.push(change.value);
  else if (change.type === 'clear') heard.takenBack.push(...change.previous.values());
  else heard.takenBack.push(change.previous);
}
