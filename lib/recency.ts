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

  /** When the first of those was used that may go by now and are neither too many nor too old. */
  #freeAt: number | undefined;

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

  /** How many keys it knows. */
  get size(): number {
    return this.#used.size + this.#held.size;
  }

  /** Takes in those of `keys` that memory has and that it does not know, as if they were used now. */
  adopt(keys: Iterable<string>): void {
    const { has } = this.#config;
    for (const key of keys) if (has(key) && !this.#used.has(key) && !this.#held.has(key)) this.use(key);
  }

  /** Some that could not go may be free to. */
  freed(): void {
    const before = this.#freeAt;
    this.#releaseHeld();
    this.#release(this.#used, this.#used.size);
    if (this.#freeAt !== undefined && (before === undefined || this.#freeAt < before)) this.#sooner.next(undefined);
  }

  /** When the first was not used for long enough. */
  readonly nextAt = (): number | undefined => {
    const [first = Infinity] = this.#used.values();
    const at = Math.min(first, this.#freeAt ?? Infinity) + this.#config.keepMs;
    return at === Infinity ? undefined : at;
  };

  /** Lets go of those that were not used for long enough, some at a time. */
  readonly step = (): void => {
    const { keepMs, now } = this.#config;
    if (this.#freeAt !== undefined && this.#freeAt + keepMs <= now()) this.#releaseHeld();
    this.#release(this.#used, AT_ONCE);
  };

  #releaseHeld(): void {
    this.#freeAt = this.#release(this.#held, this.#held.size);
  }

  /**
   * Lets go of those that are too many or too old, and stand first; looks at no more than `limit`. Returns when the first of
   * the others was used.
   */
  #release(keys: Map<string, number>, limit: number): number | undefined {
    const { count, maxKeys, now, keepMs, has, evict } = this.#config;
    const until = now() - keepMs;
    let left = limit;
    for (const [key, usedAt] of keys) {
      if (left-- === 0 || (usedAt > until && count() <= maxKeys)) return usedAt;
      if (!has(key) || evict(key)) keys.delete(key);
      else if (keys === this.#used) {
        keys.delete(key);
        this.#held.set(key, usedAt);
      }
    }
    return undefined;
  }

  #forgetGone(): void {
    for (const keys of [this.#held, this.#used]) for (const key of keys.keys()) if (!this.#config.has(key)) keys.delete(key);
  }
}
