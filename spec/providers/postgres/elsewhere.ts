import type { TestServer } from './server.ts';

/** Commits as another process would, of which nothing in this one knows, and without ringing for it. Returns the version. */
export async function commitElsewhere(database: TestServer, schema: string, key = 'key', json = '"elsewhere"'): Promise<number> {
  const [row] = await database.sql(
    `WITH d AS (UPDATE ${schema}.rx_persistify_dictionaries SET head = head + 1 WHERE name = 'prefs' RETURNING id, head),
      l AS (INSERT INTO ${schema}.rx_persistify_log (dictionary, version, writer, number, committed_at, keys)
        SELECT id, head, 'elsewhere', head, floor(extract(epoch FROM clock_timestamp()) * 1000), ARRAY[$1] FROM d),
      t AS (INSERT INTO ${schema}.prefs (key, value, created_at, updated_at, version) SELECT $1, $2::json, 0, 0, head FROM d
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version)
      SELECT head::integer FROM d`,
    [key, json],
  );
  return Number(row?.['head']);
}
