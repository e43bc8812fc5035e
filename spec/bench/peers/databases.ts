import { join } from 'node:path';

import { chunks, type Pair, type Value } from '../work.ts';
import type { Load, Peer, PeerPlace, PeerSession } from './peer.ts';

// What is used of the packages, as they document it; what is loaded at run time has no types to check against.
interface KeyvModule {
  readonly Keyv: new (options: { readonly store: unknown }) => {
    set(key: string, value: unknown): Promise<unknown>;
    setMany(entries: readonly { readonly key: string; readonly value: unknown }[]): Promise<unknown>;
    getMany(keys: readonly string[]): Promise<readonly unknown[]>;
    disconnect(): Promise<void>;
    on(event: 'error', listener: (error: unknown) => void): void;
  };
}
interface LmdbModule {
  readonly open: (options: { readonly path: string }) => {
    put(key: string, value: unknown): Promise<boolean>;
    batch(work: () => void): Promise<boolean>;
    getRange(): Iterable<{ readonly value: unknown }>;
    readonly flushed: Promise<boolean>;
    close(): Promise<void>;
  };
}
interface LevelModule {
  readonly Level: new (path: string, options: { readonly valueEncoding: 'json' }) => {
    open(): Promise<void>;
    put(key: string, value: unknown, options: { readonly sync: true }): Promise<void>;
    batch(operations: readonly { readonly type: 'put'; readonly key: string; readonly value: unknown }[], options: { readonly sync: true }): Promise<void>;
    values(): { all(): Promise<readonly unknown[]> };
    close(): Promise<void>;
  };
}
interface RxdbModule {
  readonly createRxDatabase: (options: { readonly name: string; readonly storage: unknown }) => Promise<{
    addCollections(collections: unknown): Promise<{
      readonly sensors: {
        bulkUpsert(documents: readonly unknown[]): Promise<{ readonly error: readonly unknown[] }>;
        upsert(document: unknown): Promise<unknown>;
        find(): { exec(): Promise<readonly unknown[]> };
      };
    }>;
    close(): Promise<unknown>;
  }>;
}

async function openKeyv(load: Load, makeStore: () => Promise<unknown>): Promise<PeerSession> {
  const { Keyv } = (await load('keyv')) as KeyvModule;
  const keyv = new Keyv({ store: await makeStore() });
  const failures: unknown[] = []; // it tells of them here, and resolves all the same
  keyv.on('error', (error) => failures.push(error));
  const check = (): void => {
    if (failures.length > 0) throw new AggregateError(failures, 'keyv failed.');
  };
  return {
    async writeMany(pairs) {
      await keyv.setMany(pairs.map(([key, value]) => ({ key, value })));
      check();
    },
    async writeOne([key, value]) {
      await keyv.set(key, value);
      check();
    },
    async readAll(keys) {
      let found = 0;
      for (const some of chunks(keys, 1_000)) found += (await keyv.getMany(some)).filter((value) => value !== undefined).length;
      check();
      return found;
    },
    close: () => keyv.disconnect(),
  };
}

const keyvSqlite: Peer = {
  name: 'keyv, @keyv/sqlite',
  packages: ['keyv@5.6.0', '@keyv/sqlite@4.0.8'],
  durability: "power cut (SQLite's default, FULL)",
  use: 'setMany of 1,000; set; read by getMany',
  isPersistent: true,
  open: ({ directory }, load) =>
    openKeyv(load, async () => {
      const { default: KeyvSqlite } = (await load('@keyv/sqlite')) as { readonly default: new (uri: string) => unknown };
      return new KeyvSqlite(`sqlite://${join(directory, 'bench.sqlite')}`);
    }),
};

const keyvPostgres: Peer = {
  name: 'keyv, @keyv/postgres',
  packages: ['keyv@5.6.0', '@keyv/postgres@2.2.3'],
  durability: "power cut, the server's",
  use: 'setMany of 1,000; set; read by getMany',
  needsPostgres: true,
  isPersistent: true,
  open: ({ postgresUrl, schema }, load) =>
    openKeyv(load, async () => {
      const { default: KeyvPostgres } = (await load('@keyv/postgres')) as { readonly default: new (options: unknown) => unknown };
      return new KeyvPostgres({ uri: postgresUrl, schema });
    }),
};

const lmdb: Peer = {
  name: 'lmdb',
  packages: ['lmdb@3.5.6'],
  durability: 'power cut (waits for db.flushed)',
  use: 'batch of 1,000, flushed; put, flushed; read by getRange',
  isPersistent: true,
  async open({ directory }, load) {
    const database = ((await load('lmdb')) as LmdbModule).open({ path: join(directory, 'bench.mdb') });
    return {
      async writeMany(pairs) {
        await database.batch(() => {
          for (const [key, value] of pairs) void database.put(key, value);
        });
        await database.flushed;
      },
      async writeOne([key, value]) {
        await database.put(key, value);
        await database.flushed;
      },
      readAll() {
        let found = 0;
        for (const { value } of database.getRange()) if (isObject(value)) found++;
        return found;
      },
      close: () => database.close(),
    };
  },
};

const level: Peer = {
  name: 'level, sync',
  packages: ['level@10.0.0'],
  durability: 'power cut ({ sync: true })',
  use: 'batch of 1,000; put; read by values().all()',
  isPersistent: true,
  async open({ directory }, load) {
    const { Level } = (await load('level')) as LevelModule;
    const database = new Level(join(directory, 'bench'), { valueEncoding: 'json' });
    await database.open();
    return {
      writeMany: (pairs) => database.batch(pairs.map(([key, value]) => ({ type: 'put', key, value })), { sync: true }),
      writeOne: ([key, value]) => database.put(key, value, { sync: true }),
      readAll: async () => (await database.values().all()).filter(isObject).length,
      close: () => database.close(),
    };
  },
};

const schema = {
  version: 0,
  primaryKey: 'key',
  type: 'object',
  properties: { key: { type: 'string', maxLength: 100 }, stamp: { type: 'number' }, id: { type: 'number' }, on: { type: 'boolean' }, text: { type: 'string' } },
  required: ['key', 'stamp'],
};

const rxdb: Peer = {
  name: 'RxDB, memory',
  packages: ['rxdb@17.6.0', 'rxjs@7.8.2'],
  durability: 'nothing (memory)',
  use: 'bulkUpsert of 1,000; upsert',
  isPersistent: false,
  async open(_place: PeerPlace, load) {
    const { createRxDatabase } = (await load('rxdb')) as RxdbModule;
    const { getRxStorageMemory } = (await load('rxdb/plugins/storage-memory')) as { readonly getRxStorageMemory: () => unknown };
    const database = await createRxDatabase({ name: `bench${Math.random()}`, storage: getRxStorageMemory() });
    const { sensors } = await database.addCollections({ sensors: { schema } });
    const documentOf = ([key, value]: Pair): Value & { readonly key: string } => ({ key, ...value });
    return {
      async writeMany(pairs) {
        const { error } = await sensors.bulkUpsert(pairs.map(documentOf));
        if (error.length > 0) throw new AggregateError(error, 'RxDB refused some.');
      },
      writeOne: (pair) => sensors.upsert(documentOf(pair)),
      readAll: async () => (await sensors.find().exec()).length,
      close: () => database.close(),
    };
  },
};

export const databasePeers: readonly Peer[] = [keyvSqlite, keyvPostgres, lmdb, level, rxdb];

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
