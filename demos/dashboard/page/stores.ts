import { DestroyRef, inject, InjectionToken, makeEnvironmentProviders, provideEnvironmentInitializer, type EnvironmentProviders } from '@angular/core';
import { persistify, type PersistifyBuilder, type Store } from 'rx-persistify';
import { remote } from 'rx-persistify/remote';
import { defer, firstValueFrom, Observable, retry } from 'rxjs';

import type { Current, Slots } from '../../telemetry/history.ts';

/** The latest value of each metric, by its key. */
export const CURRENT = new InjectionToken<Store<Current>>('the store of current values');
/** The last samples. */
export const SAMPLES = new InjectionToken<Store<Slots>>('the store of samples');

/** What opens stores of the server. */
export const FEEDS = new InjectionToken<PersistifyBuilder>('the feeds of the server');

/** More than ten times a second, nobody sees a value change. */
const rate = 10;
const tryAgainMs = 1_000;

export interface Stores {
  readonly feeds: PersistifyBuilder;
  readonly current: Store<Current>;
  readonly samples: Store<Slots>;
}

/** Resolves when all is there that the server has at this moment, however long it is away. */
export async function openStores(url: string): Promise<Stores> {
  const feeds = persistify(remote({ url, rate })).withRetry({ delayMs: 200, maxDelayMs: 2_000 });
  const [current, samples] = await Promise.all([open<Current>(feeds, 'current'), open<Slots>(feeds, 'samples')]);
  return { feeds, current, samples };
}

/** The stores, to be injected; they are closed with the application. */
export function provideStores({ feeds, current, samples }: Stores): EnvironmentProviders {
  return makeEnvironmentProviders([
    { provide: FEEDS, useValue: feeds },
    { provide: CURRENT, useValue: current },
    { provide: SAMPLES, useValue: samples },
    provideEnvironmentInitializer(() => inject(DestroyRef).onDestroy(() => void Promise.all([current.close(), samples.close()]))),
  ]);
}

/** A store of the server, open as long as somebody follows it. */
export function followStore<T>(feeds: PersistifyBuilder, name: string): Observable<Store<T>> {
  return new Observable<Store<T>>((subscriber) => {
    const opening = feeds.open<T>(name);
    opening.then(
      (store) => subscriber.next(store),
      (error: unknown) => subscriber.error(error),
    );
    subscriber.add(() => {
      opening.then((store) => store.close()).catch(() => undefined); // what could not be opened need not be closed
    });
  }).pipe(retry({ delay: tryAgainMs }));
}

function open<T>(feeds: PersistifyBuilder, name: string): Promise<Store<T>> {
  return firstValueFrom(defer(() => feeds.open<T>(name)).pipe(retry({ delay: tryAgainMs })));
}
