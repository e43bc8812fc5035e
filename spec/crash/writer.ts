// The program that is killed. Its parent sends a plan; it opens the store, uses it, closes it, and begins again, until it
// is killed. What it does it writes down first.
import { writeSync } from 'node:fs';
import process from 'node:process';

import { persistify, type Provider, type ProviderSession } from 'rx-persistify';

import { digestOf, Journal, type JournalRecord } from './journal.ts';
import { stampOf } from './stamped-value.ts';
import { providerAt, storeName, type ProviderName, type Survivor, type Thread } from './storage.ts';
import { batchOf, Workload, type Witness, type WorkloadPlan } from './workload.ts';

export interface WriterPlan extends WorkloadPlan {
  readonly provider: ProviderName;
  readonly directory: string;
  readonly journal: string;
  readonly thread: Thread;
  /** Whether somebody listens to `changes$`; a store that nobody listens to makes no changes. */
  readonly isHeard: boolean;
}

/** A byte for the parent's ears at the moments at which it may want to kill. */
const signals: Partial<Record<JournalRecord['type'], string>> = { opening: 'o', opened: 'O', writing: 'w', written: 'W', idling: 'i', closing: 'c', closed: 'C' };
const signalPipe = 3;

async function live(plan: WriterPlan, provider: Provider, journal: Journal): Promise<never> {
  const workload = new Workload(plan);
  for (;;) await liveOnce(plan, provider, workload, journal);
}

async function liveOnce(plan: WriterPlan, provider: Provider, workload: Workload, journal: Journal): Promise<void> {
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
  await workload.live(store, witness);
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

process.once('disconnect', () => process.exit(2)); // the parent is gone
process.once('message', (message) => {
  const plan = message as WriterPlan; // sent by our own parent
  const journal = new Journal(plan.journal, signal);
  const provider = observed(providerAt(plan.provider, plan.directory, plan.thread), journal);
  live(plan, provider, journal).catch((error: unknown) => {
    journal.write({ type: 'fault', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    process.exit(1);
  });
});
