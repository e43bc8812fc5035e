import { memory, persistify, type Store } from 'rx-persistify';
import type { Observable } from 'rxjs';

import type { Measurements } from '../telemetry/history.ts';
import type { Saving } from '../telemetry/saving.ts';
import { readPage } from './page-files.ts';
import { placeOfPage } from './place.ts';
import { savingStore, type SavingFacts } from './saving-facts.ts';
import { serveDashboard, type DashboardServer } from './serve-dashboard.ts';

interface Shown {
  readonly measurements: Measurements;
  readonly saving$: Observable<Saving>;
  /** Where it is kept, for people. */
  readonly place: string;
  readonly port: number;
}

/** Serves the page with what it shows; `undefined` if it has not been built. Rejects if the port cannot be had. */
export async function openDashboard({ measurements, saving$, place, port }: Shown): Promise<DashboardServer | undefined> {
  const page = await readPage(await placeOfPage()).catch(() => undefined);
  if (page === undefined) return undefined;
  const facts = await persistify(memory()).open<SavingFacts>(savingStore);
  const server = await serveDashboard({ page, stores: [measurements.current, measurements.slots, facts], port });
  facts.set('place', place);
  const following = saving$.subscribe((saving) => tell(facts, saving));
  return {
    address: server.address,
    close: async () => {
      following.unsubscribe();
      await facts.close();
      await server.close();
    },
  };
}

function tell(facts: Store<SavingFacts>, { batches, saved, savedPerSecond, error }: Saving): void {
  for (const [key, value] of Object.entries({ batches, saved, savedPerSecond }) as ['batches' | 'saved' | 'savedPerSecond', number][]) {
    if (facts.get(key) !== value) facts.set(key, value);
  }
  if (error === undefined) facts.delete('error');
  else if (facts.get('error') !== error) facts.set('error', error);
}
