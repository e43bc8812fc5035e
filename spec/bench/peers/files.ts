import { join } from 'node:path';

import type { Value } from '../work.ts';
import type { Peer } from './peer.ts';

// What is used of the packages, as they document it; what is loaded at run time has no types to check against.
interface LowdbModule {
  readonly JSONFilePreset: <T>(file: string, start: T) => Promise<{ readonly data: T; write(): Promise<void> }>;
}
interface ConfModule {
  readonly default: new (options: { readonly cwd: string; readonly configName: string; readonly projectName: string }) => {
    set(values: Readonly<Record<string, unknown>>): void;
    set(key: string, value: unknown): void;
    readonly store: Readonly<Record<string, unknown>>;
  };
}
interface NodePersistModule {
  readonly default: {
    create(options: { readonly dir: string }): { init(): Promise<unknown>; setItem(key: string, value: unknown): Promise<unknown>; values(): Promise<readonly unknown[]> };
  };
}
interface UnstorageModule {
  readonly createStorage: (options: { readonly driver: unknown }) => {
    setItem(key: string, value: unknown): Promise<void>;
    setItems(items: readonly { readonly key: string; readonly value: unknown }[]): Promise<void>;
    getKeys(): Promise<readonly string[]>;
    getItems(keys: readonly string[]): Promise<readonly { readonly value: unknown }[]>;
    dispose(): Promise<void>;
  };
}
interface TinyBaseStore {
  setRow(table: string, row: string, cells: Value): unknown;
  transaction(work: () => void): unknown;
  getTable(table: string): Readonly<Record<string, unknown>>;
}

const nothing = (): void => undefined;

const lowdb: Peer = {
  name: 'lowdb',
  packages: ['lowdb@7.0.1'],
  durability: 'crash of the process (rename, no fsync)',
  use: '1,000 assigned, write; one assigned, write',
  isPersistent: true,
  async open({ directory }, load) {
    const { JSONFilePreset } = (await load('lowdb/node')) as LowdbModule;
    const database = await JSONFilePreset<Record<string, Value>>(join(directory, 'bench.json'), {});
    return {
      writeMany(pairs) {
        for (const [key, value] of pairs) database.data[key] = value;
        return database.write();
      },
      writeOne([key, value]) {
        database.data[key] = value;
        return database.write();
      },
      readAll: () => Object.values(database.data).length,
      close: nothing,
    };
  },
};

const conf: Peer = {
  name: 'conf',
  packages: ['conf@15.0.2'],
  durability: 'power cut of its contents (fsync, rename; the directory is not synced)',
  use: 'set of an object of 1,000; set',
  isPersistent: true,
  async open({ directory }, load) {
    const { default: Conf } = (await load('conf')) as ConfModule;
    const store = new Conf({ cwd: directory, configName: 'bench', projectName: 'bench' });
    return {
      writeMany: (pairs) => store.set(Object.fromEntries(pairs)),
      writeOne: ([key, value]) => store.set(key, value),
      readAll: () => Object.values(store.store).length,
      close: nothing,
    };
  },
};

const nodePersist: Peer = {
  name: 'node-persist',
  packages: ['node-persist@4.0.4'],
  durability: 'crash of the process (a file a key, no fsync, not atomic)',
  use: 'setItem of 1,000 at once; setItem; read by values()',
  isPersistent: true,
  async open({ directory }, load) {
    const storage = ((await load('node-persist')) as NodePersistModule).default.create({ dir: join(directory, 'bench') });
    await storage.init();
    return {
      writeMany: (pairs) => Promise.all(pairs.map(([key, value]) => storage.setItem(key, value))),
      writeOne: ([key, value]) => storage.setItem(key, value),
      readAll: async () => (await storage.values()).length,
      close: nothing,
    };
  },
};

const unstorage: Peer = {
  name: 'unstorage, fs',
  packages: ['unstorage@1.17.6'],
  durability: 'crash of the process (a file a key, no fsync, not atomic)',
  use: 'setItems of 1,000; setItem; read by getItems',
  isPersistent: true,
  async open({ directory }, load) {
    const { createStorage } = (await load('unstorage')) as UnstorageModule;
    const { default: driver } = (await load('unstorage/drivers/fs')) as { readonly default: (options: { readonly base: string }) => unknown };
    const storage = createStorage({ driver: driver({ base: join(directory, 'bench') }) });
    return {
      writeMany: (pairs) => storage.setItems(pairs.map(([key, value]) => ({ key, value }))),
      writeOne: ([key, value]) => storage.setItem(key, value),
      readAll: async () => (await storage.getItems(await storage.getKeys())).filter(({ value }) => value !== null).length,
      close: () => storage.dispose(),
    };
  },
};

const tinyBase: Peer = {
  name: 'TinyBase, file',
  packages: ['tinybase@10.0.1'],
  durability: 'crash of the process (the whole file, no fsync)',
  use: 'a transaction of 1,000, save; setRow, save',
  isPersistent: true,
  async open({ directory }, load) {
    const { createStore } = (await load('tinybase')) as { readonly createStore: () => TinyBaseStore };
    const { createFilePersister } = (await load('tinybase/persisters/persister-file')) as {
      readonly createFilePersister: (store: TinyBaseStore, file: string) => { load(): Promise<unknown>; save(): Promise<unknown>; destroy(): Promise<unknown> };
    };
    const store = createStore();
    const persister = createFilePersister(store, join(directory, 'bench.json'));
    await persister.load();
    return {
      writeMany(pairs) {
        store.transaction(() => {
          for (const [key, value] of pairs) store.setRow('sensors', key, value);
        });
        return persister.save();
      },
      writeOne([key, value]) {
        store.setRow('sensors', key, value);
        return persister.save();
      },
      readAll: () => Object.values(store.getTable('sensors')).length,
      close: () => persister.destroy(),
    };
  },
};

export const filePeers: readonly Peer[] = [lowdb, conf, nodePersist, unstorage, tinyBase];
