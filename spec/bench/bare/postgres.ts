import pg from 'pg';

import type { Pair, Value } from '../work.ts';
import type { Session } from './session.ts';

const upsert = `INSERT INTO TABLE_NAME (key, value, created_at, updated_at, version, expires_at)
  SELECT k, v, $3, $3, $4, NULL FROM unnest($1::text[], $2::json[]) AS s (k, v)
  ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at, version = excluded.version, expires_at = excluded.expires_at`;

/** A Map, and one prepared statement a batch on one connection, in a table as the library makes it. */
export async function openBarePostgres(url: string, table: string): Promise<Session> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`CREATE TABLE IF NOT EXISTS ${table} (
    key text COLLATE "C" NOT NULL PRIMARY KEY, value json NOT NULL, created_at bigint NOT NULL, updated_at bigint NOT NULL, version bigint NOT NULL, expires_at bigint
  ) WITH (fillfactor = 90)`);
  const statement = { name: 'upsert', text: upsert.replace('TABLE_NAME', table) };
  const map = new Map<string, Value>();
  let version = 0;
  const write = async (pairs: readonly Pair[]): Promise<void> => {
    version++;
    const keys: string[] = [];
    const texts: string[] = [];
    for (const [key, value] of pairs) {
      map.set(key, value);
      keys.push(key);
      texts.push(JSON.stringify(value));
    }
    await client.query({ ...statement, values: [keys, texts, Date.now(), version] });
  };
  return { write, close: () => client.end() };
}
