import type { StandardSchemaV1 } from '@standard-schema/spec';
import { catchError, defer, firstValueFrom, of, race, timer, type SchedulerLike } from 'rxjs';
import type { core } from 'zod/mini';

import { abortReason, unlessAborted } from './aborted.ts';
import type { Cache } from './cache.ts';
import { refusedOptions } from './call-options.ts';
import { OptionsError, type PersistifyError } from './errors.ts';
import { checkStoreName } from './key.ts';
import { asLoadError } from './loading.ts';
import { OpenCache } from './open-cache.ts';
import { OpenStore } from './open-store.ts';
import { checkOption, checkOptions, checkProvider, type BatchOptions, type CacheOptions, type LimitOptions, type RetryOptions, type StoreOptions, type TtlOptions } from './options.ts';
import { checkSession } from './provider-failure.ts';
import type { Cursor, Provider, ProviderSession } from './providers/provider.ts';
import { retried } from './retried.ts';
import { cacheSettingsFrom, settingsFrom, type Settings } from './settings.ts';
import type { Store, WaitOptions } from './store.ts';
import { macrotask$ } from './streams/macrotask.ts';
import type { Codec, Schema } from './value-format.ts';

type OutputOf<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S> : never;
type InputOfSchema<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferInput<S> : never;

/** `Known`, if a schema has told what values are, else what the codec tells. */
type CodedBy<T, Known, V> = unknown extends T[keyof T] ? Record<string, V> : Known;

/** A description that says of no key other than a schema or codec does, where there is one. */
type Within<U, T> = { [K in keyof U]: T[K & keyof T] };

/**
 * Opens stores. Immutable: each `with…` returns a new builder with that option set, and has the option's name.
 * `T` describes the dictionaries that it opens, as far as a schema or codec tells; `In` is what a schema takes.
 */
export interface PersistifyBuilder<T = Record<string, unknown>, In = T> {
  /** When what is pending is saved. @throws OptionsError */
  withBatch(batch: BatchOptions): PersistifyBuilder<T, In>;
  /** How failed attempts to save are met. @throws OptionsError */
  withRetry(retry: RetryOptions): PersistifyBuilder<T, In>;
  /** How much may be unsaved. @throws OptionsError */
  withLimits(limits: LimitOptions): PersistifyBuilder<T, In>;
  /** How long entries live. @throws OptionsError */
  withTtl(ttl: TtlOptions): PersistifyBuilder<T, In>;
  /**
   * What all values must be, as a Standard Schema. `set` takes its input and `get` gives its output; the output is what is
   * saved, and a loaded one is validated again, so the schema must accept its own output. @throws OptionsError
   */
  withSchema<S extends StandardSchemaV1>(schema: S): PersistifyBuilder<Record<string, OutputOf<S>>, Record<string, InputOfSchema<S>>>;
  /** The same by key; other keys are refused. */
  withSchema<S extends Readonly<Record<string, StandardSchemaV1>>>(
    schemas: S,
  ): PersistifyBuilder<{ [K in keyof S]: OutputOf<S[K]> }, { [K in keyof S]: InputOfSchema<S[K]> }>;
  /** How values become JSON and come back: `{ encode, decode }`, or a codec of zod 4. @throws OptionsError */
  withCodec<C extends core.$ZodType>(codec: C): PersistifyBuilder<CodedBy<T, T, core.output<C>>, CodedBy<T, In, core.output<C>>>;
  withCodec<V, J>(codec: Codec<V, J>): PersistifyBuilder<CodedBy<T, T, V>, CodedBy<T, In, V>>;
  /** Where all time comes from; a test gives a virtual one. @throws OptionsError */
  withScheduler(scheduler: SchedulerLike): PersistifyBuilder<T, In>;
  /** Whether `setAndSave`, `clearAndSave` and `flush` reject when saving failed, or resolve to `false`. @throws OptionsError */
  throwOnFailure(throwOnFailure: boolean): PersistifyBuilder<T, In>;
  /**
   * Opens the dictionary `name`, and resolves when it is loaded. While it is open, opening it again gives the same store.
   * @throws InvalidKeyError for a name that is none, OptionsError if it is open with other options, StoreLockedError if
   * another owner has it, CorruptDataError if it is damaged, LoadError if it cannot be read.
   */
  open(name: string, options?: WaitOptions): Promise<Store<T, In>>;
  open<U extends Within<U, T>>(name: string, options?: WaitOptions): Promise<Store<U>>;
  /**
   * Opens the dictionary `name` as a cache: storage has all of it, memory what was used last. While it is open, opening it
   * again gives the same cache. @throws as `open`, and OptionsError where the provider cannot read single keys.
   */
  openCache(name: string, options?: CacheOptions & WaitOptions): Promise<Cache<T, In>>;
  openCache<U extends Within<U, T>>(name: string, options?: CacheOptions & WaitOptions): Promise<Cache<U>>;
}

