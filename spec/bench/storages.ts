import { join } from 'node:path';

import { persistify, type PersistifyBuilder, type Provider, type Store } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { postgres } from 'rx-persistify/postgres';
import { sqlite } from 'rx-persistify/sqlite';

import { openBareJsonFile } from './bare/json-file.ts';
import { openBarePostgres } from './bare/postgres.ts';
import type { Session } from './bare/session.ts';
import { openBareSqlite } from './bare/sqlite.ts';
import type { Scene } from './row.ts';
import type { Pair, Value } from './work.ts';

/** Through what PostgreSQL is reached. */
export type Distance = keyof Scene['postgres'];

export type Values = Record<string, Value>;

/** The providers that store anything, and how each is told apart in a table. */
export const storageNames = ['json-file', 'sqlite', 'sqlite-worker', 'postgres'] as const;
export type StorageName = (typeof storageNames)[number];

export const titles: Readonly<Record<StorageName, string>> = {
  'json-file': 'JSON file',
  sqlite: 'SQLite, main thread',
  'sqlite-worker': 'SQLite, worker',
  postgres: 'PostgreSQL',
};

/** What the bare loop of a storage does, for a table. */
export const bareTitles: Readonly<Record<StorageName, string>> = {
  'json-file': 'lines appended, fdatasync',
  sqlite: 'prepared upserts, one transaction',
  'sqlite-worker': 'prepared upserts, one transaction',
  postgres: 'one unnest upsert, prepared',
};

/** A store that is written to in commits, as bare storage is. */
export interface OwnSession extends Session {
  readonly store: Store<Values>;
}

/** Where storage of this name is in a scene; each `place` has its own. */
export function providerIn(scene: Scene, name: StorageName, place: string, distance: Distance = 'url'): Provider {
  switch (name) {
    case 'json-file':
      return jsonFile({ directory: join(scene.directory, place) });
    case 'sqlite':
    case 'sqlite-worker':
      return sqlite({ file: join(scene.directory, `${place}.sqlite`), worker: name === 'sqlite-worker' });
    case 'postgres':
      return postgres({ connection: scene.postgres[distance], schema: schemaOf(scene, place) });
  }
}

export async function openOwn(provider: Provider, build: (builder: PersistifyBuilder) => PersistifyBuilder = (builder) => builder): Promise<OwnSession> {
  const store = await build(persistify(provider)).open<Values>('bench');
  const write = async (pairs: readonly Pair[]): Promise<void> => {
    for (const [key, value] of pairs) store.set(key, value);
    await store.flush();
  };
  return { store, write, close: () => store.close() };
}

export function openBare(scene: Scene, name: StorageName, place: string, distance: Distance = 'url'): Session | Promise<Session> {
  switch (name) {
    case 'json-file':
      return openBareJsonFile(join(scene.directory, `${place}.lines`));
    case 'sqlite':
    case 'sqlite-worker':
      return openBareSqlite(join(scene.directory, `${place}.bare.sqlite`));
    case 'postgres':
      return openBarePostgres(scene.postgres[distance], `bare_${schemaOf(scene, place)}`);
  }
}

/** Rows share a server: each process has names of its own. */
function schemaOf({ directory }: Scene, place: string): string {
  return `${directory.slice(-6)}_${place}`.toLowerCase().replaceAll(/[^a-z0-9]/g, '_').replace(/^/, 's_');
}
