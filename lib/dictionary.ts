import { concat, defaultIfEmpty, defer, EMPTY, firstValueFrom, from, ignoreElements, map, race, Subscription, take, timer, type Observable } from 'rxjs';

import { abortReason, unlessAborted } from './aborted.ts';
import type { Change, Failure, Origin, Quarantined, Save, Status } from './change.ts';
import { hasEnded } from './deadline.ts';
import { CorruptDataError, SaveError, type PersistifyError } from './errors.ts';
import { Layers, type Difference, type LoadedEntry, type Settled } from './layers.ts';
import { Lifetimes } from './lifetimes.ts';
import { Limits } from './limits.ts';
import { Looks } from './looks.ts';
import { loadedEntry, takeUp } from './loading.ts';
import { providerFailure } from './provider-failure.ts';
import type { CommitFeed, Cursor, ProviderSession } from './providers/provider.ts';
import { RemoteCommits } from './remote-commits.ts';
import { Saver } from './saver.ts';
import type { Settings } from './settings.ts';
import type { CloseOptions, WaitOptions } from './store.ts';
import { expireKeys } from './streams/expire-keys.ts';
import { followFeed } from './streams/follow-feed.ts';
import { nextTurn } from './streams/macrotask.ts';
import { Teller } from './teller.ts';
import { Unexpired } from './unexpired.ts';
import { WaitingWrites } from './waiting-writes.ts';
import { Writes } from './writes.ts';

export interface DictionaryConfig {
  readonly name: string;
  readonly session: ProviderSession;
  readonly writer: string;
  readonly settings: Settings;
  readonly onClosed: () => void;
}

/** What a store, which has all in memory, and a cache, which has not, do each in their own way. */
export interface Kind {
  /** Whether storage may have keys that memory does not know of. */
  readonly isPartial: boolean;
  /** All entries that memory has and reads see. */
  readonly entries: () => readonly (readonly [string, unknown])[];
  /** Reads from storage what memory has of it. Resolves to the place read, and to what makes it the base and returns what reads see change. */
  readonly read: () => Promise<{ readonly place: Cursor; readonly rebase: (discardRevision: number) => readonly Difference<unknown>[] }>;
  /** Whether memory is to have a key that another process writes, where it has not. */
  readonly isWanted: (key: string) => boolean;
  /** Told of each key that was written in this process; `undefined`: all were. */
  readonly onWritten?: (key: string | undefined) => void;
  /** Told of each key that another process wrote; `undefined`: all may have been. */
  readonly onRemote?: (key: string | undefined) => void;
}

/** How long a provider may take to release storage, be the deadline over. */
const RELEASE_MS = 1_000;

/**
 * What a store and a cache are made of, and their life: the layers hold what is known, the writes change it, the teller
 * tells of it, the saver saves it, and what has ended expires. Each of them knows nothing of the others.
 */
export class Dictionary {
  readonly name: string;
  readonly session: ProviderSession;
  readonly settings: Settings;
  readonly changes$: Observable<Change>;
  readonly saves$: Observable<Save>;
  readonly errors$: Observable<Failure>;
  readonly status$: Observable<Status>;
  readonly layers: Layers<unknown>;
  readonly teller: Teller<unknown>;
  readonly writes: Writes;
  readonly waiting: WaitingWrites;
  readonly #kind: Kind;
  readonly #onClosed: () => void;
  readonly #saver: Saver<unknown>;
  readonly #unexpired: Unexpired;
  /** What runs by itself until the end. */
  readonly #running = new Subscription();
  /** Readings of storage under way. */
  readonly #readings = new Set<Promise<void>>();
  readonly #looks: Looks;
  #remote: RemoteCommits<unknown> | undefined;
  /** What the feed tells while storage is read. */
  #news: CommitFeed[] | undefined;
  #closed: Promise<void> | undefined;
  #isResyncQueued = false;

