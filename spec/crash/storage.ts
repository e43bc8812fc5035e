import { copy, emptyDir, pathExists } from 'fs-extra/esm';
import { firstValueFrom, timer } from 'rxjs';
import { CorruptDataError, persistify, type Failure, type Provider } from 'rx-persistify';

import { stampOf, type StampedValue } from './stamped-value.ts';

export const storeName = 'survivor';

/** The dictionary of the campaign. */
export type Survivor = Record<string, StampedValue>;

export interface Inspection {
  readonly found: ReadonlyMap<string, string>;
  /** What the provider told of having found, and passed over, such as the end of a batch that was under way. */
  readonly told: readonly string[];
  /** What must not be. */
  readonly problem: string | undefined;
}

/** What json-file tells of a batch that a kill cut short: no damage, but what is to be expected now and then. */
const cutShort = 'ends within a batch that was being written';

/** Opens what is stored, and reads all of it. */
export async function inspect(provider: Provider): Promise<Inspection> {
  const found = new Map<string, string>();
  const failures: Failure[] = [];
  try {
    const store = await persistify(provider).open<Survivor>(storeName);
    store.errors$.subscribe((failure) => failures.push(failure));
    for (const [key, value] of store) found.set(key, stampOf(value));
    const quarantined = [...store.quarantined.keys()];
    await firstValueFrom(timer(0)); // what `open` found wrong is told in the macrotask after it
    await store.close();
    if (quarantined.length > 0) return { found, told: [], problem: `quarantined: ${quarantined.join(', ')}` };
  } catch (error) {
    return { found, told: [], problem: `cannot be read: ${String(error)}` };
  }
  const told = failures.map(({ error }) => `${error.name}: ${error.message}`);
  const isDamaged = failures.some(({ error, fatal }) => fatal || (error instanceof CorruptDataError && !error.message.includes(cutShort)));
  return { found, told, problem: isDamaged ? told.join('\n') : undefined };
}

/** With the times of the files, as json-file tells by them whether somebody edited one. */
export async function copyDirectory(from: string, to: string): Promise<void> {
  await emptyDir(to);
  if (await pathExists(from)) await copy(from, to, { preserveTimestamps: true });
}
