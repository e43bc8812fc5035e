import { postgres, type PostgresOptions } from 'rx-persistify/postgres';
import { describe, expect, it } from 'vitest';

import { checkOptions } from '../../../lib/providers/postgres/options.ts';

const connectionMembers = 'an object of host, port, user, password, database, ssl, application_name, options';
const aConnection = `a connection string such as postgres://user@host:5432/database, or ${connectionMembers}`;
const hidden = 'What was given is not shown, as it may hold a password.';
const inUrl = `${hidden} In a URL, a password's special characters are written by encodeURIComponent.`;

describe('the options', () => {
  it('have defaults', () => {
    expect(checkOptions({})).toEqual({
      connection: undefined,
      pool: undefined,
      poolSize: 4,
      schema: 'public',
      table: undefined,
      columns: { key: 'key', value: 'value', createdAt: 'created_at', updatedAt: 'updated_at', version: 'version', expiresAt: 'expires_at' },
      valueType: 'json',
      durability: 'full',
      pooler: false,
      listen: true,
      pollMs: 500,
      statementTimeoutMs: 30_000,
      connectTimeoutMs: 5_000,
    });
    expect(checkOptions({ pooler: true }).listen).toBe(false);
    expect(checkOptions({ pooler: true, listen: 'postgres://direct/app' }).listen).toBe('postgres://direct/app');
  });

  it('touch nothing before a dictionary is opened', () => {
    expect(postgres({ connection: 'postgres://nowhere.invalid/at' }).name).toBe('postgres');
  });

  it.each<[unknown, string]>([
    ['postgres://u:secret@h/db', 'postgres(): the argument must be an object of options, not a string. A connection string is given as { connection: … }.'],
    [null, 'postgres(): the argument must be an object of options, not null.'],
    [{ connection: 5 }, `postgres(): connection must be ${aConnection}. ${hidden}`],
    [{ connection: null }, `postgres(): connection must be ${aConnection}. ${hidden}`],
    [{ connection: [] }, `postgres(): connection must be ${aConnection}. ${hidden}`],
    [{ connection: '' }, `postgres(): connection must be ${aConnection}. ${inUrl}`],
    [{ connection: 'host=h password=secret' }, `postgres(): connection must be ${aConnection}. ${inUrl}`],
    [{ connection: 'mysql://u:secret@h/db' }, `postgres(): connection must be ${aConnection}. ${inUrl}`],
    [{ connection: 'postgres://u:sec/ret@h/db' }, `postgres(): connection must be ${aConnection}. ${inUrl}`],
    [{ connection: 'postgres://u:12/secret@h/db' }, `postgres(): connection must be ${aConnection}. ${inUrl}`],
    [{ connection: 'postgres://u:12?secret@h/db' }, `postgres(): connection must be ${aConnection}. ${inUrl}`],
    [{ connection: 'postgres://u:12#secret@h/db' }, `postgres(): connection must be ${aConnection}. ${inUrl}`],
    [{ connection: { hots: 'h' } }, `postgres(): connection must be ${aConnection}; there is no "hots". Did you mean host?`],
    [{ connection: { connectionString: 'postgres://u:secret@h/db' } }, `postgres(): connection must be ${aConnection}; there is no "connectionString".`],
    [{ connection: { port: '5432' } }, `postgres(): connection.port must be a whole number from 1 to 65535. ${hidden}`],
    [{ connection: { host: 5 } }, `postgres(): connection.host must be text. ${hidden}`],
    [{ connection: { password: 5 } }, `postgres(): connection.password must be text, or a function that gives it. ${hidden}`],
    [{ connection: { ssl: 'require' } }, `postgres(): connection.ssl must be true, false, or an object of the options of tls.connect. ${hidden}`],
    [{ listen: 5 }, `postgres(): listen must be true, false, ${aConnection}. ${hidden}`],
    [{ listen: { user: 5 } }, `postgres(): listen.user must be text. ${hidden}`],
    [{ pooler: true, listen: true }, 'postgres(): listen: true cannot work through a pooler: give listen a connection that leads past it, or leave it out to look each pollMs.'],
    [{ pool: 'postgres://u:secret@h/db' }, 'postgres(): pool must be a pg.Pool, not a string.'],
    [{ pool: {} }, 'postgres(): pool must be a pg.Pool, not an object.'],
    [{ pool: { connect: () => undefined }, connection: 'postgres://h' }, 'postgres(): either connection or pool can be given, not both: a pool has its connections already.'],
    [{ poolSize: 0 }, 'postgres(): poolSize must be a whole number from 1 to 1000, not 0.'],
    [{ schema: '' }, 'postgres(): schema must be a name of 1 to 63 bytes, not "".'],
    [{ schema: 'é'.repeat(32) }, `postgres(): schema must be a name of 1 to 63 bytes, not "${'é'.repeat(32)}".`],
    [{ schema: 'a\0' }, 'postgres(): schema must be a name of 1 to 63 bytes, not "a\\u0000".'],
    [{ table: 'kv' }, 'postgres(): table must be a function from a dictionary\'s name to a table\'s, not "kv".'],
    [{ columns: [] }, 'postgres(): columns must be an object of options, not an array.'],
    [{ columns: { key: 'x'.repeat(64) } }, `postgres(): columns.key must be a name of 1 to 63 bytes, not "${'x'.repeat(60)}".`],
    [{ columns: { key: 'version' } }, 'postgres(): columns.key and columns.version must be different names, not "version" both.'],
    [{ columns: { created_at: 'x' } }, 'postgres(): there is no option columns.created_at. Did you mean createdAt? Known are key, value, createdAt, updatedAt, version, expiresAt.'],
    [{ valueType: 'text' }, 'postgres(): valueType must be \'json\' or \'jsonb\', not "text".'],
    [{ durability: 'high' }, 'postgres(): durability must be \'full\' or \'normal\', not "high".'],
    [{ pooler: 1 }, 'postgres(): pooler must be true or false, not 1.'],
    [{ pollMs: 5 }, 'postgres(): pollMs must be a whole number of milliseconds from 10 to 60000, not 5.'],
    [{ pollMs: Infinity }, 'postgres(): pollMs must be a whole number of milliseconds from 10 to 60000, not Infinity.'],
    [{ statementTimeoutMs: 99.5 }, 'postgres(): statementTimeoutMs must be a whole number of milliseconds from 100 to 3600000, not 99.5.'],
    [{ connectTimeoutMs: 5 }, 'postgres(): connectTimeoutMs must be a whole number of milliseconds from 100 to 600000, not 5.'],
  ])('are refused where they are not what they should be: %j', (options, message) => {
    expect(() => postgres(options as PostgresOptions)).toThrow(expect.objectContaining({ name: 'OptionsError', code: 'OPTIONS', message }) as Error);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ durabilty: 'full' }, 'there is no option durabilty. Did you mean durability?'],
    [{ connectionString: 'postgres://u:secret@h/db' }, 'there is no option connectionString.'],
    [{ Schema: 'x' }, 'there is no option Schema. Did you mean schema?'],
  ])('that are not known are refused with a guess: %j', (options, message) => {
    expect(() => postgres(options)).toThrow(expect.objectContaining({ code: 'OPTIONS', message: expect.stringContaining(message) as string }) as Error);
  });
});
