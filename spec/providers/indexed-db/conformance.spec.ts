import 'fake-indexeddb/auto';

import { deleteDB } from 'idb';
import { providerConformance } from 'rx-persistify/conformance';
import { indexedDb } from 'rx-persistify/indexed-db';
import { describe, it } from 'vitest';

let count = 0;

providerConformance({
  name: 'indexed-db',
  runner: { describe, it },
  capabilities: { shared: true, durability: 'power', persistent: true, read: true, watch: true },
  createStorage: () => {
    const database = `conformance ${++count}`;
    return Promise.resolve({ provider: () => indexedDb({ database }), remove: () => deleteDB(database) });
  },
});