/** How long a provider may take to release storage that could not be loaded. */
const RELEASE_MS = 1_000;

/** A store or cache that is open, or about to be. */
interface Opening {
  readonly options: StoreOptions;
  /** Of a cache. */
  readonly cache: CacheOptions | undefined;
  readonly opened: Promise<OpenStore | OpenCache>;
  /** How many wait for it, or have it. */
  waiting: number;
  /** Resolves when its storage is released. */
  readonly closed: Promise<void>;
  readonly isClosing: () => boolean;
}

/**
 * The front door: gives a builder whose stores are kept by `provider`.
 * @throws OptionsError
 * @example
 * const prefs = await persistify(jsonFile({ directory: './data' })).open<{ theme: string }>('prefs');
 */
export function persistify(provider: Provider, options: StoreOptions = {}): PersistifyBuilder {
  checkProvider(provider);
  checkOptions(options, 'persistify');
  return new Builder(provider, options, new Map());
}

class Builder implements PersistifyBuilder {
  readonly #provider: Provider;
  readonly #options: StoreOptions;
  readonly #openings: Map<string, Opening>;

  constructor(provider: Provider, options: StoreOptions, openings: Map<string, Opening>) {
    this.#provider = provider;
    this.#options = Object.freeze({ ...options });
    this.#openings = openings;
    Object.freeze(this);
  }

  withBatch(batch: BatchOptions): Builder {
    checkOption('batch', batch, 'withBatch');
    return this.#with({ batch });
  }

  withRetry(retry: RetryOptions): Builder {
    checkOption('retry', retry, 'withRetry');
    return this.#with({ retry });
  }

  withLimits(limits: LimitOptions): Builder {
    checkOption('limits', limits, 'withLimits');
    return this.#with({ limits });
  }

  withTtl(ttl: TtlOptions): Builder {
    checkOption('ttl', ttl, 'withTtl');
    return this.#with({ ttl });
  }

  // The types that follow from a schema or codec are the interface's to give.
  withSchema(schema: Schema): never {
    checkOption('schema', schema, 'withSchema');
    return this.#with({ schema }) as never;
  }

  withCodec(codec: Codec): never {
    checkOption('codec', codec, 'withCodec');
    return this.#with({ codec }) as never;
  }

  withScheduler(scheduler: SchedulerLike): Builder {
    checkOption('scheduler', scheduler, 'withScheduler');
    return this.#with({ scheduler });
  }

  throwOnFailure(throwOnFailure: boolean): Builder {
    checkOption('throwOnFailure', throwOnFailure, 'throwOnFailure');
    return this.#with({ throwOnFailure });
  }

  open(name: string, options?: WaitOptions): Promise<never> {
    return refusedOptions('open', 'wait', options) ?? this.#open(name, undefined, options?.signal);
  }

  async openCache(name: string, options: CacheOptions & WaitOptions = {}): Promise<never> {
    checkOption('cache', options, 'openCache');
    const { signal, ...cache } = options;
    return this.#open(name, cache, signal);
  }

