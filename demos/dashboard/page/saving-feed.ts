import { inject, Injectable } from '@angular/core';
import type { Store } from 'rx-persistify';
import { map, ReplaySubject, share, switchMap, type Observable } from 'rxjs';

import { savingStore, type SavingFacts } from '../saving-facts.ts';
import { FEEDS, followStore } from './stores.ts';

/**
 * What more there is to know of saving than a status says, followed while somebody looks: a browser has six connections to a server
 * for all of its pages, and a feed takes one.
 */
@Injectable({ providedIn: 'root' })
export class SavingFeed {
  readonly facts$: Observable<Partial<SavingFacts>> = followStore<SavingFacts>(inject(FEEDS), savingStore).pipe(
    switchMap((store) => store.entries$.pipe(map(() => factsOf(store)))),
    share({ connector: () => new ReplaySubject(1) }),
  );
}

function factsOf(store: Store<SavingFacts>): Partial<SavingFacts> {
  const error = store.get('error');
  const facts = { place: store.get('place') ?? '', batches: store.get('batches') ?? 0, saved: store.get('saved') ?? 0, savedPerSecond: store.get('savedPerSecond') ?? 0 };
  return error === undefined ? facts : { ...facts, error };
}
