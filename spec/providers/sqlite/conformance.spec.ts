import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import Database from 'better-sqlite3';
import { providerConformance } from 'rx-persistify/conformance';
import { sqlite } from 'rx-persistify/sqlite';
import { describe, it } from 'vitest';

for (const worker of [true, false]) {
  providerConformance({
    name: worker ? 'sqlite in a worker' : 'sqlite on the main thread',
    runner: { describe, it },
    capabilities: { shared: true, durability: 'power', persistent: true, read: true, watch: true },
    refusable: { key: 'refused', json: '"never"' },
    createStorage: async () => {
      const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-sqlite-'));
      const file = join(directory, 'store.sqlite');
      makePickyTable(file);
      return {
        provider: () => sqlite({ file, worker }),
        remove: () => rm(directory, { recursive: true }),
      };
    },
  });
}

/** A table of the user's own, which refuses one value for ever. */
function makePickyTable(file: string): void {
  const database = new Database(file);
  database.exec(
    `CREATE TABLE dictionary (key TEXT PRIMARY KEY, value TEXT CHECK (value <> '"never"'), created_at INTEGER, updated_at INTEGER, version INTEGER, expires_at INTEGER)`,
  );
  database.close();
}
