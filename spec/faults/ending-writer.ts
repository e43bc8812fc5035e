// A program that ends by itself in the middle of a batch. Its parent sends a plan; what it does it writes down first.
import process from 'node:process';

import { persistify, type Provider } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { postgres } from 'rx-persistify/postgres';
import { sqlite } from 'rx-persistify/sqlite';

import { digestOf, Journal } from '../crash/journal.ts';
import { stampOf } from '../crash/stamped-value.ts';
import { storeName, type Survivor } from '../crash/storage.ts';
import { batchOf, Workload, type WorkloadPlan } from '../crash/workload.ts';

/** `exit`: by process.exit, with code 7. `throw`: by an uncaught exception. `reject`: by a rejection that nobody handles. */
export type OwnEnd = 'exit' | 'throw' | 'reject';

export interface EndingPlan extends WorkloadPlan {
  readonly provider: { readonly name: 'json-file' | 'sqlite' | 'postgres'; readonly directory: string; readonly url: string; readonly schema: string };
  readonly journal: string;
  readonly end: OwnEnd;
  /** It ends so long after this many batches have been given to the provider. */
  readonly batches: number;
  readonly afterMs: number;
}

function providerOf({ name, directory, url, schema }: EndingPlan['provider']): Provider {
  if (name === 'json-file') return jsonFile({ directory });
  return name === 'sqlite' ? sqlite({ file: `${directory}/faults.sqlite` }) : postgres({ connection: url, schema });
}

function end(how: OwnEnd): void {
  if (how === 'exit') process.exit(7);
  if (how === 'throw') throw new Error('not caught, on purpose');
  void Promise.reject(new Error('not handled, on purpose'));
}

/** The same provider, in the middle of whose batch the program ends. */
function ending(provider: Provider, { batches, afterMs, end: how }: EndingPlan): Provider {
  let left = batches;
  return {
    name: provider.name,
    open: async (name, context) => {
      const session = await provider.open(name, context);
      const write: typeof session.write = (batch, writeContext) => {
        if (--left === 0) setTimeout(() => end(how), afterMs);
        return session.write(batch, writeContext);
      };
      return { capabilities: session.capabilities, load: () => session.load(), write, close: () => session.close() };
    },
  };
}

async function live(plan: EndingPlan): Promise<void> {
  const journal = new Journal(plan.journal);
  const store = await persistify(ending(providerOf(plan.provider), plan)).withBatch(batchOf(plan.mood)).open<Survivor>(storeName);
  journal.write({ type: 'opened', digest: digestOf(new Map([...store].map(([key, value]) => [key, stampOf(value)]))) });
  let seq = 0;
  const acknowledged = (saved: number): void => journal.write({ type: 'acknowledged', seq: saved });
  store.saves$.subscribe((save) => acknowledged(save.seq));
  const workload = new Workload(plan);
  for (;;) {
    await workload.live(store, {
      get seq() {
        return seq;
      },
      change: (steps) => {
        seq += steps.length;
        journal.write({ type: 'change', seq, steps });
        return seq;
      },
      acknowledged,
      idling: () => undefined,
    });
  }
}

process.once('disconnect', () => process.exit(2)); // the parent is gone
process.once('message', (message) => void live(message as EndingPlan)); // sent by our own parent
