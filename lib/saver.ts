import { audit, catchError, defer, firstValueFrom, from, map, merge, of, race, Subject, take, timer, type Observable, type Subscription } from 'rxjs';

import { unlessAborted } from './aborted.ts';
import type { Failure, Save, Status } from './change.ts';
import { DiscardedError, ProviderError, SaveError, StoreClosedError, type PersistifyError } from './errors.ts';
import type { Layers, Settled } from './layers.ts';
import type { Batch, BatchResult, LeftOut } from './mutation.ts';
import type { Clearing, Flight, Overlay, Proposal } from './overlay.ts';
import { checkResult, isRetryable, providerFailure, reasonOf } from './provider-failure.ts';
import type { ProviderSession } from './providers/provider.ts';
import type { Settings } from './settings.ts';
import { batchMutations } from './streams/batch-mutations.ts';
import { follow } from './streams/follow.ts';
import { macrotask$ } from './streams/macrotask.ts';
import { writeBatches, type BetweenBatches, type WriteEvent, type WriteFailure } from './streams/write-batches.ts';
import { Waiters } from './waiters.ts';

/** A batch on its way, and what it was made of. */
interface Shipment<V> {
  readonly batch: Batch;
  readonly flight: Flight<V>;
}

export interface SaverConfig<V> {
  readonly storeName: string;
  readonly layers: Layers<V>;
  readonly session: ProviderSession;
  readonly writer: string;
  readonly settings: Settings;
  /** How much of what may be unsaved is. */
  readonly fullness: () => number;
  /** Told what reads see change by a batch that is settled, before anybody hears of the save: who does may write in his turn. */
  readonly onSettled: (settled: Settled<V>) => void;
  /** Told of it when the save was told: what others committed after it comes then. */
  readonly onSaved: (settled: Settled<V>) => void;
  /** Storage refused a `clear`: what it holds must be read anew. */
  readonly onClearRefused: () => void;
}

/** So many unsaved mutations are more than a batch should be. */
const CROWD = 1_000;

/** How long a write under way may take to settle once it is aborted. */
const SETTLE_MS = 1_000;

/** Saves what is pending: mutations in at one end, batches to the provider at the other, and word of it on three streams. */
export class Saver<V> {
  readonly saves$: Observable<Save>;
  readonly errors$: Observable<Failure>;
  readonly status$: Observable<Status>;
  readonly #config: SaverConfig<V>;
  readonly #mutations = new Subject<Overlay<V> | Clearing | Proposal<V>>();
  readonly #flush = new Subject<undefined>();
  readonly #between = new Subject<BetweenBatches>();
  readonly #saves = new Subject<Save>();
  readonly #errors = new Subject<Failure>();
  readonly #statusNews = new Subject<undefined>();
  readonly #statusNow = new Subject<undefined>();
  readonly #waiters = new Waiters();
  /** Aborts the write under way. */
  readonly #abort = new AbortController();
  /** Nothing is saved, or read, any more. */
  readonly #ended = new AbortController();
  readonly #pipeline: Subscription;
  readonly #following: Subscription | undefined;
  #announced = 0;
  #batchNumber = 0;
  #isDemanded = false;
  #holds = 0;
  #isOutageTold = false;
  /** An attempt to write the batch at the head may have stored it all the same; a later one that certainly did not, leaves that open. */
  #mayHeadBeStored = false;
  #phase: 'none' | 'saving' | 'retrying' | 'failing' | 'closed' = 'none';
  #lastSavedAt: number | undefined;
  /** How the store stands that this one follows. */
  #followed: Status | undefined;
  #status: Status = { state: 'idle', pending: 0, fullness: 0, lastSavedAt: undefined };

