import { persistify } from 'rx-persistify';
import { postgres } from 'rx-persistify/postgres';
import { describe, expect, it, onTestFinished } from 'vitest';

import { set, type OpenDictionary } from '../../support/open-dictionary.ts';
import { Told } from '../../support/told.ts';
import { commitElsewhere } from './elsewhere.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

const tables = ['rx_persistify_dictionaries', 'rx_persistify_log', 'rx_persistify_writers', 'prefs'];

/** Keeps what the tables hold, as a dump does. Returns the SQL that brings it back. */
async function dump(schema: string): Promise<string> {
  for (const table of tables) await database.sql(`CREATE TABLE ${schema}.copy_${table} AS SELECT * FROM ${schema}.${table}`);
  const restored = tables.map((table) => {
    const overriding = table === 'rx_persistify_dictionaries' ? 'OVERRIDING SYSTEM VALUE ' : '';
    return `DELETE FROM ${schema}.${table}; INSERT INTO ${schema}.${table} ${overriding}SELECT * FROM ${schema}.copy_${table};`;
  });
  return `BEGIN; ${restored.join(' ')} COMMIT`;
}

interface Following {
  readonly schema: string;
  readonly dictionary: OpenDictionary;
  readonly told: Told;
}

async function following(): Promise<Following> {
  const schema = database.freshSchema();
  const dictionary = await database.open({ schema, pollMs: 20 });
  for (const version of [1, 2, 3]) await dictionary.write(set(`key ${version}`));
  const told = new Told(dictionary);
  await told.reaches(3);
  return { schema, dictionary, told };
}

