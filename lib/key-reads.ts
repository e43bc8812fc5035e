import { firstValueFrom, NEVER, of, Subject, takeUntil, type Observable } from 'rxjs';

import { asLoadError } from './loading.ts';
import type { Entry, ProviderSession } from './providers/provider.ts';
import { retried } from './retried.ts';
import type { Settings } from './settings.ts';

/** A key on its way from storage. */
export interface Reading {
  /** @throws LoadError */
  readonly entry: Promise<Entry | undefined>;
  /** The key was written meanwhile: what is read may be older. */
  isStale: boolean;
}

/** Reads single keys: each once for all who ask meanwhile, and those that are asked for in one turn together. */
export class KeyReads {
  readonly #session: ProviderSession;
  readonly #settings: Settings;
  readonly #readings = new Map<string, Reading>();
  /** Calls of the provider that it has not answered. */
  readonly #calls = new Set<Promise<unknown>>();
  readonly #end = new Subject<undefined>();
  #isEnded = false;
  #turn: { readonly keys: string[]; readonly entries: Promise<ReadonlyMap<string, Entry>> } | undefined;

  constructor(session: ProviderSession, settings: Settings) {
    this.#session = session;
    this.#settings = settings;
  }

  of(key: string): Reading {
    const present = this.#readings.get(key);
    if (present !== undefined) return present;
    const reading: Reading = { entry: this.#inTurn(key), isStale: false };
    this.#readings.set(key, reading);
    const end = (): void => {
      if (this.#readings.get(key) === reading) this.#readings.delete(key);
    };
    reading.entry.then(end, end);
    return reading;
  }

  /** The key was written. */
  outdate(key: string): void {
    const reading = this.#readings.get(key);
    if (reading === undefined) return;
    reading.isStale = true;
    this.#readings.delete(key);
  }

  outdateAll(): void {
    for (const key of [...this.#readings.keys()]) this.outdate(key);
  }

  /** Whether the provider has answered. */
  get isIdle(): boolean {
    return this.#calls.size === 0;
  }

  /** Resolves when the provider has answered what it was asked so far. */
  underWay(): Promise<unknown> {
    return Promise.allSettled(this.#calls);
  }

  /** From now on single keys are not read, nor tried again. */
  end(): void {
    this.#isEnded = true;
    this.#end.next(undefined);
  }

  /** @throws LoadError */
  all(keys: readonly string[]): Promise<ReadonlyMap<string, Entry>> {
    return this.#all(keys, NEVER);
  }

  async #all(keys: readonly string[], until$: Observable<unknown>): Promise<ReadonlyMap<string, Entry>> {
    if (keys.length === 0) return new Map();
    const read$ = retried(() => this.#call(keys), this.#settings);
    try {
      const entries = await firstValueFrom(read$.pipe(takeUntil(until$)));
      return new Map(entries.map((entry) => [entry.key, entry]));
    } catch (error) {
      throw asLoadError(error);
    }
  }

  async #call(keys: readonly string[]): Promise<readonly Entry[]> {
    const call = this.#session.read?.(keys) ?? Promise.resolve([]);
    this.#calls.add(call);
    try {
      return await call;
    } finally {
      this.#calls.delete(call);
    }
  }

  async #inTurn(key: string): Promise<Entry | undefined> {
    const turn = (this.#turn ??= this.#newTurn());
    turn.keys.push(key);
    return (await turn.entries).get(key);
  }

  #newTurn(): { readonly keys: string[]; readonly entries: Promise<ReadonlyMap<string, Entry>> } {
    const keys: string[] = [];
    const entries = Promise.resolve().then(() => {
      this.#turn = undefined;
      return this.#all(keys, this.#isEnded ? of(undefined) : this.#end);
    });
    return { keys, entries };
  }
}
