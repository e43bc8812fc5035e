import { memory, persistify, ProviderError, type LimitOptions, type PersistifyBuilder, type Provider, type ProviderSession, type Store } from 'rx-persistify';
import type { Observable } from 'rxjs';
import { expect, vi } from 'vitest';

import { controlledProvider, gate, settled, type ControlledProvider } from '../support/controlled-provider.ts';

export type Numbers = Record<string, number>;

/** How storage meets what reaches it: as it should, with an error, or not at all. `held` waits until it is something else. */
type Sink = 'works' | 'fails for good' | 'fails for a while' | 'hangs' | 'hangs until aborted' | 'held';

/** What is going on when the store is closed. */
export const states = ['idle', 'pending', 'saving', 'in a backoff', 'failing', 'probing', 'reloading', 'about to reload', 'reloading with something pending'] as const;
export type State = (typeof states)[number];

/** What storage does from then on. */
export const sinks = ['works', 'fails for good', 'fails for a while', 'hangs', 'hangs until aborted'] as const satisfies readonly Sink[];

/** What the provider's own `close` does. */
export const releases = ['releases', 'never settles', 'rejects', 'throws'] as const;
export type Release = (typeof releases)[number];

/** A store, storage with faults behind it, and everything that somebody waits for. */
export class Scene {
  readonly provider: ControlledProvider;
  readonly waits: Promise<unknown>[] = [];
  readonly reloads: Promise<unknown>[] = [];
  /** The streams that have completed. */
  readonly completed: string[] = [];
  readonly stores: PersistifyBuilder;
  /** Whether `load` is met as writes are. */
  isLoadMet = false;
  #sink: Sink = 'works';
  #change = gate();

  constructor(release: Release, limits: LimitOptions = {}) {
    this.provider = controlledProvider(this.#storage(), release === 'releases' ? {} : { close: () => released(release) });
    this.provider.verdict = (_batch, signal) => this.#met(signal);
    this.stores = persistify(this.provider).withBatch({ intervalMs: 60_000 }).withRetry({ maxAttempts: 3, delayMs: 2_000 }).withLimits(limits);
  }

  async open(): Promise<Store<Numbers>> {
    const store = await this.stores.open<Numbers>('a');
    this.isLoadMet = true;
    for (const [name, stream$] of Object.entries(streamsOf(store))) stream$.subscribe({ complete: () => this.completed.push(name) });
    return store;
  }

  set sink(sink: Sink) {
    this.#sink = sink;
    this.#change.open();
    this.#change = gate();
  }

  wait(waiting: Promise<unknown>, among = this.waits): void {
    waiting.catch(() => undefined);
    among.push(waiting);
  }

  /** Brings `store` into `state`. */
  async arrange(state: State, store: Store<Numbers>): Promise<void> {
    switch (state) {
      case 'idle':
        return;
      case 'pending':
        store.set('a', 1);
        await settled();
        expect(store.status.state).toBe('pending');
        return;
      case 'saving':
        return this.#save('held', 'saving', store);
      case 'in a backoff':
        return this.#save('fails for a while', 'retrying', store);
      case 'failing':
        return this.#save('fails for good', 'failing', store);
      case 'probing':
        await this.#save('fails for good', 'failing', store);
        this.sink = 'held';
        await vi.advanceTimersByTimeAsync(10_000);
        expect(store.status.state).toBe('saving');
        return;
      case 'reloading':
      case 'reloading with something pending':
        this.sink = 'held';
        this.wait(store.reload(), this.reloads);
        await settled();
        if (state !== 'reloading') store.set('a', 1);
        return;
      case 'about to reload':
        await this.#save('held', 'saving', store);
        this.wait(store.reload(), this.reloads);
        return;
    }
  }

  async #save(sink: Sink, expected: string, store: Store<Numbers>): Promise<void> {
    this.sink = sink;
    store.set('a', 1);
    this.wait(store.flush());
    await settled();
    expect(store.status.state).toBe(expected);
  }

  async #met(signal?: AbortSignal): Promise<void> {
    while (this.#sink === 'held') await this.#change.opened;
    if (this.#sink === 'works') return;
    if (this.#sink.startsWith('hangs')) {
      await new Promise((_resolve, reject) => {
        if (this.#sink === 'hangs until aborted') signal?.addEventListener('abort', () => reject(new ProviderError('aborted', { kind: 'retry' })));
      });
    }
    throw new ProviderError('the test breaks it', { kind: this.#sink === 'fails for good' ? 'halt' : 'retry' });
  }

  /** Memory, whose `load` may be met as writes are. */
  #storage(): Provider {
    const inner = memory();
    const load = async function* (this: Scene, session: ProviderSession): ReturnType<ProviderSession['load']> {
      if (this.isLoadMet) await this.#met();
      yield* session.load();
    }.bind(this);
    return {
      name: 'scene',
      async open(name, context) {
        const session = await inner.open(name, context);
        return { capabilities: session.capabilities, load: () => load(session), write: (batch, context) => session.write(batch, context), close: () => session.close() };
      },
    };
  }
}

function released(release: Exclude<Release, 'releases'>): Promise<void> {
  if (release === 'never settles') return new Promise(() => undefined);
  if (release === 'rejects') return Promise.reject(new Error('the provider does not let go'));
  throw new Error('the provider does not let go');
}

/** Moves time from one timer to the next until `waiting` has settled. Fails if it does not, although nothing is left that could happen. */
export async function finished<T>(what: string, waiting: Promise<T>): Promise<T> {
  const progress = { isSettled: false };
  const settling = (): void => void (progress.isSettled = true);
  waiting.then(settling, settling);
  for (let turn = 0; turn < 60; turn++) {
    await settled(3);
    if (progress.isSettled) return waiting;
    if (vi.getTimerCount() > 0) await vi.advanceTimersToNextTimerAsync();
  }
  return expect.fail(`${what} never ends.`);
}

export function streamsOf(store: Store<Numbers>): Readonly<Record<string, Observable<unknown>>> {
  const { changes$, saves$, errors$, status$, size$, entries$ } = store;
  return { changes$, saves$, errors$, status$, size$, entries$, get$: store.get$('a'), absent$: store.get$('absent'), has$: store.has$('a') };
}

/** What a subscriber hears who comes now. */
export function heard(store: Store<Numbers>): Record<string, readonly unknown[]> {
  const all: Record<string, readonly unknown[]> = {};
  for (const [name, stream$] of Object.entries(streamsOf(store))) {
    const values: unknown[] = [];
    all[name] = values;
    stream$.subscribe({ next: (value) => values.push(value), complete: () => values.push('complete') });
  }
  return all;
}