  constructor(config: SaverConfig<V>) {
    this.#config = config;
    this.saves$ = this.#saves.asObservable();
    this.errors$ = this.#errors.asObservable();
    const statuses$ = merge(this.#statusNews.pipe(audit(() => macrotask$)), this.#statusNow).pipe(map(() => this.status));
    this.status$ = follow(
      () => this.status,
      statuses$,
      (step) => step(),
    );
    this.#pipeline = this.#connect();
    this.#following = config.session.status$?.subscribe((status) => {
      this.#followed = status;
      this.#statusNews.next(undefined);
    });
  }

  get status(): Status {
    if (this.#followed !== undefined && this.#phase !== 'closed') return this.#followed;
    const state = this.#phase !== 'none' ? this.#phase : this.#config.layers.hasPending ? 'pending' : 'idle';
    const pending = this.#config.layers.unsavedCount;
    const fullness = this.#config.fullness();
    const { state: stateBefore, pending: pendingBefore, fullness: fullnessBefore, lastSavedAt } = this.#status;
    if (state !== stateBefore || pending !== pendingBefore || fullness !== fullnessBefore || this.#lastSavedAt !== lastSavedAt) {
      this.#status = { state, pending, fullness, lastSavedAt: this.#lastSavedAt };
    }
    return this.#status;
  }

  /**
   * Emits when what makes much pending at once, and can wait, may go on: at once while little is, else when something was
   * saved or failed. So no batch grows so large that to make or settle it is felt.
   */
  readonly room$: Observable<unknown> = defer(() => (this.#phase === 'saving' && this.#config.layers.unsavedCount > CROWD ? merge(this.#saves, this.#statusNow).pipe(take(1)) : of(undefined)));

  /** Sends the news of what became pending since the last call. */
  announce(): void {
    const { layers } = this.#config;
    if (layers.pendingCount < this.#announced) this.#announced = 0; // a clear came before
    for (let mutation = layers.pendingAt(this.#announced); mutation !== undefined; mutation = layers.pendingAt(this.#announced)) {
      this.#announced++;
      this.#mutations.next(mutation);
    }
    if (this.#statusNews.observed) this.#statusNews.next(undefined);
  }

  /** Resolves when everything up to now is saved, of `keys` or of all; `isOfClear`: and a `clear`. */
  async saved(keys: readonly string[] | undefined, signal: AbortSignal | undefined, isOfClear = keys === undefined): Promise<void> {
    const { layers } = this.#config;
    if (layers.unsavedCount === 0) return;
    const waiting = this.#waiters.wait({ revision: layers.revision, keys, isOfClear }, signal);
    this.#demand();
    await waiting;
  }

  /**
   * Hands to storage what it is to decide. Resolves to how it did.
   * @throws SaveError: `unknown` or `refused` as for what is waited for; `discarded`, and never sent, if an earlier batch failed.
   */
  propose(proposal: Omit<Proposal<V>, 'revision' | 'resolve' | 'reject'>): Promise<'accepted' | 'conflict' | 'superseded'> {
    return new Promise((resolve, reject) => {
      this.#mutations.next(this.#config.layers.propose({ ...proposal, resolve, reject }));
      this.#demand();
      if (this.#statusNews.observed) this.#statusNews.next(undefined);
    });
  }

  /**
   * Resolves when something more was saved, or failed. Who waits on after a failure asks for no further attempt: it comes by
   * itself, and storage that is away is not to be beset.
   */
  async progress(isFirst: boolean, signal: AbortSignal | undefined): Promise<void> {
    const made = firstValueFrom(merge(this.#saves, this.#statusNow), { defaultValue: undefined });
    if (isFirst || (this.#phase !== 'retrying' && this.#phase !== 'failing')) this.#demand();
    await unlessAborted(made, signal);
  }

  /** Runs `step` when no batch is under way, and holds back what is pending until it has ended. */
  async betweenBatches<T>(step: () => Promise<T>): Promise<T> {
    this.#holds++;
    try {
      const stepped = new Promise<T>((resolve, reject) => {
        this.#between.next((settled) => {
          const stepping = settled ? step() : Promise.reject(this.#unsavedError(undefined));
          stepping.then(resolve, reject);
          return from(stepping).pipe(catchError(() => of(undefined)));
        });
      });
      // A close whose deadline passed drops what waits for its turn.
      return await unlessAborted(stepped, this.#ended.signal);
    } finally {
      this.#holds--;
      this.#announced = this.#config.layers.pendingCount;
      if (this.#config.layers.hasPending) this.#demand();
      else this.#nothingIsLeft();
      this.#tellStatus();
    }
  }

  /** What was pending up to `revision` was dropped. */
  discarded(revision: number, keys: readonly string[]): void {
    const { layers } = this.#config;
    for (const { key, reject } of layers.withdrawProposals(revision)) reject(new DiscardedError('Not saved: reload discarded it.', [key]));
    // Where nothing is left to save, no batch will ever settle those who wait for something later, such as what was undone since.
    this.#waiters.discard(layers.hasPending ? revision : Infinity, revision, keys);
  }

  report(failure: Failure): void {
    if (failure.fatal && !this.#errors.observed && !this.#isOutageTold) {
      this.#isOutageTold = true;
      console.error(`rx-persistify: store ${JSON.stringify(this.#config.storeName)}: ${failure.error.message} (Subscribe to errors$ to handle this.)`);
    }
    this.#errors.next(failure);
  }

  /** The last series of attempts, for at most `deadlineMs`. Resolves to why something is left unsaved, if it is. */
  async finish(deadlineMs: number): Promise<SaveError | undefined> {
    const { scheduler } = this.#config.settings;
    const wasTrying = this.#phase === 'saving' || this.#phase === 'retrying';
    const lastSeries = async (): Promise<unknown> => {
      try {
        await this.saved(undefined, undefined);
      } catch (error) {
        // Who waits at the end of a series that had begun before gets one of his own.
        if (!wasTrying || isRefusal(error)) return error;
        return this.saved(undefined, undefined).catch((last: unknown) => last);
      }
      return undefined;
    };
    const failure = await firstValueFrom(race(from(lastSeries()), timer(deadlineMs, scheduler).pipe(map(() => new Error(`The deadline of ${deadlineMs} ms passed.`)))));
    if (this.#config.layers.unsavedCount === 0) {
      this.#endIntake();
      return isRefusal(failure) ? failure : undefined;
    }
    const settled = this.#phase === 'saving' ? firstValueFrom(merge(this.#statusNow, timer(SETTLE_MS, scheduler)), { defaultValue: undefined }) : undefined;
    this.#end();
    this.#abort.abort(failure);
    await settled;
    this.#pipeline.unsubscribe();
    if (this.#config.layers.unsavedCount === 0) return undefined;
    const error = this.#unsavedError(failure);
    const outcome = error.outcome === 'unknown' ? 'unknown' : 'pending';
    this.#waiters.fail(failure, () => error.keys, () => outcome);
    this.#failProposals(failure, outcome);
    return error;
  }

  complete(): void {
    this.#end();
    this.#endIntake();
    this.#following?.unsubscribe();
    this.#phase = 'closed';
    this.#tellStatus();
    for (const subject of [this.#saves, this.#errors, this.#statusNews, this.#statusNow]) subject.complete();
  }

  #end(): void {
    const name = JSON.stringify(this.#config.storeName);
    this.#ended.abort(new StoreClosedError(`The store ${name} was closed meanwhile.`));
  }

  #endIntake(): void {
    this.#mutations.complete();
    this.#between.complete();
    this.#flush.complete();
  }

  #connect(): Subscription {
    const { batch, retry, scheduler } = this.#config.settings;
    return this.#mutations
      .pipe(
        batchMutations({ ...batch, scheduler, flush$: this.#flush }),
        writeBatches<Shipment<V>, BatchResult>({
          ...retry,
          scheduler,
          random: Math.random,
          retryable: isRetryable,
          pause$: macrotask$,
          between$: this.#between,
          takeBatch: () => this.#takeShipment(),
          write: (shipment) => this.#write(shipment),
        }),
      )
      .subscribe((event) => this.#tell(event));
  }

  #takeShipment(): Shipment<V> | undefined {
    if (this.#holds > 0) return undefined;
    const flight = this.#config.layers.takeFlight();
    this.#announced = 0;
    if (flight === undefined) {
      this.#nothingIsLeft();
      return undefined;
    }
    this.#batchNumber++;
    return { flight, batch: { number: this.#batchNumber, writer: this.#config.writer, mutations: flight.mutations } };
  }

  /** What was to be saved was dropped, as another process was first: who waits for it has nothing to wait for. */
  #nothingIsLeft(): void {
    const { layers } = this.#config;
    if (layers.unsavedCount > 0) return;
    this.#waiters.settle(layers.revision, new Map(), undefined);
    this.#tellStatus();
  }

  async #write({ batch, flight }: Shipment<V>): Promise<BatchResult> {
    try {
      const result = checkResult(await this.#config.session.write(batch, { signal: this.#abort.signal }), batch.mutations.length);
      if (result.leftOut.length === 0) while (flight.overlays.length - flight.sunk > CROWD) await this.#sinkSome(flight, result.version);
      return result;
    } catch (error) {
      // It is not said which mutation is refused, but of one alone it is clear.
      if (!(error instanceof ProviderError) || error.kind !== 'refuse' || batch.mutations.length > 1) throw error;
      return { version: 0, leftOut: [{ index: 0, reason: 'refused', message: error.message }] };
    }
  }

  /** Settles a slice of a batch so large that it would hold the event loop to settle it at once, and lets others have their turn. */
  async #sinkSome(flight: Flight<V>, version: number): Promise<void> {
    this.#config.layers.sink(flight, version, CROWD);
    await firstValueFrom(macrotask$);
  }

  #tell(event: WriteEvent<Shipment<V>, BatchResult>): void {
    switch (event.type) {
      case 'started':
        this.#phase = 'saving';
        if (this.#statusNews.observed) this.#statusNews.next(undefined);
        break;
      case 'failed':
        this.#tellFailure(event);
        break;
      case 'saved':
        this.#tellSave(event);
        break;
    }
  }

  #tellFailure({ batch: { batch, flight }, error, attempt, maxAttempts, willRetry, delayMs }: WriteFailure<Shipment<V>>): void {
    const failure = providerFailure(error);
    this.#phase = willRetry ? 'retrying' : 'failing';
    if (mayBeStored(failure)) this.#mayHeadBeStored = true;
    this.report({ operation: 'save', error: failure, attempt, maxAttempts, willRetry, delayMs, fatal: !willRetry, keys: keysOf(batch) });
    this.#tellStatus();
    if (willRetry) return;
    const outcome = this.#mayHeadBeStored ? 'unknown' : 'pending';
    this.#failProposals(failure, outcome);
    this.#waiters.fail(failure, () => this.#config.layers.unsavedKeys(), (revision) => (revision <= flight.revision ? outcome : 'pending'));
  }

  #tellSave({ batch: { batch, flight }, result, attempts, durationMs }: Extract<WriteEvent<Shipment<V>, BatchResult>, { type: 'saved' }>): void {
    const { layers, settings, onSettled, onSaved, onClearRefused } = this.#config;
    const leftOut = new Map(result.leftOut.map((mutation) => [mutation.index, mutation.message]));
    const conflicts = new Set(result.leftOut.flatMap(({ index, reason }) => (reason === 'conflict' ? [index] : [])));
    const refused = new Map<string, string>();
    const saved: string[] = [];
    let bytes = flight.bytes;
    // Where all was taken and nobody hears of it, nothing is to be told of each.
    for (const [index, mutation] of leftOut.size > 0 || this.#saves.observed ? batch.mutations.entries() : []) {
      if (mutation.type === 'clear') continue;
      const reason = leftOut.get(index);
      if (reason === undefined) saved.push(mutation.key);
      else {
        // That another process was first is no failure.
        if (!conflicts.has(index)) refused.set(mutation.key, reason);
        bytes -= mutation.key.length + (mutation.type === 'set' ? mutation.json.length : 0);
      }
    }
    const settled = layers.settle(flight, result.version, new Set(leftOut.keys()));
    this.#phase = 'none';
    this.#isOutageTold = false;
    this.#mayHeadBeStored = false;
    onSettled(settled);
    const count = batch.mutations.length - leftOut.size;
    if (count > 0) {
      this.#lastSavedAt = settings.scheduler.now();
      this.#saves.next({ seq: flight.seq, keys: saved, count, bytes, attempts, durationMs });
    }
    const refusedClear = flight.cleared === undefined ? undefined : leftOut.get(0);
    if (refused.size > 0 || refusedClear !== undefined) this.#tellRefusal(refused, refusedClear, attempts);
    onSaved(settled);
    if (refusedClear !== undefined) onClearRefused();
    this.#tellStatus();
    this.#tellProposals(flight, batch.mutations.length - flight.proposals.size, result.leftOut);
    // What was taken back since counts too, and no batch will ever hold it.
    this.#waiters.settle(layers.hasPending ? flight.revision : layers.revision, refused, refusedClear);
  }

  /** Those that are not decided are not waited for any longer; those that were not sent never will be. */
  #failProposals(cause: unknown, outcome: 'pending' | 'unknown'): void {
    const { layers } = this.#config;
    const why = reasonOf(cause);
    for (const { key, reject } of layers.sentProposals) reject(new SaveError(`Not decided: ${why} It was sent, and will be settled by the next attempt.`, { outcome, keys: [key], cause }));
    for (const { key, reject } of layers.withdrawProposals()) reject(new SaveError(`Not saved: ${why} Nothing was changed.`, { outcome: 'discarded', keys: [key], cause }));
  }

  /** Tells those who proposed what became of it. */
  #tellProposals({ proposals }: Flight<V>, firstPlace: number, leftOut: readonly LeftOut[]): void {
    const left = new Map(leftOut.map((mutation) => [mutation.index, mutation]));
    let place = firstPlace;
    for (const { key, resolve, reject } of proposals.values()) {
      const mutation = left.get(place++);
      if (mutation?.reason === 'refused') reject(new SaveError(`Storage refused the value of ${JSON.stringify(key)}: ${mutation.message}`, { outcome: 'refused', keys: [key] }));
      else resolve(mutation === undefined ? 'accepted' : 'conflict');
    }
  }

  #tellRefusal(refused: ReadonlyMap<string, string>, refusedClear: string | undefined, attempts: number): void {
    const count = refused.size + (refusedClear === undefined ? 0 : 1);
    const [first] = refusedClear === undefined ? refused.values() : [refusedClear];
    const error = new ProviderError(`Storage refused ${count === 1 ? 'a mutation' : `${count} mutations`}: ${first ?? ''}`, { kind: 'refuse' });
    this.report({ operation: 'save', error, attempt: attempts, maxAttempts: this.#config.settings.retry.maxAttempts, willRetry: false, delayMs: 0, fatal: true, keys: [...refused.keys()] });
  }

  /** Closes the batch at the end of this turn, so that all who wait in it share one commit. */
  #demand(): void {
    if (this.#isDemanded) return;
    this.#isDemanded = true;
    queueMicrotask(() => {
      this.#isDemanded = false;
      this.#flush.next(undefined);
    });
  }

  #tellStatus(): void {
    this.#statusNow.next(undefined);
  }

  #unsavedError(cause: unknown): SaveError {
    const keys = this.#config.layers.unsavedKeys();
    const named = keys.slice(0, 5).map((key) => JSON.stringify(key)).join(', ');
    const isUnknown = this.#phase === 'saving' || this.#mayHeadBeStored;
    return new SaveError(`${keys.length === 1 ? '1 key is' : `${keys.length} keys are`} not saved: ${named}${keys.length > 5 ? ', …' : ''}.`, { outcome: isUnknown ? 'unknown' : 'pending', keys, cause });
  }
}

function isRefusal(error: unknown): error is SaveError {
  return error instanceof SaveError && error.outcome === 'refused';
}

function mayBeStored(error: PersistifyError): boolean {
  return !(error instanceof ProviderError) || error.outcomeUnknown;
}

function keysOf({ mutations }: Batch): string[] {
  return mutations.flatMap((mutation) => (mutation.type === 'clear' ? [] : [mutation.key]));
}
