import { describe, expect, it, onTestFinished } from 'vitest';

import { set } from '../../support/open-dictionary.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

let count = 0;

/** A user of the database, who may at first do nothing but connect, and a connection string for him. */
async function makeUser(password = 'open sesame'): Promise<{ readonly user: string; readonly connection: string }> {
  const user = `user_${++count}`;
  await database.sql(`CREATE ROLE ${user} LOGIN PASSWORD '${password}'`);
  onTestFinished(async () => {
    await database.sql(`DROP OWNED BY ${user}; DROP ROLE ${user}`);
  });
  return { user, connection: urlOf(user, password) };
}

function urlOf(user: string, password: string): string {
  return `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${database.server.port}/postgres`;
}

/** Who may use what is there, and make nothing. */
async function grantUse(schema: string, user: string): Promise<void> {
  await database.sql(`GRANT USAGE ON SCHEMA ${schema} TO ${user}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${user}`);
}

describe('a user who may only select, insert, update and delete', () => {
  it('opens, reads, writes and watches what was made before', async () => {
    const schema = database.freshSchema();
    const owner = await database.open({ schema });
    await owner.write(set('before'));
    const { user, connection } = await makeUser();
    await grantUse(schema, user);
    const dictionary = await database.open({ schema, connection });
    expect(await dictionary.texts()).toEqual(new Map([['before', '1']]));
    expect(await dictionary.write(set('key'), { type: 'set', key: 'no', json: '1', expect: 7 })).toMatchObject({ version: 2, leftOut: [{ index: 1 }] });
    expect(await dictionary.write({ type: 'clear' }, set('after'))).toEqual({ version: 3, leftOut: [] });
    expect(await owner.texts()).toEqual(new Map([['after', '1']]));
  });

  it('is told what is missing where nothing was made', async () => {
    const schema = database.freshSchema();
    const { user, connection } = await makeUser();
    await expect(database.open({ schema, connection })).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('permission denied for database') as string });
    await database.open({ schema });
    await grantUse(schema, user);
    await expect(database.open({ schema, connection }, 'another')).rejects.toMatchObject({ kind: 'halt', message: expect.stringMatching(/permission denied for schema.*\(42501\).*open it once as a user who may CREATE in the schema/) as string });
  });

  it('is told so where the function of this version is missing', async () => {
    const schema = database.freshSchema();
    await (await database.open({ schema })).close();
    const { user, connection } = await makeUser();
    await grantUse(schema, user);
    const [row] = await database.sql(`SELECT oid::regprocedure::text AS name FROM pg_proc WHERE pronamespace = '${schema}'::regnamespace`);
    await database.sql(`DROP FUNCTION ${String(row?.['name'])}`);
    await expect(database.open({ schema, connection })).rejects.toMatchObject({ kind: 'halt', message: expect.stringMatching(/this version's function, is not there yet: open it once as a user who may CREATE in the schema/) as string });
    await database.open({ schema });
    expect((await (await database.open({ schema, connection })).write(set('key'))).version).toBe(1);
  });
});

describe('a dictionary that was made', () => {
  it('is opened again without a statement that makes or locks anything', async () => {
    const schema = database.freshSchema();
    await (await database.open({ schema })).close();
    const proxy = await database.proxy();
    const dictionary = await database.open({ schema, connection: database.server.url({ port: proxy.port }) });
    expect(proxy.statements.length).toBeGreaterThan(2);
    expect(proxy.statements.filter((text) => !/^(?:SELECT|with) /i.test(text.trim()))).toEqual([]);
    expect(proxy.statements.filter((text) => text.includes('advisory'))).toEqual([]);
    await dictionary.close();
  });
});

describe('a right that is revoked', () => {
  it('halts the writes, which go on when it is granted again', async () => {
    const schema = database.freshSchema();
    await (await database.open({ schema })).close();
    const { user, connection } = await makeUser();
    await grantUse(schema, user);
    const dictionary = await database.open({ schema, connection });
    await dictionary.write(set('before'));
    await database.sql(`REVOKE INSERT ON ${schema}.prefs FROM ${user}`);
    const batch = dictionary.batch(set('key'));
    await expect(dictionary.send(batch)).rejects.toMatchObject({ kind: 'halt', outcomeUnknown: false, message: expect.stringContaining('permission denied for table prefs (42501); grant the user the right.') as string });
    await database.sql(`GRANT INSERT ON ${schema}.prefs TO ${user}`);
    expect((await dictionary.send(batch)).version).toBe(2);
  });

  it('to log in halts what needs a new connection, until it is granted again', async () => {
    const schema = database.freshSchema();
    await (await database.open({ schema })).close();
    const { user, connection } = await makeUser();
    await grantUse(schema, user);
    const dictionary = await database.open({ schema, connection });
    const changes = [
      [`ALTER ROLE ${user} PASSWORD 'changed'`, '28P01', `ALTER ROLE ${user} PASSWORD 'open sesame'`],
      [`ALTER ROLE ${user} NOLOGIN`, '28000', `ALTER ROLE ${user} LOGIN`],
    ] as const;
    for (const [takeAway, state, giveBack] of changes) {
      await database.sql(takeAway);
      await database.sql(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '${user}'`);
      const batch = dictionary.batch(set('key'));
      // The first attempt may be the one that finds the connection gone.
      await expect.poll(() => dictionary.send(batch).catch((error: unknown) => error)).toMatchObject({ kind: 'halt', outcomeUnknown: false, message: expect.stringContaining(`(${state}); check user, password and pg_hba.conf.`) as string });
      await database.sql(giveBack);
      expect((await dictionary.send(batch)).leftOut).toEqual([]);
    }
  });

  it('to as many connections is one to try again for', async () => {
    const schema = database.freshSchema();
    await (await database.open({ schema })).close();
    const { user, connection } = await makeUser();
    await grantUse(schema, user);
    const dictionary = await database.open({ schema, connection });
    await database.sql(`ALTER ROLE ${user} CONNECTION LIMIT 0`);
    await database.sql(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '${user}'`);
    const batch = dictionary.batch(set('key'));
    await expect.poll(() => dictionary.send(batch).catch((error: unknown) => error)).toMatchObject({ kind: 'retry', outcomeUnknown: false, message: expect.stringContaining('53300') as string });
    await database.sql(`ALTER ROLE ${user} CONNECTION LIMIT -1`);
    expect((await dictionary.send(batch)).version).toBe(1);
  });
});
