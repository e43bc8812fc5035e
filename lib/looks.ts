import { defer, firstValueFrom, race, timer } from 'rxjs';

import type { Quarantined } from './change.ts';
import { LoadError, ProviderError, SaveError } from './errors.ts';
import type { Difference, Layers, LoadedEntry } from './layers.ts';
import { loadedEntry, takeUp } from './loading.ts';
import { isRetryable } from './provider-failure.ts';
import type { ProviderSession } from './providers/provider.ts';
import type { RemoteCommits } from './remote-commits.ts';
import type { Settings } from './settings.ts';
import { backoff } from './streams/backoff.ts';

/** How long the feed may take to tell what storage knows before that is asked for it. */
const FEED_MS = 100;

export interface LooksConfig {
  readonly layers: Layers<unknown>;
  readonly session: ProviderSession;
  readonly settings: Settings;
  /** Where there is a feed. */
  readonly remote: () => RemoteCommits<unknown> | undefined;
  /** Runs what reads storage when no batch is under way. */
  readonly readBetween: (step: () => Promise<void>) => Promise<void>;
  readonly readAll: () => Promise<unknown>;
  readonly tell: (differences: readonly Difference<unknown>[]) => void;
}

/** Makes known what storage has under a key of which it was found to have something else than was thought. */
export class Looks {
  readonly #config: LooksConfig;

  constructor(config: LooksConfig) {
    this.#config = config;
  }

  /**
   * Looks for another version than the one that was thought. The feed has the first word, as it has an order: that a key
   * is absent is read without a version, and what the feed tells afterwards could be older.
   * @throws SaveError if storage cannot be read; what was to be decided is not stored.
   */
  async at(key: string, thought: number): Promise<void> {
    const { layers, remote, settings } = this.#config;
    const feed = remote();
    const isKnown = (): boolean => layers.baseVersion(key) !== thought;
    if (!isKnown() && feed?.isBehind === true) await firstValueFrom(race(feed.caughtUp$, timer(FEED_MS, settings.scheduler)), { defaultValue: undefined });
    if (!isKnown()) await this.#read(key);
  }

  async #read(key: string): Promise<void> {
    const { session, settings, readAll } = this.#config;
    const { retry, scheduler } = settings;
    const reading$ = defer(() => (session.read === undefined ? readAll() : this.#readOne(key))).pipe(
      backoff({ ...retry, scheduler, random: Math.random, retryable: (error) => isRetryable(causeOf(error)), onRetry: () => undefined }),
    );
    try {
      await firstValueFrom(reading$, { defaultValue: undefined });
    } catch (error) {
      if (!(error instanceof LoadError || error instanceof ProviderError)) throw error;
      throw new SaveError(`Not decided: what storage has under ${JSON.stringify(key)} could not be read (${error.message}). Nothing was changed.`, { outcome: 'discarded', keys: [key], cause: error });
    }
  }

  #readOne(key: string): Promise<void> {
    const { layers, session, settings, readBetween, tell } = this.#config;
    return readBetween(async () => {
      const [entry] = (await session.read?.([key])) ?? [];
      const differences: Difference<unknown>[] = [];
      const found: { of?: LoadedEntry<unknown> | Quarantined } = {};
      if (entry !== undefined) takeUp(entry, settings.format, { entry: (_, value) => (found.of = loadedEntry(entry, value)), quarantined: (bad) => (found.of = bad) });
      layers.rebaseOne(key, found.of, settings.format.toText, differences);
      tell(differences);
    });
  }
}

/** Reading all tells of its failure as `open` does. */
function causeOf(error: unknown): unknown {
  return error instanceof LoadError ? error.cause : error;
}
