import { join } from 'node:path';

import type { Provider } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { postgres } from 'rx-persistify/postgres';
import { sqlite } from 'rx-persistify/sqlite';

import { openOwn } from '../storages.ts';
import type { Peer, PeerPlace } from './peer.ts';

const use = 'set in a loop, flush; setAndSave';

function own(name: string, durability: string, providerAt: (place: PeerPlace) => Provider, needsPostgres = false): Peer {
  return {
    name: `rx-persistify, ${name}`,
    packages: [],
    durability,
    use,
    needsPostgres,
    isPersistent: true,
    async open(place) {
      const { store, write } = await openOwn(providerAt(place));
      return {
        writeMany: write,
        writeOne: ([key, value]) => store.setAndSave(key, value),
        readAll: () => [...store.values()].length,
        close: () => store.close(),
      };
    },
  };
}

/** This library, at the same work. */
export const ownPeers: readonly Peer[] = [
  own('JSON file', 'power cut (fdatasync)', ({ directory }) => jsonFile({ directory })),
  own('SQLite in a worker', 'power cut (FULL)', ({ directory }) => sqlite({ file: join(directory, 'bench.sqlite') })),
  own('SQLite on the main thread', 'power cut (FULL)', ({ directory }) => sqlite({ file: join(directory, 'bench.sqlite'), worker: false })),
  own('PostgreSQL', "power cut, the server's", ({ postgresUrl, schema }) => postgres({ connection: postgresUrl, schema }), true),
];
