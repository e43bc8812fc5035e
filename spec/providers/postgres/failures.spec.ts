import { describe, expect, it } from 'vitest';

import { describeFailure } from '../../../lib/providers/postgres/failures.ts';
import { numberedSets, set, type OpenDictionary } from '../../support/open-dictionary.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

interface Opened {
  readonly schema: string;
  readonly dictionary: OpenDictionary;
}

async function opened(): Promise<Opened> {
  const schema = database.freshSchema();
  const dictionary = await database.open({ schema });
  await dictionary.write(set('before'));
  return { schema, dictionary };
}

/** Has the table answer each insert by an error with this SQLSTATE. */
async function raise(schema: string, state: string, when = 'true'): Promise<void> {
  await database.sql(`
    CREATE OR REPLACE FUNCTION ${schema}.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'as the test wants' USING ERRCODE = '${state}'; END $$;
    CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON ${schema}.prefs FOR EACH ROW WHEN (${when}) EXECUTE FUNCTION ${schema}.fail()`);
}

describe('a lock that another session holds', () => {
  it('on the head row is waited for', async () => {
    const { schema, dictionary } = await opened();
    const other = await database.program();
    await other.query(`BEGIN; SELECT FROM ${schema}.rx_persistify_dictionaries FOR UPDATE`);
    const written = dictionary.write(set('key'));
    await expect.poll(async () => (await database.sql("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).length).toBe(1);
    await other.query('ROLLBACK');
    expect((await written).version).toBe(2);
  });

  it('for too long is one to try again for, be the commit in one message or in steps', async () => {
    const { schema, dictionary } = await opened();
    const other = await database.program();
    await other.query(`BEGIN; SELECT FROM ${schema}.rx_persistify_dictionaries FOR UPDATE`);
    const inSteps = await database.open({ schema });
    const batches = [dictionary.batch(set('key')), inSteps.batch(...numberedSets(10_001))] as const;
    const failure = { kind: 'retry', outcomeUnknown: false, message: expect.stringContaining('(55P03); another connection holds the lock.') as string };
    await Promise.all([expect(dictionary.send(batches[0])).rejects.toMatchObject(failure), expect(inSteps.send(batches[1])).rejects.toMatchObject(failure)]);
    await other.query('ROLLBACK');
    expect((await dictionary.send(batches[0])).version).toBe(2);
    expect((await inSteps.send(batches[1])).version).toBe(3);
  });
});

describe('an error of the server', () => {
  it.each([
    ['40001', 'retry'],
    ['40P01', 'retry'],
    ['53200', 'retry'],
    ['55P03', 'retry'],
    ['57014', 'retry'],
    ['25006', 'retry'],
    ['08006', 'retry'],
    ['58030', 'retry'],
    ['53100', 'halt'],
    ['42501', 'halt'],
    ['0B000', 'halt'],
    ['XX000', 'halt'],
  ])('%s is met by: %s', async (state, kind) => {
    const { schema, dictionary } = await opened();
    await raise(schema, state);
    const batch = dictionary.batch(set('key'));
    await expect(dictionary.send(batch)).rejects.toMatchObject({ code: 'PROVIDER', kind, message: expect.stringContaining(`Saving "prefs" in PostgreSQL at 127.0.0.1:${database.server.port}/postgres failed: as the test wants (${state})`) as string });
    await database.sql(`DROP TRIGGER fail ON ${schema}.prefs`);
    expect((await dictionary.send(batch)).version).toBe(2);
  });

  it('for tables of this library that do not go together halts, be it in one message or in steps: it is none of what was to be stored', async () => {
    const { schema, dictionary } = await opened();
    await dictionary.write(set('before', '2'));
    await database.sql(`UPDATE ${schema}.rx_persistify_dictionaries SET head = 1`);
    const batch = dictionary.batch(set('key'));
    const many = dictionary.batch(...numberedSets(3_000));
    for (const each of [batch, many]) await expect(dictionary.send(each)).rejects.toMatchObject({ kind: 'halt', outcomeUnknown: false, message: expect.stringMatching(/23505.*restore all of them/) as string });
    await database.sql(`UPDATE ${schema}.rx_persistify_dictionaries SET head = 2`);
    expect((await dictionary.send(batch)).version).toBe(3);
  });

  it('of data that is damaged is told as such', async () => {
    const { schema, dictionary } = await opened();
    await raise(schema, 'XX001');
    await expect(dictionary.write(set('key'))).rejects.toMatchObject({ code: 'CORRUPT_DATA', message: expect.stringContaining('restore a backup') as string });
  });

  it('of a real deadlock is one to try again for', async () => {
    const { schema, dictionary } = await opened();
    await database.sql(`CREATE TABLE ${schema}.other (id integer); INSERT INTO ${schema}.other VALUES (1);
      CREATE FUNCTION ${schema}.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE ${schema}.other SET id = id; RETURN NEW; END $$;
      CREATE TRIGGER touch BEFORE INSERT ON ${schema}.prefs FOR EACH ROW EXECUTE FUNCTION ${schema}.touch()`);
    const other = await database.program();
    // Who looks for the deadlock first is the one that fails.
    await other.query(`SET deadlock_timeout = '1min'; BEGIN; UPDATE ${schema}.other SET id = id`);
    const batch = dictionary.batch(set('key'));
    const sent = dictionary.send(batch);
    await expect.poll(async () => (await database.sql("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).length).toBe(1);
    const [failure] = await Promise.all([
      sent.catch((error: unknown) => error),
      other.query(`SELECT FROM ${schema}.rx_persistify_dictionaries FOR UPDATE`),
    ]);
    expect(failure).toMatchObject({ kind: 'retry', outcomeUnknown: false, message: expect.stringContaining('40P01') as string });
    await other.query('ROLLBACK');
    expect((await dictionary.send(batch)).version).toBe(2);
  });
});

describe('a statement that takes too long', () => {
  it('is ended by the server, and is to be tried again', async () => {
    const schema = database.freshSchema();
    const dictionary = await database.open({ schema, statementTimeoutMs: 150 });
    await database.sql(`CREATE FUNCTION ${schema}.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(20); RETURN NEW; END $$;
      CREATE TRIGGER wait BEFORE INSERT ON ${schema}.prefs FOR EACH ROW EXECUTE FUNCTION ${schema}.wait()`);
    const batches = [dictionary.batch(set('key')), dictionary.batch(...numberedSets(10_001))];
    for (const batch of batches) await expect(dictionary.send(batch)).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: false, message: expect.stringContaining('57014') as string });
    await database.sql(`DROP TRIGGER wait ON ${schema}.prefs`);
    expect((await dictionary.write(set('key'))).version).toBe(1);
  });
});

describe('a transaction that takes longer than the server lets one take', () => {
  it('is ended with its connection, and is to be tried again', async () => {
    const { schema } = await opened();
    const dictionary = await database.open({ schema, connection: `${database.url}?options=${encodeURIComponent('-c transaction_timeout=500')}` });
    const other = await database.program();
    await other.query(`BEGIN; SELECT FROM ${schema}.rx_persistify_dictionaries FOR UPDATE`);
    const batch = dictionary.batch(set('key'));
    await expect(dictionary.send(batch)).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: false, message: expect.stringMatching(/25P04.*transaction_timeout/) as string });
    await other.query('ROLLBACK');
    expect((await dictionary.send(batch)).version).toBe(2);
  });
});

describe('what another program takes away', () => {
  it('halts the writes and the reads while the table is gone, and they go on when it is back', async () => {
    const { schema, dictionary } = await opened();
    await database.sql(`ALTER TABLE ${schema}.prefs RENAME TO away`);
    const batch = dictionary.batch(set('key'));
    const failure = { kind: 'halt', message: expect.stringContaining('(42P01); restore the table, or close the store and open it again.') as string };
    await expect(dictionary.send(batch)).rejects.toMatchObject(failure);
    await expect(dictionary.pages()).rejects.toMatchObject(failure);
    await expect(dictionary.session.read?.(['key'])).rejects.toMatchObject(failure);
    await database.sql(`ALTER TABLE ${schema}.away RENAME TO prefs`);
    expect((await dictionary.send(batch)).version).toBe(2);
  });

  it.each([
    ['dictionary', 'DELETE FROM $.rx_persistify_dictionaries', 'was removed, moved or migrated'],
    ['format', 'UPDATE $.rx_persistify_dictionaries SET format = 2', 'was removed, moved or migrated'],
    ['function', "DO $do$ BEGIN EXECUTE (SELECT 'DROP FUNCTION ' || oid::regprocedure FROM pg_proc WHERE proname LIKE 'rx_persistify_commit%' AND pronamespace = '$'::regnamespace); END $do$", 'close the store and open it again'],
  ])('halts the writes when it is the %s', async (_, sql, message) => {
    const { schema, dictionary } = await opened();
    await database.sql(sql.replaceAll('$.', `${schema}.`).replaceAll("'$'", `'${schema}'`));
    await expect(dictionary.write(set('key'))).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining(message) as string });
    expect(await database.sql(`SELECT key FROM ${schema}.prefs`)).toEqual([{ key: 'before' }]);
  });

  it('is no matter where it is a column that is not ours: plans are made anew', async () => {
    const { schema, dictionary } = await opened();
    await database.sql(`ALTER TABLE ${schema}.prefs ADD COLUMN note text`);
    expect((await dictionary.write(set('key'))).version).toBe(2);
    await database.sql(`ALTER TABLE ${schema}.prefs DROP COLUMN note, ALTER COLUMN key TYPE varchar(2000)`);
    expect((await dictionary.write(set('key'))).version).toBe(3);
    expect((await dictionary.entries()).length).toBe(2);
  });
});

describe('a connection that cannot be made', () => {
  it.each(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ECONNREFUSED'])('for %s is one to try again for', (code) => {
    const error = Object.assign(new Error(`connect ${code} 127.0.0.1:5432`), { code });
    expect(describeFailure(error, { doing: 'Saving "prefs"', place: 'PostgreSQL' })).toMatchObject({ code: 'PROVIDER', kind: 'retry' });
  });
});
