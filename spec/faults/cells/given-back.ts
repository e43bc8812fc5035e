import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { persistify, type Provider, type Store } from 'rx-persistify';
import { expect } from 'vitest';

import { storeName } from '../../crash/storage.ts';
import type { Trial } from './matrix.ts';
import type { Storages } from './storages.ts';
import { Subject } from './subject.ts';

/** Takes from a directory what a store needs. Resolves to what gives it back. */
export interface Withdrawal {
  readonly withdraw: (directory: string) => () => void;
  /** Columns in which writing goes on with the files that are open. */
  readonly spares: readonly string[];
  /** What is told where it does not. */
  readonly told: RegExp;
  /** Whether nobody else can write meanwhile. */
  readonly bars: boolean;
}

const moods = { steady: 1, bulk: 2, growth: 1 } as const;

/** While it is withdrawn nothing is lost and the failure is told; when it is given back, the store goes on by itself. */
export function givenBack(storages: Storages, { withdraw, spares, told, bars }: Withdrawal): Trial {
  return async (cell) => {
    const tally = { cycles: 0, 'failures told': 0, 'others barred': 0, acknowledged: 0 };
    for (; tally.cycles < cell.times(5, 300); tally.cycles++) {
      const directory = join(cell.directory, `storage-${tally.cycles}`);
      await mkdir(directory);
      const storage = storages.fresh({ column: cell.column, directory });
      const mood = cell.random.weighted(moods);
      const subject = await Subject.open({ provider: storage.provider(), random: cell.random, mood });
      await subject.live(mood === 'bulk' ? 10 : 60);
      const giveBack = withdraw(directory);
      try {
        await subject.live(mood === 'bulk' ? 30 : 120);
        if (!(await subject.flush())) expectTold(subject, told);
        else expect(spares, 'where it was saved all the same').toContain(cell.column);
        tally['failures told'] += subject.failures.length;
        if (bars) {
          await expectBarred(storage.provider());
          tally['others barred']++;
        }
      } finally {
        giveBack();
      }
      await recovered(subject);
      await subject.live(20);
      await subject.close();
      tally.acknowledged += (await subject.expectKept(storage.provider(), { isWhole: true })).acknowledged;
    }
    return tally;
  };
}

function expectTold({ failures }: Subject, told: RegExp): void {
  const fatal = failures.filter((failure) => failure.operation === 'save' && failure.fatal);
  expect(fatal.length).toBeGreaterThan(0);
  for (const { error, willRetry } of fatal) {
    expect(error.code).toBe('PROVIDER');
    if (!told.test(error.message)) throw new Error(`It told ${error.message}`);
    expect(willRetry).toBe(false);
  }
}

/** Another one cannot open it, or can only read. */
async function expectBarred(provider: Provider): Promise<void> {
  const builder = persistify(provider).withRetry({ maxAttempts: 1 });
  let store: Store<Record<string, unknown>>;
  try {
    store = await builder.open(storeName);
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^(LOAD_FAILED|STORE_LOCKED)$/) as string });
    return;
  }
  await expect(store.setAndSave('never', 'saved')).rejects.toMatchObject({ code: 'SAVE_FAILED', cause: { kind: 'halt' } });
  await expect(store.close({ deadlineMs: 0 })).rejects.toMatchObject({ code: 'SAVE_FAILED', keys: ['never'] });
}

/** Waits until everything is saved, and asks for nothing. */
export async function recovered({ store }: Subject): Promise<void> {
  await expect.poll(() => store.status.pending, { timeout: 30_000 }).toBe(0);
}
