import { resolve } from 'node:path';

import { sqlite, type SqliteOptions } from 'rx-persistify/sqlite';
import { describe, expect, it } from 'vitest';

import { checkOptions } from '../../../lib/providers/sqlite/options.ts';

describe('the options', () => {
  it('have defaults', () => {
    expect(checkOptions({ file: 'data/store.sqlite' })).toEqual({
      file: resolve('data/store.sqlite'),
      durability: 'full',
      worker: true,
      busyTimeoutMs: 50,
      pollMs: 250,
      columns: { key: 'key', value: 'value', createdAt: 'created_at', updatedAt: 'updated_at', version: 'version', expiresAt: 'expires_at' },
    });
  });

  it('touch nothing before a dictionary is opened', () => {
    expect(sqlite({ file: '/nowhere/at all/store.sqlite' }).name).toBe('sqlite');
  });

  it.each<[unknown, string]>([
    [undefined, 'sqlite() should be given an object with at least `file`, got undefined.'],
    ['data.sqlite', 'sqlite() should be given an object with at least `file`, got "data.sqlite".'],
    [{}, 'sqlite(): option "file" should be the path of a file, got undefined.'],
    [{ file: 5 }, 'sqlite(): option "file" should be the path of a file, got 5.'],
    [{ file: '' }, 'sqlite(): option "file" should be the path of a file, got ""; for a store in memory use the memory provider.'],
    [{ file: ':memory:' }, 'sqlite(): option "file" should be the path of a file, got ":memory:"; for a store in memory use the memory provider.'],
    [{ file: 'file:///x' }, 'sqlite(): option "file" should be the path of a file, got "file:///x"; make a path of a URL with fileURLToPath of node:url.'],
    [{ file: 'a\0' }, 'sqlite(): option "file" should be the path of a file, got "a\\u0000"; it must not hold a NUL or end in white space.'],
    [{ file: 'a ' }, 'sqlite(): option "file" should be the path of a file, got "a "; it must not hold a NUL or end in white space.'],
    [{ file: 'a', durability: 'high' }, 'sqlite(): option "durability" should be \'full\' or \'normal\', got "high".'],
    [{ file: 'a', worker: 1 }, 'sqlite(): option "worker" should be true or false, got 1.'],
    [{ file: 'a', table: 'kv' }, 'sqlite(): option "table" should be a function from a dictionary\'s name to a table\'s, got "kv".'],
    [{ file: 'a', busyTimeoutMs: 5_000 }, 'sqlite(): option "busyTimeoutMs" should be a whole number of milliseconds from 0 to 50, got 5000.'],
    [{ file: 'a', busyTimeoutMs: 1.5 }, 'sqlite(): option "busyTimeoutMs" should be a whole number of milliseconds from 0 to 50, got 1.5.'],
    [{ file: 'a', pollMs: 5 }, 'sqlite(): option "pollMs" should be a whole number of milliseconds from 10 to 60,000, got 5.'],
    [{ file: 'a', pollMs: Infinity }, 'sqlite(): option "pollMs" should be a whole number of milliseconds from 10 to 60,000, got Infinity.'],
    [{ file: 'a', columns: [] }, 'sqlite(): option "columns" should be an object of column names, got an array.'],
    [{ file: 'a', columns: { key: '' } }, 'sqlite(): option "columns.key" should be the name of a column, got "".'],
    [{ file: 'a', columns: { key: 'Version' } }, 'sqlite(): options "columns.key" and "columns.version" should be different names, got "version" for both.'],
    [{ file: 'a', columns: { key: 'rowid' } }, 'sqlite(): option "columns.key" should not be a name that SQLite gives to its row ids, got "rowid".'],
    [{ file: 'a', durabilty: 'full' }, 'sqlite(): there is no option "durabilty"; did you mean "durability"?'],
    [{ file: 'a', File: 'b' }, 'sqlite(): there is no option "File"; did you mean "file"?'],
    [{ file: 'a', pool: 4 }, 'sqlite(): there is no option "pool"; there are file, durability, worker, table, columns, busyTimeoutMs, pollMs'],
    [{ file: 'a', columns: { created_at: 'x' } }, 'sqlite(): there is no option "columns.created_at"; did you mean "createdAt"?'],
  ])('are refused where they are not what they should be: %j', (options, message) => {
    expect(() => sqlite(options as SqliteOptions)).toThrow(expect.objectContaining({ name: 'OptionsError', code: 'OPTIONS', message }) as Error);
  });
});
