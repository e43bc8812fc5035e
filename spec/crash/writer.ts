// The program that is killed. Its parent sends a plan; it opens the store, uses it, closes it, and begins again, until it
// is killed or, on a course of its own, has come to its end. What it does it writes down first.
import { writeSync } from 'node:fs';
import process from 'node:process';

import { persistify, type Provider, type ProviderSession, type Store } from 'rx-persistify';

import { followCourse } from './course.ts';
import { digestOf, Journal, type JournalRecord } from './journal.ts';
import { providerAt, type Place } from './place.ts';
import { stampOf } from './stamped-value.ts';
import { storeName, type Survivor } from './storage.ts';
import { batchOf, Workload, type Witness, type WorkloadPlan } from './workload.ts';

export interface WriterPlan extends WorkloadPlan {
  readonly place: Place;
  readonly journal: string;
  /** Without end, as `seed` and `mood` say; or the same every time, and twice from open to close; or none: it opens and waits. */
  readonly course: 'at random' | 'the same' | 'none';
  /** Whether somebody listens to `changes$`; a store that nobody listens to makes no changes. */
  readonly isHeard: boolean;
}

/** A byte for the parent's ears at the moments at which it may want to kill. */
const signals: Partial<Record<JournalRecord['type'], string>> = { opening: 'o', opened: 'O', writing: 'w', written: 'W', acknowledged: 'a', idling: 'i', closing: 'c', closed: 'C' };
const signalPipe = 3;

type Life = (store: Store<Survivor>, witness: Witness) => Promise<void>;

async function live(plan: WriterPlan, provider: Provider, journal: Journal): Promise<void> {
  if (plan.course === 'the same') {
    for (const part of [1, 2]) await liveOnce(plan, provider, (store, witness) => followCourse(plan, part, store, witness), journal);
    process.disconnect();
    return;
  }
  if (plan.course === 'none') await liveOnce(plan, provider, () => new Promise(() => undefined), journal);
  const workload = new Workload(plan);
  for (;;) await liveOnce(plan, provider, (store, witness) => workload.live(store, witness), journal);
}

async function liveOnce(plan: WriterPlan, provider: Provider, life: Life, journal: Journal): Promise<void> {
  journal.write({ type: 'opening' });
  const store = await persistify(provider).withBatch(batchOf(plan.mood)).open<Survivor>(storeName);
  const stamps = new Map([...store].map(([key, value]) => [key, stampOf(value)]));
  journal.write({ type: 'opened', digest: digestOf(stamps) });
  const witness = witnessTo(journal);
  store.errors$.subscribe(({ operation, error, fatal }) => {
    // Opening tells of the end of a batch that was under way when the last writer was killed.
    if (operation !== 'open' || fatal) journal.write({ type: 'fault', message: `${operation}: ${String(error)}` });
  });
  store.saves$.subscribe(({ seq }) => journal.write({ type: 'acknowledged', seq }));
  if (plan.isHeard) {
    let heard = 0;
    store.changes$.subscribe(({ seq }) => {
      heard++;
      if (seq !== heard || seq > witness.seq) journal.write({ type: 'fault', message: `changes$ told seq ${seq} as change ${heard}, while ${witness.seq} were made` });
    });
  }
  await life(store, witness);
  journal.write({ type: 'closing' });
  await store.close();
  journal.write({ type: 'closed' });
}

function witnessTo(journal: Journal): Witness {
  let seq = 0;
  return {
    get seq() {
      return seq;
    },
    change: (steps) => {
      seq += steps.length;
      journal.write({ type: 'change', seq, steps });
      return seq;
    },
    acknowledged: (seq) => journal.write({ type: 'acknowledged', seq }),
    idling: () => journal.write({ type: 'idling' }),
  };
}

/** The same provider, telling when a batch is under way. */
function observed(provider: Provider, journal: Journal): Provider {
  return {
    name: provider.name,
    open: async (name, context) => {
      const session = await provider.open(name, context);
      const write: ProviderSession['write'] = async (batch, writeContext) => {
        journal.write({ type: 'writing' });
        const result = await session.write(batch, writeContext);
        journal.write({ type: 'written' });
        return result;
      };
      return {
        capabilities: session.capabilities,
        load: () => session.load(),
        write,
        close: () => session.close(),
        ...(session.read === undefined ? {} : { read: session.read.bind(session) }),
        ...(session.watch === undefined ? {} : { watch: session.watch.bind(session) }),
      };
    },
  };
}

function signal({ type }: JournalRecord): void {
  const byte = signals[type];
  if (byte !== undefined) writeSync(signalPipe, byte);
}

process.once('disconnect', () => process.exit()); // the parent is gone, or the end is reached
process.once('message', (message) => {
  const plan = message as WriterPlan; // sent by our own parent
  const journal = new Journal(plan.journal, signal);
  const provider = observed(providerAt(plan.place), journal);
  live(plan, provider, journal).catch((error: unknown) => {
    journal.write({ type: 'fault', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    process.exit(1);
  });
});
writeSync(signalPipe, 'r');
