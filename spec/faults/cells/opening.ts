import { firstValueFrom, timer } from 'rxjs';
import { persistify, PersistifyError, type Failure, type Provider, type Store } from 'rx-persistify';
import { z } from 'zod';

import { stampOf } from '../../crash/stamped-value.ts';
import { storeName, type Survivor } from '../../crash/storage.ts';

/** What came of opening what may be damaged. */
export type Opening = Refused | Opened;

export interface Refused {
  readonly isRefused: true;
  readonly error: PersistifyError;
}

export interface Opened {
  readonly isRefused: false;
  /** Stamps by key. */
  readonly entries: ReadonlyMap<string, string>;
  readonly quarantined: readonly string[];
  /** What `errors$` told of what opening found. */
  readonly told: readonly Failure[];
}

const survivorValue = z.strictObject({ stamp: z.string(), text: z.string() });

/** Opens what is stored, `isChecked` by a schema, reads all of it, and closes it. @throws whatever is none of the library's own errors. */
export async function openingOf(provider: Provider, { isChecked = false }: { readonly isChecked?: boolean } = {}): Promise<Opening> {
  const builder = persistify(provider).withRetry({ maxAttempts: 1 });
  const opening: Promise<Store<Survivor>> = isChecked ? builder.withSchema(survivorValue).open(storeName) : builder.open<Survivor>(storeName);
  const store = await opening.catch((error: unknown) => {
    if (error instanceof PersistifyError) return error;
    throw new Error('Opening failed with what is no error of the library.', { cause: error });
  });
  if (store instanceof Error) return { isRefused: true, error: store };
  const told: Failure[] = [];
  store.errors$.subscribe((failure) => told.push(failure));
  const entries = new Map([...store].map(([key, value]) => [key, stampOf(value)]));
  const quarantined = [...store.quarantined.keys()];
  await firstValueFrom(timer(0)); // what `open` found wrong is told in the macrotask after it
  await store.close();
  return { isRefused: false, entries, quarantined, told };
}

/** What was told, or why it was refused, in one text. */
export function wordsOf(opening: Opening): string {
  if (opening.isRefused) return `${opening.error.name}: ${opening.error.message}`;
  return opening.told.map(({ error }) => `${error.name}: ${error.message}`).join('\n');
}
