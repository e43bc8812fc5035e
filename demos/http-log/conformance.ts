// Proves with Node's own test runner that the provider keeps the contract. Run it: node --test build/demos/http-log/conformance.js
import { mkdtemp, rm } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { providerConformance } from 'rx-persistify/conformance';

import { httpLog } from './provider.ts';
import { startLogServer } from './server.ts';

providerConformance({
  name: 'http-log',
  runner: { describe, it },
  capabilities: { shared: true, durability: 'power', persistent: true, read: false, watch: false },
  createStorage: async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-http-log-'));
    const server = await startLogServer(directory);
    return {
      provider: () => httpLog(server.url),
      remove: async () => {
        await server.close();
        await rm(directory, { recursive: true });
      },
    };
  },
});
