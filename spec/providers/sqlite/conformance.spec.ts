import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { providerConformance } from 'rx-persistify/conformance';
import { sqlite } from 'rx-persistify/sqlite';
import { describe, it } from 'vitest';

for (const worker of [true, false]) {
  providerConformance({
    name: worker ? 'sqlite in a worker' : 'sqlite on the main thread',
    runner: { describe, it },
    capabilities: { shared: true, durability: 'power', persistent: true, read: true, watch: false },
    createStorage: async () => {
      const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-sqlite-'));
      return {
        provider: () => sqlite({ file: join(directory, 'store.sqlite'), worker }),
        remove: () => rm(directory, { recursive: true }),
      };
    },
  });
}
