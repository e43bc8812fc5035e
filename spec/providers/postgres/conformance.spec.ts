import { providerConformance } from 'rx-persistify/conformance';
import { postgres } from 'rx-persistify/postgres';
import { describe, it } from 'vitest';

import { TestServer } from './server.ts';

const database = new TestServer({ settings: { fsync: 'off', full_page_writes: 'off' } }); // what a power cut takes is not the point here

providerConformance({
  name: 'postgres',
  runner: { describe, it },
  capabilities: { shared: true, durability: 'power', persistent: true, read: true, watch: true },
  refusable: { key: 'refused', json: '"never"' },
  createStorage: async () => {
    const schema = database.freshSchema();
    await makePickyTable(schema);
    return {
      provider: () => postgres({ connection: database.url, schema }),
      remove: async () => {
        await database.sql(`DROP SCHEMA ${schema} CASCADE`);
      },
    };
  },
});

/** A table of the user's own, which refuses one value for ever. */
async function makePickyTable(schema: string): Promise<void> {
  await database.sql(`CREATE SCHEMA ${schema}`);
  await database.sql(
    `CREATE TABLE ${schema}.dictionary (key text PRIMARY KEY, value json CHECK (value::text <> '"never"'), created_at bigint, updated_at bigint, version bigint, expires_at bigint)`,
  );
}
