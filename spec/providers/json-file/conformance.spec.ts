import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { providerConformance } from 'rx-persistify/conformance';
import { jsonFile, type JsonFileOptions } from 'rx-persistify/json-file';
import { describe, it } from 'vitest';

import type { Provider } from '../../../lib/providers/provider.ts';

/** The suite's chapter on `watch` opens a dictionary twice, which one with an owner does not allow: our feed tells of edits by hand only. */
function withoutWatch(provider: Provider): Provider {
  return {
    name: provider.name,
    async open(name, context) {
      const session = await provider.open(name, context);
      return {
        capabilities: session.capabilities,
        load: () => session.load(),
        write: (batch, writeContext) => session.write(batch, writeContext),
        close: () => session.close(),
      };
    },
  };
}

function conform(name: string, options: Partial<JsonFileOptions>): void {
  providerConformance({
    name,
    runner: { describe, it },
    capabilities: { shared: false, durability: 'power', persistent: true, read: false, watch: false },
    createStorage: async () => {
      const directory = await mkdtemp(join(tmpdir(), 'json-file-'));
      return {
        provider: () => withoutWatch(jsonFile({ directory, ...options })),
        remove: () => rm(directory, { recursive: true }),
      };
    },
  });
}

conform('json-file', {});
conform('json-file with indentation', { indent: 2 });
