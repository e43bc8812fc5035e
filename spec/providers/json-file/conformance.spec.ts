import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { providerConformance } from 'rx-persistify/conformance';
import { jsonFile, type JsonFileOptions } from 'rx-persistify/json-file';
import { describe, it } from 'vitest';

function conform(name: string, options: Partial<JsonFileOptions>): void {
  providerConformance({
    name,
    runner: { describe, it },
    capabilities: { shared: false, durability: 'power', persistent: true, read: false, watch: true },
    createStorage: async () => {
      const directory = await mkdtemp(join(tmpdir(), 'json-file-'));
      return {
        provider: () => jsonFile({ directory, ...options }),
        remove: () => rm(directory, { recursive: true }),
      };
    },
  });
}

conform('json-file', {});
conform('json-file with indentation', { indent: 2 });
