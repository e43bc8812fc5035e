// Moves a JSON store to PostgreSQL: node move.js DIRECTORY NAME postgres://…
// It may be killed at any time and run again: what it writes is one commit, so that PostgreSQL has all of the store or nothing.
import { isDeepStrictEqual } from 'node:util';

import { persistify } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { postgres } from 'rx-persistify/postgres';

const [, , directory = '', name = '', connection = ''] = process.argv;

// A JSON file has one owner: while the service runs, this throws a StoreLockedError; once it is open, nobody else writes.
await using from = await persistify(jsonFile({ directory })).open(name);
await using to = await persistify(postgres({ connection })).open(name);
if (from.quarantined.size > 0) throw new Error(`${from.quarantined.size} entries cannot be read, and would be left behind.`);

process.send?.('copying');
if (to.size === 0) {
  await to.transactionAndSave(() => {
    for (const [key, value] of from) {
      const endsAt = from.expiresAt(key);
      // Again, where the clock has gone on between the two looks at it.
      do to.set(key, value, { ttlMs: endsAt === undefined ? Infinity : Math.max(1, endsAt - Date.now()) });
      while (to.expiresAt(key) !== endsAt && from.has(key));
    }
  });
}

await to.reload(); // from here on, it is what PostgreSQL has
for (const [key, value] of from) {
  const isSame = isDeepStrictEqual([to.get(key), to.expiresAt(key)], [value, from.expiresAt(key)]);
  if (!isSame && from.has(key)) throw new Error(`${JSON.stringify(key)} differs. PostgreSQL is left as it is.`);
}
console.log(`${to.size} entries of ${JSON.stringify(name)} are in PostgreSQL, as they are in the file.`);
