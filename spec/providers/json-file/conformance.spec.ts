import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { providerConformance } from 'rx-persistify/conformance';
import { jsonFile } from 'rx-persistify/json-file';
import { describe, it } from 'vitest';

providerConformance({
  name: 'json-file',
  runner: { describe, it },
  capabilities: { shared: false, durability: 'power', persistent: true, read: false, watch: true },
  createStorage: async () => {
    const directory = await mkdtemp(join(tmpdir(), 'json-file-'));
    return {
      provider: () => jsonFile({ directory }),
      remove: () => rm(directory, { recursive: true }),
    };
  },
});
