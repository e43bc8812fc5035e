// A process that has a store open while something is done to the process or to what is under it. Its parent gives orders; what
// it has to tell goes through a pipe, as a file might be hit by what is done.
import { writeSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

import type { JournalRecord } from '../../crash/journal.ts';
import { providerAt } from '../../crash/place.ts';
import { Random } from '../../crash/random.ts';
import { AccountedStore, type Stores } from './accounted-store.ts';
import { hurry } from './hurry.ts';
import { failureOfOrder, toldOf, type Message, type Order } from './remote-orders.ts';

const pipe = 3;

let accounted: AccountedStore | undefined;
/** Records that are told later: while the event loop is measured, no pipe may hold it. */
let held: JournalRecord[] | undefined;

function record(record: JournalRecord): void {
  if (held === undefined) tell({ type: 'record', record });
  else held.push(record);
}

async function holdingRecords<T>(work: () => Promise<T>): Promise<T> {
  const records: JournalRecord[] = (held = []);
  try {
    return await work();
  } finally {
    held = undefined;
    records.forEach(record);
  }
}

function tell(message: Message): void {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let done = 0; done < bytes.length;) done += writeSync(pipe, bytes, done);
}

function opened(): AccountedStore {
  if (accounted === undefined) throw new Error('Nothing is open.');
  return accounted;
}

type Answer = Omit<Extract<Message, { type: 'answer' }>, 'type'>;

async function obey(order: Order): Promise<Answer> {
  switch (order.type) {
    case 'open':
      accounted = undefined;
      accounted = await AccountedStore.open({ provider: providerAt(order.place), random: new Random(order.seed), mood: order.mood, configure: order.isDefault === true ? asByDefault : undefined, write: record });
      accounted.store.errors$.subscribe((failure) => tell({ type: 'told', told: toldOf(failure) }));
      return { isDone: true };
    case 'live':
      await opened().live(order.actions);
      return { isDone: true };
    case 'flush':
      return { isDone: await opened().flush() };
    case 'recover':
      return { isDone: await recover(opened(), order.withinMs) };
    case 'hurry':
      return { isDone: true, numbers: await holdingRecords(() => hurry(opened(), order)) };
    case 'close':
      await opened().close();
      return { isDone: true };
  }
}

function asByDefault(builder: Stores): Stores {
  return builder.withBatch({ size: 1_000, intervalMs: 100 }).withRetry({ maxAttempts: 5, delayMs: 200, maxDelayMs: 10_000, probeMs: 1_000 });
}

/** Waits, and asks for nothing. */
async function recover({ store }: AccountedStore, withinMs: number): Promise<boolean> {
  const end = performance.now() + withinMs;
  while (store.status.pending > 0 || store.status.state !== 'idle') {
    if (performance.now() > end) return false;
    await delay(5);
  }
  return true;
}

process.once('disconnect', () => process.exit(2)); // the parent is gone
process.on('message', (message) => {
  const order = message as Order; // sent by our own parent
  obey(order).catch((error: unknown): Answer => ({ isDone: false, failure: failureOfOrder(error) })).then((answer) => tell({ type: 'answer', ...answer }), (error: unknown) => {
    throw error;
  });
});
tell({ type: 'answer', isDone: true });
