// Run by `node --test`: a provider that loses each write, to see the runner say so.
import { describe, it } from 'node:test';

import { memory } from 'rx-persistify';
import { providerConformance } from 'rx-persistify/conformance';

providerConformance({
  name: 'forgetful',
  runner: { describe, it },
  capabilities: { shared: true, durability: 'memory', persistent: false, read: false, watch: false },
  createStorage: () => {
    const provider = { name: 'forgetful', open: (name, context) => memory().open(name, context) };
    return Promise.resolve({ provider: () => provider, remove: () => Promise.resolve() });
  },
});
