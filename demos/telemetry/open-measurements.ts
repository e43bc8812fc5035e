import { join } from 'node:path';

import { persistify, type PersistifyBuilder, type Provider } from 'rx-persistify';

import type { ProviderName } from './arguments.ts';
import { Measurements, type Current, type Slots } from './history.ts';

/** Where measurements are kept: the file or directory. */
export function placeOf(provider: ProviderName, directory: string): string {
  return provider === 'sqlite' ? join(directory, 'telemetry.sqlite') : join(directory, 'telemetry');
}

/** Opens both dictionaries; a second's four samples are one batch. */
export async function openMeasurements(provider: ProviderName, directory: string): Promise<Measurements> {
  const stores: PersistifyBuilder = persistify(await createProvider(provider, placeOf(provider, directory))).withBatch({ intervalMs: 1_000 });
  const current = await stores.open<Current>('current');
  try {
    return new Measurements(current, await stores.open<Slots>('samples'));
  } catch (error) {
    await current.close();
    throw error;
  }
}

/** Loads only the provider that is asked for: SQLite's driver need not be installed for JSON files. */
async function createProvider(name: ProviderName, place: string): Promise<Provider> {
  if (name === 'json-file') {
    const { jsonFile } = await import('rx-persistify/json-file');
    return jsonFile({ directory: place });
  }
  const { sqlite } = await import('rx-persistify/sqlite');
  return sqlite({ file: place });
}
