import { letGo } from './let-go.ts';

/** Who wants to hear of commits. */
export interface FeedListener {
  readonly dictionary: string;
  /** Commits what pages that were left have parked; resolves to whether all of it. Never rejects, as commits are heard all the same. */
  commitParked(): Promise<boolean>;
  /** Reads what is new; resolves to whether there is more. */
  read(): Promise<boolean>;
  /** It could not be read. */
  fail(error: unknown): void;
}

export interface FeedConfig {
  readonly database: string;
  readonly pollMs: number;
}

/** How a listener's looks stand: one at a time, and one more if there was a reason meanwhile. */
interface Looks {
  running: Promise<void> | undefined;
  isDue: boolean;
  /** Whether it is to be seen to what is parked first: now and then, as who parks meanwhile must not have to wait. */
  isForParked: boolean;
  /** So many polls do not see to it, as there was something in the way: an attempt may be large, and holds up other writes. */
  pollsToPass: number;
}

const pollsAfterFailure = 10;

/**
 * Notices commits to a database, and has its listeners read what is new: when it rings, in this tab or another one, and slowly by
 * itself, since a frozen tab hears nothing, and not every browser has bells.
 */
export class DatabaseFeed {
  readonly #config: FeedConfig;
  readonly #listeners = new Map<FeedListener, Looks>();
  /** Tells other tabs, and the other providers of this one, in which dictionary there is something new; what it is they read themselves. */
  readonly #bell: BroadcastChannel | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(config: FeedConfig) {
    this.#config = config;
    if (typeof BroadcastChannel === 'undefined') return;
    this.#bell = new BroadcastChannel(`rx-persistify ${config.database}`);
    this.#bell.onmessage = ({ data }: MessageEvent<unknown>) => this.#rung(data);
    letGo(this.#bell);
  }

  /** A session of this provider has committed something. */
  committed(dictionary: string): void {
    this.#bell?.postMessage(dictionary);
    this.#rung(dictionary);
  }

  /** Begins to tell, soon. Returns what ends it, and is done when nothing is held for it any more. */
  join(listener: FeedListener): () => Promise<void> {
    this.#listeners.set(listener, { running: undefined, isDue: false, isForParked: true, pollsToPass: 0 });
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => this.#lookForAll(), this.#config.pollMs);
      letGo(this.#timer);
    }
    queueMicrotask(() => this.#look(listener));
    return () => this.#leave(listener);
  }

  close(): void {
    this.#bell?.close();
  }

  async #leave(listener: FeedListener): Promise<void> {
    const running = this.#listeners.get(listener)?.running;
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    await running;
  }

  #rung(dictionary: unknown): void {
    for (const listener of this.#listeners.keys()) if (listener.dictionary === dictionary) this.#look(listener);
  }

  #lookForAll(): void {
    for (const [listener, looks] of this.#listeners) {
      if (looks.pollsToPass > 0) looks.pollsToPass--;
      else looks.isForParked = true;
      this.#look(listener);
    }
  }

  #look(listener: FeedListener): void {
    const looks = this.#listeners.get(listener);
    if (looks === undefined) return;
    looks.isDue = true;
    looks.running ??= this.#lookWhileDue(listener, looks);
  }

  async #lookWhileDue(listener: FeedListener, looks: Looks): Promise<void> {
    try {
      while (looks.isDue && this.#listeners.has(listener)) {
        looks.isDue = false;
        if (looks.isForParked) {
          looks.isForParked = false;
          looks.pollsToPass = (await listener.commitParked()) ? 0 : pollsAfterFailure;
        }
        const isMore = await listener.read();
        looks.isDue ||= isMore;
      }
    } catch (error) {
      if (this.#listeners.has(listener)) listener.fail(error);
    } finally {
      looks.running = undefined;
    }
  }
}