  async #open(name: string, cache: CacheOptions | undefined, signal: AbortSignal | undefined): Promise<never> {
    checkStoreName(name);
    const isAborted = (): boolean => signal?.aborted === true;
    if (signal !== undefined && isAborted()) throw abortReason(signal);
    // One that is closing is nobody's any more: it is opened anew when storage is released.
    for (let present = this.#openings.get(name); present?.isClosing() === true; present = this.#openings.get(name)) await unlessAborted(present.closed, signal);
    const opening = this.#openings.get(name) ?? this.#begin(name, cache);
    const isStore = opening.cache === undefined;
    if (isStore !== (cache === undefined)) {
      const shown = JSON.stringify(name);
      const [is, isNot, call] = isStore ? ['store', 'cache', 'open'] : ['cache', 'store', 'openCache'];
      throw new OptionsError(`${shown} is open as a ${is}, and not as a ${isNot}: take it with ${call}(${shown}), or close it first.`);
    }
    if (!areSame(opening, { options: this.#options, cache })) {
      throw new OptionsError(`The store ${JSON.stringify(name)} is open with other options: open it with the same builder, or close it first.`);
    }
    opening.waiting++;
    try {
      const store = await unlessAborted(opening.opened, signal);
      return store as never; // a dictionary of anything is one of what its user says
    } catch (error) {
      opening.waiting--;
      if (isAborted()) opening.opened.then((store) => (opening.waiting === 0 ? store.close() : undefined)).catch(() => undefined); // nobody has it
      throw error;
    }
  }

  #with(option: StoreOptions): Builder {
    return new Builder(this.#provider, { ...this.#options, ...option }, this.#openings);
  }

  #begin(name: string, cache: CacheOptions | undefined): Opening {
    let end = (): void => undefined;
    const closed = new Promise<void>((resolve) => (end = resolve));
    const forget = (): void => {
      if (this.#openings.get(name) === opening) this.#openings.delete(name);
      end();
    };
    const opened = openDictionary(this.#provider, name, settingsFrom(this.#options), cache, forget);
    let store: OpenStore | OpenCache | undefined;
    const opening: Opening = { options: this.#options, cache, opened, waiting: 0, closed, isClosing: () => store?.dictionary.writes.isClosed === true };
    this.#openings.set(name, opening);
    opened.then((ready) => (store = ready), forget);
    return opening;
  }
}

async function openDictionary(provider: Provider, name: string, settings: Settings, cache: CacheOptions | undefined, onClosed: () => void): Promise<OpenStore | OpenCache> {
  const writer = crypto.randomUUID();
  const early: PersistifyError[] = [];
  let report = (error: PersistifyError): void => void early.push(error);
  const session = await openSession(provider, name, settings, { writer, report: (error) => report(error) });
  let opened: OpenStore | OpenCache;
  let place: Cursor;
  try {
    checkSession(session, provider.name);
    const config = { name, session, writer, settings, onClosed };
    if (cache !== undefined && session.read === undefined) {
      throw new OptionsError(`openCache(${JSON.stringify(name)}): the provider ${provider.name} cannot read single keys, which a cache needs. Take another, such as sqlite, or open(${JSON.stringify(name)}).`);
    }
    opened = cache === undefined ? new OpenStore(config) : new OpenCache(config, cacheSettingsFrom(cache));
    place = await firstValueFrom(retried(() => opened.load(), settings));
  } catch (error) {
    await letGo(session, settings);
    throw error;
  }
  const { dictionary } = opened;
  macrotask$.subscribe(() => {
    for (const error of early) dictionary.report('open', error);
    report = (error) => dictionary.report('provider', error);
    dictionary.tellQuarantined();
  });
  opened.start(place);
  return opened;
}

/** What went wrong before is what counts, and a provider that cannot even close changes nothing about it. */
async function letGo(session: ProviderSession, { scheduler }: Settings): Promise<void> {
  const closed = defer(() => session.close()).pipe(catchError(() => of(undefined)));
  await firstValueFrom(race(closed, timer(RELEASE_MS, scheduler)));
}

async function openSession(provider: Provider, name: string, settings: Settings, context: Parameters<Provider['open']>[1]): Promise<ProviderSession> {
  try {
    return await firstValueFrom(retried(() => provider.open(name, context), settings));
  } catch (error) {
    throw asLoadError(error);
  }
}

function areSame(left: Pick<Opening, 'options' | 'cache'>, right: Pick<Opening, 'options' | 'cache'>): boolean {
  const [one, other] = [left.options, right.options];
  return flatten(one, left.cache) === flatten(other, right.cache) && one.schema === other.schema && one.codec === other.codec && one.scheduler === other.scheduler;
}

function flatten({ batch, retry, limits, ttl, throwOnFailure }: StoreOptions, cache: CacheOptions | undefined): string {
  return JSON.stringify([...[batch, retry, limits, ttl, cache].map((section) => Object.entries(section ?? {}).sort().map(([name, value]) => [name, String(value)])), String(throwOnFailure)]);
}
