import { OptionsError } from 'rx-persistify';
import { indexedDb, type IndexedDbOptions } from 'rx-persistify/indexed-db';
import { describe, expect, it } from 'vitest';

import { inspect, tab } from './scene.ts';

describe('options', () => {
  it.each([
    [{ databse: 'app' }, /^indexedDb\(\): there is no option databse\. Did you mean database\? Known are database, durability, pollMs\.$/],
    [{ database: '' }, /^indexedDb\(\): database must be the name of a database, not ""\.$/],
    [{ database: 7 }, /^indexedDb\(\): database must be the name of a database, not 7\.$/],
    [{ durability: 'full' }, /^indexedDb\(\): durability must be 'strict' or 'relaxed', not "full"\.$/],
    [{ pollMs: 5 }, /^indexedDb\(\): pollMs must be a whole number of milliseconds from 10 to 60000, not 5\.$/],
    ['app', /^indexedDb\(\): the argument must be an object of options, not "app"\.$/],
  ])('%j are refused with what was expected', (options, message) => {
    expect(() => indexedDb(options as unknown as IndexedDbOptions)).toThrow(OptionsError);
    expect(() => indexedDb(options as unknown as IndexedDbOptions)).toThrow(message);
  });

  it('are none by default: one database for all dictionaries, which are made without a new version of it', async () => {
    expect(indexedDb().name).toBe('indexed-db');
    const open = tab('rx-persistify');
    for (const name of ['one', 'other', 'third']) await open(name);
    const database = await inspect('rx-persistify');
    expect([database.version, ...(await database.getAllKeys('dictionaries'))]).toEqual([10, 'one', 'other', 'third']);
  });
});
