import { join } from 'node:path';

import { persistify, type PersistifyBuilder, type Provider } from 'rx-persistify';

import { postgresSchema, type FileProvider, type Storage } from './arguments.ts';
import { Measurements, type Current, type Slots } from './history.ts';

/** Where measurements are kept, for people: the file, the directory, or the database, without what may be secret of it. */
export function placeOf(storage: Storage): string {
  if (storage.provider !== 'postgres') return fileOf(storage.provider, storage.directory);
  const { host, pathname } = new URL(storage.url);
  return `PostgreSQL at ${host}${pathname}`;
}

function fileOf(provider: FileProvider, directory: string): string {
  return provider === 'sqlite' ? join(directory, 'telemetry.sqlite') : join(directory, 'telemetry');
}

/** Opens both dictionaries; a second's four samples are one batch. */
export async function openMeasurements(storage: Storage): Promise<Measurements> {
  const stores: PersistifyBuilder = persistify(await createProvider(storage)).withBatch({ intervalMs: 1_000 });
  const current = await stores.open<Current>('current');
  try {
    return new Measurements(current, await stores.open<Slots>('samples'));
  } catch (error) {
    await current.close();
    throw error;
  }
}

/** Loads only the provider that is asked for: the driver of a database need not be installed for another. */
async function createProvider(storage: Storage): Promise<Provider> {
  switch (storage.provider) {
    case 'json-file': {
      const { jsonFile } = await import('rx-persistify/json-file');
      return jsonFile({ directory: fileOf('json-file', storage.directory) });
    }
    case 'sqlite': {
      const { sqlite } = await import('rx-persistify/sqlite');
      return sqlite({ file: fileOf('sqlite', storage.directory) });
    }
    case 'postgres': {
      const { postgres } = await import('rx-persistify/postgres');
      return postgres({ connection: storage.url, schema: postgresSchema });
    }
  }
}
