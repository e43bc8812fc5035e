// A flaky disk. There is to see: saving fails, and every reader and writer goes on; each failed attempt is told, with the
// wait before the next; and when storage comes back, everything is saved. Nothing here is simulated: first another
// connection holds SQLite's write lock, then the directory of a JSON file is gone for a while.
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { filter, firstValueFrom } from 'rxjs';

import { persistify, type Failure, type Store } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { sqlite } from 'rx-persistify/sqlite';

import { check, heading, inTemporaryDirectory } from './support/demo.ts';

type Readings = Record<string, number>;

await inTemporaryDirectory(async (directory) => {
  await lockedDatabase(join(directory, 'readings.sqlite'));
  await lostDirectory(directory);
});

/** Storage that fails for a second: the attempts go on until one succeeds. */
async function lockedDatabase(file: string): Promise<void> {
  heading('Another connection holds the write lock for a second:');
  const store = await persistify(sqlite({ file, busyTimeoutMs: 100 })).withRetry({ maxAttempts: 50, delayMs: 100, maxDelayMs: 400 }).open<Readings>('readings');
  const failures = tellFailures(store, dirname(file));
  await store.setAndSave('inside', 21);

  const other = new Database(file);
  other.exec('begin immediate');
  const saving = store.setAndSave('inside', 22);
  check('a value that cannot be saved yet is there all the same', store.get('inside'), 22);
  await setTimeout(1_000);
  check('it is still unsaved', store.unsaved, ['inside']);
  other.exec('rollback');
  other.close();
  check('with the lock gone, it is saved', await saving, true);
  check('each failed attempt was told, none as fatal', [failures.length > 0, failures.some(({ fatal }) => fatal)], [true, false]);
  await store.close();
}

/** Storage that fails for longer than the attempts last: the store stays alive, and saves when it can. */
async function lostDirectory(parent: string): Promise<void> {
  heading('The directory of a JSON file is gone:');
  const [directory, elsewhere] = [join(parent, 'disk'), join(parent, 'unplugged')];
  await mkdir(directory);
  const stores = persistify(jsonFile({ directory })).withRetry({ maxAttempts: 3, delayMs: 50 });
  const store = await stores.open<Readings>('readings');
  const failures = tellFailures(store, parent);
  await store.setAndSave('inside', 21);

  await rename(directory, elsewhere);
  const fatal = firstValueFrom(store.errors$.pipe(filter((failure) => failure.fatal)));
  store.set('inside', 22);
  await fatal;
  check('the attempts are spent, which is told as fatal', failures.at(-1)?.fatal, true);
  check('the store says so, and keeps the value', [store.status.state, store.get('inside'), store.unsaved], ['failing', 22, ['inside']]);

  store.set('outside', 4);
  await rename(elsewhere, directory);
  check('with the directory back, `flush` saves everything', await store.flush(), true);
  await store.close();

  const reopened = await stores.open<Readings>('readings');
  check('it is in the file', Object.fromEntries(reopened), { inside: 22, outside: 4 });
  await reopened.close();
}

function tellFailures(store: Store<Readings>, directory: string): readonly Failure[] {
  const failures: Failure[] = [];
  store.errors$.subscribe((failure) => {
    failures.push(failure);
    const { attempt, maxAttempts, error, willRetry, delayMs } = failure;
    const next = willRetry ? `again in ${Math.round(delayMs)} ms` : 'no more attempts for now';
    if (failures.length <= 6) console.log(`  ! attempt ${attempt} of ${maxAttempts}: ${error.message.replaceAll(directory, '…')} (${next})`);
  });
  return failures;
}
