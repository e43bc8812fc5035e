import { chmodSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { inspect, modes, open, rows, set, temporaryFile } from './bench.ts';

describe.each(modes)('the file, $mode', ({ worker }) => {
  it('holds a table a dictionary with key, value, times, version and deadline', async () => {
    const file = temporaryFile();
    const before = Date.now();
    const dictionary = await open({ file, worker });
    await dictionary.write({ type: 'set', key: 'theme', json: '"dark"', expiresAt: 4_000_000_000_000 }, set('size', '14'));
    await dictionary.write(set('size', '15'));
    const table = rows(file, 'SELECT *, typeof(created_at) AS type FROM prefs ORDER BY key DESC');
    expect(table).toEqual([
      { key: 'theme', value: '"dark"', created_at: expect.any(Number) as number, updated_at: expect.any(Number) as number, version: 1, expires_at: 4_000_000_000_000, type: 'integer' },
      { key: 'size', value: '15', created_at: expect.any(Number) as number, updated_at: expect.any(Number) as number, version: 2, expires_at: null, type: 'integer' },
    ]);
    for (const row of rows(file, 'SELECT created_at AS made, updated_at AS set_at FROM prefs') as { made: number; set_at: number }[]) {
      expect(row.made).toBeGreaterThanOrEqual(before);
      expect(row.set_at).toBeGreaterThanOrEqual(row.made);
      expect(row.set_at).toBeLessThanOrEqual(Date.now());
    }
  });

  it('keeps when an entry was made through later sets, and not through a delete', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(set('key', '1'));
    inspect(file).exec('UPDATE prefs SET created_at = 5, updated_at = 5');
    await dictionary.write(set('key', '2'));
    expect(rows(file, 'SELECT created_at = 5 AS kept, updated_at = 5 AS old FROM prefs')).toEqual([{ kept: 1, old: 0 }]);
    await dictionary.write({ type: 'delete', key: 'key' });
    await dictionary.write(set('key', '3'));
    expect(rows(file, 'SELECT created_at = 5 AS kept FROM prefs')).toEqual([{ kept: 0 }]);
  });

  it('names dictionaries, writers and commits in tables of its own', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(set('a'), { type: 'delete', key: 'b"\n' });
    expect(rows(file, 'SELECT name, table_name, format, head FROM rx_persistify_dictionaries')).toEqual([{ name: 'prefs', table_name: 'prefs', format: 1, head: 1 }]);
    expect(rows(file, 'SELECT dictionary, writer, number, version, result FROM rx_persistify_writers')).toEqual([
      { dictionary: 'prefs', writer: dictionary.writer, number: 1, version: 1, result: '[]' },
    ]);
    expect(rows(file, 'SELECT dictionary, version, writer, number, keys FROM rx_persistify_log')).toEqual([
      { dictionary: 'prefs', version: 1, writer: dictionary.writer, number: 1, keys: '["a","b\\"\\n"]' },
    ]);
  });

  it('has no index beside those of the keys', async () => {
    const file = temporaryFile();
    await open({ file, worker });
    expect(rows(file, "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")).toEqual([]);
  });

  it('takes the columns and tables that the options name', async () => {
    const file = temporaryFile();
    const columns = { key: 'Na"me', value: 'select', createdAt: 'made at', updatedAt: 'changed', version: 'order', expiresAt: '🕰' };
    const options = { file, worker, table: (name: string) => `kv ${name}`, columns };
    const dictionary = await open(options);
    await dictionary.write(set('a'), { type: 'set', key: 'b', json: '2', expiresAt: 1 });
    await dictionary.write({ type: 'set', key: 'a', json: '2', expect: 1 }, { type: 'expire', key: 'b', version: 1 });
    await dictionary.write({ type: 'touch', key: 'a', expiresAt: 5 }, { type: 'delete', key: 'c' });
    expect(await dictionary.entries()).toEqual([{ key: 'a', json: '2', version: 2 }]);
    expect(rows(file, 'SELECT * FROM "kv prefs"')).toEqual([{ 'Na"me': 'a', select: '2', 'made at': expect.any(Number) as number, changed: expect.any(Number) as number, order: 2, '🕰': null }]);
    await dictionary.close();
    expect(await (await open(options)).entries()).toHaveLength(1);
  });

  it('is in WAL mode while it is open, and one file again when it is closed', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(set('a'));
    expect(rows(file, 'PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]);
    await dictionary.entries();
    await dictionary.session.read?.(['a']);
    await dictionary.close();
    expect(readdirSync(dirname(file))).toEqual(['store.sqlite']);
  });

  it('leaves no log to copy for another program that has it open, too', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    inspect(file).prepare('SELECT * FROM prefs').all();
    await dictionary.write(set('a'));
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
    await dictionary.close();
    expect(statSync(`${file}-wal`).size).toBe(0);
  });

  it('is made for its user alone, with its directories', async () => {
    const root = temporaryFile();
    const file = join(root, 'deep', 'er', 'store.sqlite');
    await open({ file, worker });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
    expect(statSync(root).mode & 0o777).toBe(0o700);
  });

  it('keeps the permissions of what was there', async () => {
    const file = temporaryFile();
    inspect(file).exec('CREATE TABLE other (a)');
    chmodSync(file, 0o664);
    await open({ file, worker });
    expect(statSync(file).mode & 0o777).toBe(0o664);
  });
});
