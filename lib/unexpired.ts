import { defer, EMPTY, Subject, switchMap, type Subscription } from 'rxjs';

import type { Quarantined } from './change.ts';
import type { Difference, Layers, LoadedEntry } from './layers.ts';
import { loadedEntry, takeUp } from './loading.ts';
import type { StoredValue } from './overlay.ts';
import type { Entry, ProviderSession } from './providers/provider.ts';
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
  readonly onPending: () => void;
}

/** The first wait before storage is asked again; the next are as long as it has been asked in vain. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 3_600_000;

/**
 * What has ended here and not in storage. Either another process has prolonged or replaced it, and then it shows again; or
 * storage's clock is behind, and then it is asked again later.
 */
export class Unexpired {
  readonly #config: UnexpiredConfig;
  readonly #news = new Subject<undefined>();
  #later: (Refusal & { readonly dueAt: number })[] = [];
  /** When storage was asked first. */
  readonly #askedAt = new WeakMap<StoredValue<unknown>, number>();

  constructor(config: UnexpiredConfig) {
    this.#config = config;
  }

  /** Asks again when it is time, until what is returned is unsubscribed. */
  start(): Subscription {
    const { scheduler } = this.#config.settings;
    const wait$ = defer(() => {
      const dueAt = this.#later.reduce((least, each) => Math.min(least, each.dueAt), Infinity);
      return dueAt === Infinity ? EMPTY : quietTimer(Math.min(Math.max(dueAt - scheduler.now(), 0), LONGEST_WAIT_MS), scheduler);
    });
    return this.#news.pipe(switchMap(() => wait$)).subscribe(() => this.#askAgain());
  }

  look(refusals: readonly Refusal[]): void {
    this.#look(refusals).catch(() => this.#askLater(refusals)); // storage is out of reach, which is told where it is written
  }

  async #look(refusals: readonly Refusal[]): Promise<void> {
    const { layers, settings, between, tell } = this.#config;
    await between(async () => {
      const stored = await this.#read(refusals.map(({ key }) => key));
      const isSame = ({ key, base }: Refusal): boolean => stored.get(key)?.version === base.version && (stored.get(key)?.expiresAt ?? Infinity) <= settings.scheduler.now();
      const loaded: [string, LoadedEntry<unknown>][] = [];
      const bad: Quarantined[] = [];
      for (const entry of stored.values()) takeUp(entry, settings.format, { entry: (_, value) => loaded.push([entry.key, loadedEntry(entry, value)]), quarantined: (found) => bad.push(found) });
      // What was found ended in storage alone is no news to memory.
      const unseen = new Set(refusals.filter(({ base }) => base.value === undefined).map(({ key }) => key));
      const unchanged = refusals.filter(isSame);
      const left = new Set(unchanged.map(({ key }) => key));
      const differences: Difference<unknown>[] = [];
      for (const [key, entry] of loaded) if (!left.has(key) && !unseen.has(key)) layers.rebaseEntry(key, entry, settings.format.toText, differences);
      for (const { key } of refusals) if (!left.has(key)) layers.isEndedAtLast(key);
      for (const found of bad) if (!layers.isUnsaved(found.key) && !layers.view.has(found.key)) layers.quarantined.set(found.key, found);
      tell(differences);
      this.#askLater(unchanged);
    });
  }

  /** What storage has of `keys`. */
  async #read(keys: readonly string[]): Promise<ReadonlyMap<string, Entry>> {
    const { session } = this.#config;
    if (session.read !== undefined) return new Map((await session.read(keys)).map((entry) => [entry.key, entry]));
    const wanted = new Set(keys);
    const found = new Map<string, Entry>();
    for await (const { entries } of session.load()) for (const entry of entries) if (wanted.has(entry.key)) found.set(entry.key, entry);
    return found;
  }

  #askLater(refusals: readonly Refusal[]): void {
    if (refusals.length === 0) return;
    const now = this.#config.settings.scheduler.now();
    for (const { key, base } of refusals) {
      const askedAt = this.#askedAt.get(base) ?? now;
      this.#askedAt.set(base, askedAt);
      this.#later.push({ key, base, dueAt: now + Math.min(Math.max(now - askedAt, FIRST_WAIT_MS), LONGEST_WAIT_MS) });
    }
    this.#news.next(undefined);
  }

  #askAgain(): void {
    const { layers, settings, onPending } = this.#config;
    const now = settings.scheduler.now();
    const later = this.#later;
    // What is due in more than the longest wait is so because the clock was set back.
    this.#later = later.filter(({ dueAt }) => dueAt > now && dueAt - now <= LONGEST_WAIT_MS);
    for (const { key, base, dueAt } of later) if (!(dueAt > now && dueAt - now <= LONGEST_WAIT_MS) && layers.isUnexpired(key, base)) layers.expireAgain(key, base);
    onPending();
    this.#news.next(undefined);
  }
}