describe('a cursor', () => {
  it.each([
    ['of the head', { version: 3 }, []],
    ['of an older commit', { version: 1 }, [2, 3]],
    ['of the empty beginning', { version: 0 }, [1, 2, 3]],
  ])('%s is gone on behind', async (_, since, versions) => {
    const { dictionary, schema } = await following();
    const told = new Told(dictionary, since);
    const version = await commitElsewhere(database, schema);
    await told.reaches(version);
    expect(told.versions).toEqual([...versions, version]);
  });

  it.each([
    ['of a version still to come', { version: 4 }],
    ['below the beginning', { version: -1 }],
    ['of no version', { version: Number.NaN }],
    ['of another writer', { version: 2, writer: 'nobody' }],
    ['of another batch', { version: 2, number: 3 }],
  ])('%s is answered by a reset', async (_, since) => {
    const { dictionary } = await following();
    const told = new Told(dictionary, since);
    await told.resets();
    expect([told.isComplete, told.commits]).toEqual([true, []]);
  });

  it('of what was loaded says who committed it, if the log does, so that another commit of this version is answered by a reset', async () => {
    const { schema, dictionary, told } = await following();
    const [page] = await dictionary.pages();
    expect(page).toMatchObject(told.cursor ?? {});
    await database.sql(`UPDATE ${schema}.rx_persistify_log SET writer = 'another' WHERE version = 3`);
    const behind = new Told(dictionary, page);
    await behind.resets();
    await database.sql(`DELETE FROM ${schema}.rx_persistify_log`);
    expect((await dictionary.pages())[0]).toEqual({ version: 3, entries: await dictionary.entries() });
  });

  it('that was pruned is answered by a reset; one that was not, and the head, are gone on behind', async () => {
    const { dictionary, schema } = await following();
    await database.sql(`DELETE FROM ${schema}.rx_persistify_log WHERE version < 2`);
    const cursorOf = (version: number) => ({ version, writer: dictionary.writer, number: version });
    const [pruned, beginning, kept, head] = [new Told(dictionary, cursorOf(1)), new Told(dictionary), new Told(dictionary, cursorOf(2)), new Told(dictionary, cursorOf(3))];
    await pruned.resets();
    await beginning.resets();
    await commitElsewhere(database, schema);
    await head.reaches(4);
    await kept.reaches(4);
    expect([kept.versions, head.versions]).toEqual([[3, 4], [4]]);
  });

  it('of the head is gone on behind in a log that is empty, as of an empty dictionary or a table that was taken over', async () => {
    const schema = database.freshSchema();
    await database.sql(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.prefs (key text PRIMARY KEY, value json, created_at bigint, updated_at bigint, version bigint, expires_at bigint);
      INSERT INTO ${schema}.prefs VALUES ('old', '1', 0, 0, 41, NULL)`);
    const dictionary = await database.open({ schema, pollMs: 20 });
    const head = (await dictionary.pages())[0]?.version ?? 0;
    expect(head).toBe(41);
    const [told, fromNothing] = [new Told(dictionary, { version: head }), new Told(dictionary)];
    await fromNothing.resets();
    await commitElsewhere(database, schema);
    await commitElsewhere(database, schema);
    await told.reaches(43);
    expect(told.versions).toEqual([42, 43]);
  });
});

describe('a feed whose past is gone tells to load again', () => {
  it.each([
    ['it goes back, as by a restore', 'DELETE FROM $.rx_persistify_log WHERE version > 1; UPDATE $.rx_persistify_dictionaries SET head = 1'],
    ['it went back and came as far again', "UPDATE $.rx_persistify_log SET writer = 'another' WHERE version = 3; UPDATE $.prefs SET value = '5'"],
    ['it has a gap', "UPDATE $.rx_persistify_dictionaries SET head = 9; INSERT INTO $.rx_persistify_log SELECT id, 9, 'w', 1, 1, '{}' FROM $.rx_persistify_dictionaries"],
    ['all of the log was removed', 'DELETE FROM $.rx_persistify_log'],
    ['the dictionary was removed', 'DELETE FROM $.rx_persistify_dictionaries'],
    ['the dictionary was moved to another table', "CREATE TABLE $.moved (LIKE $.prefs); UPDATE $.rx_persistify_dictionaries SET table_name = 'moved'"],
    ['a later version took it to another format', 'UPDATE $.rx_persistify_dictionaries SET format = 2'],
  ])('when %s', async (_, sql) => {
    const { schema, told } = await following();
    await database.sql(sql.replaceAll('$', schema));
    await told.resets();
    expect(told.isComplete).toBe(true);
  });

  it('when the dictionary was dropped, made anew, and has come as far again', async () => {
    const { schema, dictionary, told } = await following();
    // As the message of a missing table advises: the log of the old one stays.
    await database.sql(`DROP TABLE ${schema}.prefs; DELETE FROM ${schema}.rx_persistify_dictionaries`);
    await expect(told.until(() => false)).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('42P01') as string });
    await expect(dictionary.pages()).rejects.toMatchObject({ code: 'PROVIDER', kind: 'halt' });
    const another = await database.open({ schema });
    expect(await another.entries()).toEqual([]);
    for (const version of [1, 2, 3]) expect((await another.write(set('new', String(version)))).version).toBe(version);
    const old = new Told(dictionary, told.cursor);
    await old.resets();
    const anew = new Told(another);
    await anew.reaches(3);
  });

  it('or fails, when the table is dropped under it, and leaves the feeds of others alone', async () => {
    const schema = database.freshSchema();
    const openAt = database.opener({ schema, pollMs: 20 });
    const [dictionary, writer, other] = [await openAt(), await openAt(), await openAt('other')];
    const [told, toldOther] = [new Told(dictionary), new Told(other)];
    await writer.write(set('a'));
    await told.reaches(1);
    await commitElsewhere(database, schema);
    await database.sql(`DROP TABLE ${schema}.prefs; INSERT INTO ${schema}.rx_persistify_log SELECT id, 3, 'w', 1, 1, '{a}' FROM ${schema}.rx_persistify_dictionaries WHERE name = 'prefs'`);
    await database.sql(`UPDATE ${schema}.rx_persistify_dictionaries SET head = 3 WHERE name = 'prefs'`);
    await expect(told.until(() => false)).rejects.toMatchObject({ code: 'PROVIDER', kind: 'halt', message: expect.stringContaining('42P01') as string });
    await (await database.open({ schema }, 'other')).write(set('b'));
    await toldOther.reaches(1);
    expect(toldOther.errors).toEqual([]);
  });
});

describe('a restore to an earlier state', () => {
  it('is told once by who had acknowledged what is lost, by its feed or by its next write, whichever comes first', async () => {
    for (const watches of [true, false]) {
      const schema = database.freshSchema();
      const [mine, theirs] = [await database.open({ schema, pollMs: 20 }), await database.open({ schema, pollMs: 20 })];
      await theirs.write(set('theirs'));
      await mine.write(set('kept'));
      const restore = await dump(schema);
      await mine.write(set('lost'));
      const subscriptions = watches ? [new Told(mine, { version: 3 }), new Told(mine, { version: 1 }), new Told(theirs, { version: 1 })] : [];
      for (const told of subscriptions) await told.reaches(told === subscriptions[0] ? 0 : 3);
      await database.sql(restore);
      for (const told of subscriptions) await told.resets();
      expect(mine.reported.map(({ code }) => code)).toEqual(watches ? ['DATA_LOST'] : []);
      expect(await mine.write(set('new'))).toEqual({ version: 3, leftOut: [] });
      expect(mine.reported).toMatchObject([{ code: 'DATA_LOST', version: 3, message: expect.stringContaining('has lost commits that it had acknowledged') as string }]);
      await theirs.write(set('theirs', '2'));
      await mine.entries(); // as whoever hears of a reset does: what it had before the loss is no more
      const [again, theirFeed] = [new Told(mine), new Told(theirs)];
      await again.reaches(4);
      await theirFeed.reaches(4);
      await mine.write(set('newer'));
      expect([mine.reported.length, theirs.reported.length]).toEqual([1, 0]);
      expect(await mine.texts()).toEqual(new Map([['theirs', '2'], ['kept', '1'], ['new', '1'], ['newer', '1']]));
    }
  });

  it('that lost nothing of a session is not told by it', async () => {
    const schema = database.freshSchema();
    const dictionary = await database.open({ schema, pollMs: 20 });
    await dictionary.write(set('kept'));
    const told = new Told(dictionary);
    await told.reaches(1);
    await database.sql(await dump(schema));
    await commitElsewhere(database, schema);
    await told.reaches(2);
    await dictionary.write(set('on'));
    expect([dictionary.reported, told.isReset]).toEqual([[], false]);
  });

  it('after which others have come as far again is noticed by a store that had heard of no commit since it was opened', async () => {
    const schema = database.freshSchema();
    const proxy = await database.proxy();
    const [writer, another] = [await database.open({ schema }), await database.open({ schema })];
    await writer.write(set('kept'));
    const restore = await dump(schema);
    await writer.write(set('lost'));
    const provider = postgres({ connection: database.url, listen: database.server.url({ port: proxy.port }), schema, pollMs: 20 });
    const store = await persistify(provider).withRetry({ delayMs: 20, maxDelayMs: 20 }).open('prefs');
    onTestFinished(() => store.close());
    await expect.poll(() => proxy.statements.filter((text) => text.includes('rx_persistify_log')).length).toBe(1);
    proxy.redirect(1); // nobody listens there
    proxy.cutAll();
    await database.sql(restore);
    await another.write(set('new'));
    await another.write(set('newer'));
    proxy.redirect(database.server.port);
    await expect.poll(() => [...store.keys()].sort()).toEqual(['kept', 'new', 'newer']);
  });

  it('to a state before the writer is told, too', async () => {
    const { schema, dictionary, told } = await following();
    await database.sql(`BEGIN; DELETE FROM ${schema}.rx_persistify_log; DELETE FROM ${schema}.rx_persistify_writers; DELETE FROM ${schema}.prefs; UPDATE ${schema}.rx_persistify_dictionaries SET head = 0; COMMIT`);
    await told.resets();
    expect(dictionary.reported).toMatchObject([{ code: 'DATA_LOST', version: 3 }]);
  });
});
