// Run by `node --test`: the suite needs no particular runner, and nothing but the package.
import { describe, it } from 'node:test';

import { memory } from 'rx-persistify';
import { providerConformance } from 'rx-persistify/conformance';

providerConformance({
  name: 'memory',
  runner: { describe, it },
  capabilities: { shared: true, durability: 'memory', persistent: true, read: true, watch: true },
  createStorage: () => {
    const provider = memory();
    return Promise.resolve({ provider: () => provider, remove: () => Promise.resolve() });
  },
});
