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
      busyTimeoutMs: 1_000,
      pollMs: 250,
      columns: { key: 'key', value: 'value', createdAt: 'created_at', updatedAt: 'updated_at', version: 'version', expiresAt: 'expires_at' },
    });
  });

  it('touch nothing before a dictionary is opened', () => {
    expect(sqlite({ file: '/nowhere/at all/store.sqlite' }).name).toBe('sqlite');
  });

  it.each<[unknown, string]>([
    [undefined, 'sqlite(): the argument must be an object of options, not undefined.'],
    ['data.sqlite', 'sqlite(): the argument must be an object of options, not "data.sqlite". Did you mean { file: … }?'],
    [{}, 'sqlite(): file must be the path of a file, not undefined.'],
    [{ file: 5 }, 'sqlite(): file must be the path of a file, not 5.'],
    [{ file: '' }, 'sqlite(): file must be the path of a file, not ""; for a store in memory use the memory provider.'],
    [{ file: ':memory:' }, 'sqlite(): file must be the path of a file, not ":memory:"; for a store in memory use the memory provider.'],
    [{ file: 'file:///x' }, 'sqlite(): file must be the path of a file, not "file:///x"; make a path of a URL with fileURLToPath of node:url.'],
    [{ file: 'a\0' }, 'sqlite(): file must be the path of a file, not "a\\u0000"; it must not hold a NUL or end in white space.'],
    [{ file: 'a ' }, 'sqlite(): file must be the path of a file, not "a "; it must not hold a NUL or end in white space.'],
    [{ file: 'a', durability: 'high' }, 'sqlite(): durability must be \'full\' or \'normal\', not "high".'],
    [{ file: 'a', worker: 1 }, 'sqlite(): worker must be true or false, not 1.'],
    [{ file: 'a', table: 'kv' }, 'sqlite(): table must be a function from a dictionary\'s name to a table\'s, not "kv".'],
    [{ file: 'a', busyTimeoutMs: 60_001 }, 'sqlite(): busyTimeoutMs must be a whole number of milliseconds from 0 to 60000, not 60001.'],
    [{ file: 'a', busyTimeoutMs: 1.5 }, 'sqlite(): busyTimeoutMs must be a whole number of milliseconds from 0 to 60000, not 1.5.'],
    [{ file: 'a', pollMs: 5 }, 'sqlite(): pollMs must be a whole number of milliseconds from 10 to 60000, not 5.'],
    [{ file: 'a', pollMs: Infinity }, 'sqlite(): pollMs must be a whole number of milliseconds from 10 to 60000, not Infinity.'],
    [{ file: 'a', columns: [] }, 'sqlite(): columns must be an object of options, not an array.'],
    [{ file: 'a', columns: { key: '' } }, 'sqlite(): columns.key must be the name of a column, not "".'],
    [{ file: 'a', columns: { key: 'Version' } }, 'sqlite(): columns.key and columns.version must be different names, not "version" both.'],
    [{ file: 'a', columns: { key: 'rowid' } }, 'sqlite(): columns.key must not be a name that SQLite gives to its row ids, as "rowid" is.'],
    [{ file: 'a', durabilty: 'full' }, 'sqlite(): there is no option durabilty. Did you mean durability? Known are file, durability, worker, table, columns, busyTimeoutMs, pollMs.'],
    [{ file: 'a', File: 'b' }, 'sqlite(): there is no option File. Did you mean file? Known are file, durability, worker, table, columns, busyTimeoutMs, pollMs.'],
    [{ file: 'a', pool: 4 }, 'sqlite(): there is no option pool. Known are file, durability, worker, table, columns, busyTimeoutMs, pollMs.'],
    [{ file: 'a', columns: { created_at: 'x' } }, 'sqlite(): there is no option columns.created_at. Did you mean createdAt? Known are key, value, createdAt, updatedAt, version, expiresAt.'],
  ])('are refused where they are not what they should be: %j', (options, message) => {
    expect(() => sqlite(options as SqliteOptions)).toThrow(expect.objectContaining({ name: 'OptionsError', code: 'OPTIONS', message }) as Error);
  });
});