  constructor({ name, session, writer, settings, onClosed }: DictionaryConfig, kind: Kind) {
    const layers = new Layers(new Lifetimes<unknown>(() => settings.scheduler.now(), settings.ttl), session.capabilities.readOnly);
    const limits = new Limits(layers, settings.limits);
    this.name = name;
    this.session = session;
    this.settings = settings;
    this.layers = layers;
    this.#kind = kind;
    this.#onClosed = onClosed;
    this.teller = new Teller({
      seq: () => layers.seq,
      value: (key) => layers.find(key)?.value,
      has: (key) => layers.find(key) !== undefined,
      size: () => layers.size,
      entries: kind.entries,
      isTentative: () => this.writes.isInTransaction,
    });
    this.#saver = new Saver({
      storeName: name,
      layers,
      session,
      writer,
      settings,
      fullness: () => limits.fullness,
      onSettled: (settled) => this.#settled(settled),
      onSaved: (settled) => this.#saved(settled),
      onClearRefused: () => this.resync('reload'),
    });
    this.writes = new Writes({
      storeName: name,
      layers,
      teller: this.teller,
      format: settings.format,
      capabilities: session.capabilities,
      limits,
      isPartial: kind.isPartial,
      onWritten: kind.onWritten,
      onPending: () => this.#saver.announce(),
    });
    this.waiting = new WaitingWrites({ layers, writes: this.writes, limits, saver: this.#saver, settings, look: (key) => this.#looks.at(key) });
    this.#looks = new Looks({
      layers,
      session,
      settings,
      hasFeed: () => this.#remote !== undefined,
      readBetween: (step) => this.#readBetween(step),
      readAll: () => this.#readAnew(0, 'remote'),
      tell: (differences) => this.writes.tellDifferences(differences, 'remote'),
    });
    this.#unexpired = new Unexpired({
      layers,
      session,
      settings,
      between: (step) => this.#saver.betweenBatches(() => this.#beforeNews(step)),
      tell: (differences) => this.writes.tellDifferences(differences, 'remote'),
      onPending: () => this.#saver.announce(),
    });
    this.changes$ = this.teller.changes$;
    this.saves$ = this.#saver.saves$;
    this.errors$ = this.#saver.errors$;
    this.status$ = this.#saver.status$;
  }

  /** From now on what has ended expires, and what others commit after `place` is heard of. */
  start(place: Cursor): void {
    if (this.#closed !== undefined) return;
    this.#follow(place);
    const { lifetimes } = this.layers;
    const { scheduler } = this.settings;
    this.#running.add(expireKeys({ nextAt: this.writes.nextExpiryAt, sooner$: lifetimes.sooner$, step: () => this.writes.expireSome(), scheduler, pause$: concat(this.#saver.room$.pipe(ignoreElements()), nextTurn(scheduler)) }).subscribe());
    this.#running.add(this.#unexpired.start());
  }

  get status(): Status {
    return this.#saver.status;
  }

  get unsaved(): readonly string[] {
    return this.layers.unsavedKeys();
  }

  /** Tells of something wrong that is no failed save; `retry`, where it is tried again until it succeeds. */
  report(operation: Failure['operation'], error: PersistifyError, keys: readonly string[] = [], retry?: Pick<Failure, 'attempt' | 'delayMs'>): void {
    const series = retry === undefined ? { attempt: 1, maxAttempts: 1, willRetry: false, delayMs: 0 } : { ...retry, maxAttempts: Infinity, willRetry: true };
    this.#saver.report({ operation, error, ...series, fatal: false, keys });
  }

  /** Tells once of what cannot be read and was not known to be so. */
  tellQuarantined(known: ReadonlyMap<string, Quarantined> = new Map()): void {
    const keys = [...this.layers.quarantined.values()].filter(({ key, json }) => known.get(key)?.json !== json).map(({ key }) => key);
    if (keys.length === 0) return;
    const named = keys.slice(0, 5).map((key) => JSON.stringify(key)).join(', ');
    const error = new CorruptDataError(`${keys.length === 1 ? 'A stored entry cannot be read and is left as it is' : `${keys.length} stored entries cannot be read and are left as they are`}: ${named}${keys.length > 5 ? ', …' : ''}. See store.quarantined.`);
    this.report('load', error, keys);
  }

  /** The value of `key`, whose time begins anew by that, where it slides. */
  get(key: string): unknown {
    const { layers } = this;
    const entry = layers.view.get(key);
    if (entry?.expiresAt === undefined) return entry?.value;
    const now = layers.lifetimes.now(); // once, as to read the clock takes longer than all else here
    if (hasEnded(entry, now)) return undefined;
    if (layers.lifetimes.isSliding) this.writes.slide(entry, now);
    return entry.value;
  }

  touch(key: string): boolean {
    this.writes.checkWritable();
    const entry = this.layers.find(key);
    if (entry !== undefined) this.writes.slide(entry);
    return entry !== undefined;
  }

  expiresAt(key: string): number | undefined {
    const entry = this.layers.find(key);
    return entry?.expiresAt === undefined ? undefined : Math.ceil(entry.expiresAt);
  }

  /** Has storage end what it was found to have and has ended. */
  expireStored(key: string, version: number, expiresAt: number): void {
    this.layers.expireAgain(key, { value: undefined, version, expiresAt });
    this.#saver.announce();
  }

  async flush({ signal }: WaitOptions = {}): Promise<boolean> {
    if (signal?.aborted === true) throw abortReason(signal);
    this.writes.checkNoTransaction();
    if (this.#closed === undefined) this.writes.saveSlides();
    if (this.layers.unsavedCount > 0) this.writes.checkOpen();
    return this.waiting.trueOnceSaved(undefined, signal);
  }

  async reload({ signal }: WaitOptions = {}): Promise<void> {
    this.waiting.checkMayWait(signal);
    await unlessAborted(this.#readAnew(this.layers.revision, 'reload'), signal);
  }

  async close({ deadlineMs = 30_000, signal }: CloseOptions = {}): Promise<void> {
    if (signal?.aborted === true) throw abortReason(signal);
    this.writes.checkNoTransaction();
    if (this.#closed === undefined) this.writes.saveSlides();
    this.writes.close();
    this.#closed ??= this.#close(Math.min(deadlineMs, 2 ** 31 - 1));
    await unlessAborted(this.#closed, signal);
  }

  /** Runs `step` when no batch is under way; a close waits for it. */
  async reading(step: () => Promise<void>): Promise<void> {
    const reading = this.#saver.betweenBatches(step);
    this.#readings.add(reading);
    try {
      await reading;
    } finally {
      this.#readings.delete(reading);
    }
  }

  /** Storage was changed by others, or is not as it was thought: reads it anew and tells the differences, once for any number of calls meanwhile. */
  resync(origin: Origin): void {
    if (this.#isResyncQueued || this.#closed !== undefined) return;
    this.#isResyncQueued = true;
    queueMicrotask(() => {
      this.#isResyncQueued = false;
      if (this.#closed !== undefined) return;
      this.#readAnew(0, origin).catch((error: unknown) => {
        this.report('watch', providerFailure(error));
        // Storage is out of reach; when it is back, something is saved.
        this.saves$.pipe(take(1)).subscribe(() => this.resync(origin));
      });
    });
  }

  async #close(deadlineMs: number): Promise<void> {
    const { session, settings } = this;
    const endsAt = settings.scheduler.now() + deadlineMs;
    const leftMs = (): number => Math.max(0, endsAt - settings.scheduler.now());
    const readingsEnd = (): Promise<unknown> => firstValueFrom(race(from(Promise.allSettled(this.#readings)), timer(leftMs(), settings.scheduler)));
    this.#running.unsubscribe();
    await readingsEnd();
    const unsaved = await this.#saver.finish(leftMs());
    // One that had to wait for the last batch may have begun since; after it nothing is asked of the provider.
    if (this.#readings.size > 0) await readingsEnd();
    const closing = defer(() => session.close()).pipe(ignoreElements(), defaultIfEmpty(undefined));
    const late$ = timer(Math.max(leftMs(), RELEASE_MS), settings.scheduler).pipe(
      map(() => {
        throw new SaveError(`The provider of store ${JSON.stringify(this.name)} did not close in time.`, { outcome: 'unknown', keys: [] });
      }),
    );
    try {
      await firstValueFrom(race(closing, late$));
    } catch (error) {
      if (unsaved === undefined) throw error;
    } finally {
      this.teller.complete();
      this.#saver.complete();
      this.#onClosed();
    }
    if (unsaved !== undefined) throw unsaved;
  }

  /** Reads storage, and makes it the base; what is not saved up to `discardRevision` goes. */
  async #readAnew(discardRevision: number, origin: Origin): Promise<Cursor> {
    let read: Cursor = { version: 0 };
    await this.#readBetween(async () => {
      const { place, rebase } = await this.#kind.read();
      read = place;
      this.#remote?.readAnew(place.version);
      const unsaved = this.layers.unsavedKeys();
      const known = new Map(this.layers.quarantined);
      const differences = rebase(discardRevision);
      this.#saver.discarded(discardRevision, unsaved);
      this.writes.tellDifferences(differences, origin);
      this.tellQuarantined(known);
    });
    return read;
  }

  #follow(place: Cursor): void {
    const { layers, session, settings } = this;
    if (session.capabilities.shared && session.watch !== undefined) this.#remote = new RemoteCommits({ layers, textOf: settings.format.toText, isWanted: this.#kind.isWanted }, place.version);
    const following = followFeed({
      place,
      watch: (since) => session.watch?.(since) ?? EMPTY,
      onCommit: (commit) => this.#committed(commit),
      readAnew: () => this.#readAnew(0, 'remote'),
      onError: (error, attempt, delayMs) => this.report('watch', providerFailure(error), [], { attempt, delayMs }),
      ...settings.retry,
      random: Math.random,
      scheduler: settings.scheduler,
    });
    if (session.watch !== undefined) this.#running.add(following.subscribe());
  }

  /** Reads storage when no batch is under way. */
  #readBetween(step: () => Promise<void>): Promise<void> {
    return this.reading(() => this.#beforeNews(step));
  }

  /** Runs `step`, which reads storage. What the feed tells meanwhile comes after it, as what was read may be older. */
  async #beforeNews(step: () => Promise<void>): Promise<void> {
    const news: CommitFeed[] = [];
    this.#news = news;
    try {
      await step();
    } finally {
      this.#news = undefined;
      for (const commit of news) this.#committed(commit);
    }
  }

  #committed(commit: CommitFeed): void {
    if (this.#news !== undefined) {
      this.#news.push(commit);
      return;
    }
    const { format } = this.settings;
    const { cursor: { version }, cleared, entries, deleted, expired = [], touched = [] } = commit;
    const loaded = new Map<string, LoadedEntry<unknown>>();
    const quarantined = new Map<string, Quarantined>();
    for (const entry of entries) takeUp(entry, format, { entry: (_, value) => loaded.set(entry.key, loadedEntry(entry, value)), quarantined: (bad) => quarantined.set(bad.key, bad) });
    for (const { key, error } of quarantined.values()) this.report('load', error, [key]);
    if (cleared) this.#kind.onRemote?.(undefined);
    else for (const { key } of entries) this.#kind.onRemote?.(key);
    const gone = [...deleted, ...expired];
    for (const key of gone) this.#kind.onRemote?.(key);
    const differences = this.#remote?.apply({ version, cleared, entries: loaded, quarantined, deleted: gone, touched }) ?? [];
    this.writes.tellDifferences(differences, 'remote', new Set(expired));
  }

  #settled({ differences, accepted }: Settled<unknown>): void {
    this.writes.tellAllDifferences([
      { differences, origin: 'reload' },
      { differences: accepted, origin: 'local' },
    ]);
  }

  #saved(settled: Settled<unknown>): void {
    const { unexpired } = settled;
    this.writes.tellDifferences(this.#remote?.settled(settled) ?? [], 'remote');
    if (unexpired.length > 0 && this.#closed === undefined) this.#unexpired.look(unexpired);
  }
}

