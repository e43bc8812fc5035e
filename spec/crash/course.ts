import { setTimeout as delay } from 'node:timers/promises';

import Database from 'better-sqlite3';
import type { Store } from 'rx-persistify';

import type { Step } from './journal.ts';
import { newStamp, stampedValue } from './stamped-value.ts';
import type { Survivor } from './storage.ts';
import type { Witness } from './workload.ts';
import type { WriterPlan } from './writer.ts';

/** How long the values are that make storage grow: a json-file to more than the MiB at which it folds, a database by some pages. */
const grownLengths = { 'json-file': 300_000, sqlite: 6_000, postgres: 6_000 } as const;
/** For a fold that goes on beside. */
const foldMs = 40;

/**
 * The same changes every time, one after the other, so that the system calls that follow from them come in much the same order:
 * what is written first, growth, compaction, and something unsaved at the end.
 */
export async function followCourse({ cycle, place }: WriterPlan, part: number, store: Store<Survivor>, witness: Witness): Promise<void> {
  let writes = 0;
  const set = (key: string, length = 10): Step => ({ type: 'set', key, stamp: newStamp(cycle * 10 + part, ++writes, length) });
  const remove = (key: string): Step => ({ type: 'delete', key });

  await save(store, witness, [set('first')]);
  await save(store, witness, [set('second'), set('third'), remove('first')]);
  await save(store, witness, [remove('third')]);
  for (let count = 1; count <= 4; count++) await save(store, witness, [set(`grown ${count}`, grownLengths[place.provider])]);
  await save(store, witness, [set('while it may be folded')]);
  if (place.provider === 'sqlite') copyLog(place.file);
  else await delay(foldMs);
  await save(store, witness, [set('after growth')]);
  await save(store, witness, [{ type: 'clear' }]);
  await save(store, witness, [set('after all was cleared')]);
  apply(store, witness, [set('unsaved')]);
}

async function save(store: Store<Survivor>, witness: Witness, steps: readonly Step[]): Promise<void> {
  const seq = apply(store, witness, steps);
  await store.flush();
  witness.acknowledged(seq);
}

function apply(store: Store<Survivor>, witness: Witness, steps: readonly Step[]): number {
  const seq = witness.change(steps);
  store.transaction(() => {
    for (const step of steps) {
      if (step.type === 'set') store.set(step.key, stampedValue(step.stamp));
      else if (step.type === 'delete') store.delete(step.key);
      else store.clear();
    }
  });
  return seq;
}

/** Has the write-ahead log copied into the file, so that it begins anew, as another program's commit may at any moment. */
function copyLog(file: string): void {
  const database = new Database(file);
  database.pragma('wal_checkpoint(RESTART)');
  database.close();
}
