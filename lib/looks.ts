import { firstValueFrom } from 'rxjs';

import type { Quarantined } from './change.ts';
import { hasEnded } from './deadline.ts';
import { LoadError, ProviderError, SaveError } from './errors.ts';
import type { Difference, Layers, LoadedEntry } from './layers.ts';
import { loadedEntry, takeUp } from './loading.ts';
import type { ProviderSession } from './providers/provider.ts';
import { retried } from './retried.ts';
import type { Settings } from './settings.ts';

/** What storage has under a key: what memory has now, too, or something that cannot be read, or what has ended by the clock here, or nothing. */
export type Seen = 'in memory' | Quarantined | { readonly endedVersion: number } | undefined;

export interface LooksConfig {
  readonly layers: Layers<unknown>;
  readonly session: ProviderSession;
  readonly settings: Settings;
  /** Whether a feed tells what storage has. */
  readonly hasFeed: () => boolean;
  /** Runs what reads storage when no batch is under way. */
  readonly readBetween: (step: () => Promise<void>) => Promise<void>;
  readonly readAll: () => Promise<unknown>;
  readonly tell: (differences: readonly Difference<unknown>[]) => void;
}

/** Looks at what storage has under a key of which it was found to have something else than was thought. */
export class Looks {
  readonly #config: LooksConfig;

  constructor(config: LooksConfig) {
    this.#config = config;
  }

  /**
   * Memory has it then, and 'in memory' is the answer; but not where the key is absent, or cannot be read, and a feed will tell so:
   * this is seen without a version, and what the feed tells next may be older.
   * @throws SaveError if storage cannot be read; what was to be decided is not stored.
   */
  async at(key: string): Promise<Seen> {
    const { session, settings, readAll } = this.#config;
    try {
      return await firstValueFrom(retried(() => (session.read === undefined ? readAll().then((): Seen => 'in memory') : this.#see(key)), settings));
    } catch (error) {
      if (!(error instanceof LoadError || error instanceof ProviderError)) throw error;
      throw new SaveError(`Not decided: what storage has under ${JSON.stringify(key)} could not be read (${error.message}). Nothing was changed.`, { outcome: 'discarded', keys: [key], cause: error });
    }
  }

  async #see(key: string): Promise<Seen> {
    const { layers, session, settings, hasFeed, readBetween, tell } = this.#config;
    const found: { of: Seen } = { of: 'in memory' };
    await readBetween(async () => {
      const [stored] = (await session.read?.([key])) ?? [];
      const seen: { entry?: LoadedEntry<unknown>; quarantined?: Quarantined } = {};
      if (stored !== undefined) takeUp(stored, settings.format, { entry: (_, value) => (seen.entry = loadedEntry(stored, value)), quarantined: (bad) => (seen.quarantined = bad) });
      if (seen.entry === undefined && hasFeed()) {
        found.of = seen.quarantined;
        return;
      }
      const differences: Difference<unknown>[] = [];
      layers.rebaseOne(key, seen.entry ?? seen.quarantined, settings.format.toText, differences);
      if (seen.entry !== undefined && hasEnded(seen.entry, settings.scheduler.now())) found.of = { endedVersion: seen.entry.version };
      tell(differences);
    });
    return found.of;
  }
}
