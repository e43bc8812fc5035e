import type { Subscription} from 'rxjs';
import { Subject, switchMap } from 'rxjs';

import type { Quarantined } from './change.ts';
import type { Difference, Layers, LoadedEntry } from './layers.ts';
import { loadedEntry, takeUp } from './loading.ts';
import type { StoredValue } from './overlay.ts';
import type { ProviderSession } from './providers/provider.ts';
import type { Settings } from './settings.ts';
import { quietTimer } from './streams/quiet-timer.ts';

interface Refusal {
  readonly key: string;
  readonly base: StoredValue<unknown>;
}

export interface UnexpiredConfig {
  readonly layers: Layers<unknown>;
  readonly session: ProviderSession;
  readonly settings: Settings;
  /** Runs a step while no batch is under way. */
  readonly between: (step: () => Promise<void>) => Promise<void>;
  /** Told what reads see change. */
  readonly tell: (differences: readonly Difference<unknown>[]) => void;
  /** Has everything read anew. */
  readonly readAnew: () => void;
  readonly onPending: () => void;
}

/** The first wait before storage is asked again; it doubles, as long as there is nothing new. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 3_600_000;

/**
 * What has ended here and not in storage. Either another process has prolonged or replaced it, and then it shows again; or
 * storage's clock is behind, and then it is asked again later.
 */
export class Unexpired {
  readonly #config: UnexpiredConfig;
  readonly #waits = new Subject<number>();
  readonly #later: Refusal[] = [];
  #waitMs = FIRST_WAIT_MS;

  constructor(config: UnexpiredConfig) {
    this.#config = config;
  }

  /** Asks again when it is time, until what is returned is unsubscribed. */
  start(): Subscription {
    const { layers, settings, onPending } = this.#config;
    return this.#waits.pipe(switchMap((waitMs) => quietTimer(waitMs, settings.scheduler))).subscribe(() => {
      for (const { key, base } of this.#later.splice(0)) layers.expireAgain(key, base);
      onPending();
    });
  }

  look(refusals: readonly Refusal[]): void {
    this.#look(refusals).catch(() => this.#askLater(refusals)); // storage is out of reach, which is told where it is written
  }

  async #look(refusals: readonly Refusal[]): Promise<void> {
    const { session, layers, settings, between, tell, readAnew } = this.#config;
    if (session.read === undefined) {
      readAnew();
      return;
    }
    await between(async () => {
      const stored = new Map((await session.read?.(refusals.map(({ key }) => key)))?.map((entry) => [entry.key, entry]));
      const isSame = ({ key, base }: Refusal): boolean => stored.get(key)?.version === base.version && (stored.get(key)?.expiresAt ?? Infinity) <= settings.scheduler.now();
      const loaded: [string, LoadedEntry<unknown>][] = [];
      const bad: Quarantined[] = [];
      for (const entry of stored.values()) takeUp(entry, settings.format, { entry: (_, value) => loaded.push([entry.key, loadedEntry(entry, value)]), quarantined: (found) => bad.push(found) });
      const unchanged = refusals.filter(isSame);
      const left = new Set(unchanged.map(({ key }) => key));
      const differences: Difference<unknown>[] = [];
      for (const [key, entry] of loaded) if (!left.has(key)) layers.rebaseEntry(key, entry, settings.format.toText, differences);
      for (const found of bad) if (!layers.isUnsaved(found.key) && !layers.view.has(found.key)) layers.quarantined.set(found.key, found);
      tell(differences);
      if (unchanged.length > 0) this.#askLater(unchanged);
      else this.#waitMs = FIRST_WAIT_MS;
    });
  }

  #askLater(refusals: readonly Refusal[]): void {
    this.#later.push(...refusals);
    this.#waits.next(this.#waitMs);
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
  }
}
