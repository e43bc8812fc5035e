import { Subject, type Observable } from 'rxjs';

export interface RecencyConfig {
  /** How long a key stays that is not used, in milliseconds. */
  readonly keepMs: number;
  readonly maxKeys: number;
  readonly now: () => number;
  /** Whether memory has the key. */
  readonly has: (key: string) => boolean;
  /** How many keys memory has. */
  readonly count: () => number;
  /** Lets go of the key; returns whether that was possible by now. */
  readonly evict: (key: string) => boolean;
}

/** How many are let go of in one go. */
const AT_ONCE = 1_000;
/** How many are let go of when one comes: one for it, and one more where others had to stay. */
const AT_A_TIME = 2;
/** Fewer keys that are gone are not worth a clean-up. */
const FEW = 1_000;

/** Which keys were used when, so that those go that were not used for longest. */
export class Recency {
  /** Emits when something is to be done earlier than `nextAt` told. */
  readonly sooner$: Observable<undefined>;
  readonly #config: RecencyConfig;
  readonly #sooner = new Subject<undefined>();
  /** When each key was last used: longest ago first. Some of them memory may have no more. */
  readonly #used = new Map<string, number>();
  /** Those whose turn it was to go and that could not, likewise: all were used before the others. */
  readonly #held = new Map<string, number>();

  constructor(config: RecencyConfig) {
    this.#config = config;
    this.sooner$ = this.#sooner.asObservable();
  }

  use(key: string): void {
    const { now, count } = this.#config;
    const wasEmpty = this.#used.size === 0;
    this.forget(key);
    this.#used.set(key, now());
    if (wasEmpty) this.#sooner.next(undefined);
    this.#release(this.#held, AT_A_TIME);
    this.#release(this.#used, AT_A_TIME);
    if (this.#used.size + this.#held.size > 2 * count() + FEW) this.#forgetGone();
  }

  forget(key: string): void {
    this.#used.delete(key);
    this.#held.delete(key);
  }

  /** Some that could not go may be free to. */
  freed(): void {
    this.#release(this.#held, this.#held.size);
    this.#release(this.#used, this.#used.size);
  }

  /** When the first was not used for long enough. */
  readonly nextAt = (): number | undefined => {
    const [first] = this.#used.values();
    return first === undefined || this.#config.keepMs === Infinity ? undefined : first + this.#config.keepMs;
  };

  /** Lets go of those that were not used for long enough, some at a time. */
  readonly step = (): void => this.#release(this.#used, AT_ONCE);

  /** Lets go of those that are too many or too old, and stand first; looks at no more than `limit`. */
  #release(keys: Map<string, number>, limit: number): void {
    const { count, maxKeys, now, keepMs, has, evict } = this.#config;
    const until = now() - keepMs;
    let left = limit;
    for (const [key, usedAt] of keys) {
      if (left-- === 0 || (usedAt > until && count() <= maxKeys)) break;
      if (!has(key) || evict(key)) keys.delete(key);
      else if (keys === this.#used) {
        keys.delete(key);
        this.#held.set(key, usedAt);
      }
    }
  }

  #forgetGone(): void {
    for (const keys of [this.#held, this.#used]) for (const key of keys.keys()) if (!this.#config.has(key)) keys.delete(key);
  }
}
