import { describe, expect, it } from 'vitest';

import { set, type OpenDictionary } from '../../support/open-dictionary.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

/** A table of the user's own, with checks. */
async function opened(more = ''): Promise<{ readonly dictionary: OpenDictionary; readonly schema: string }> {
  const schema = database.freshSchema();
  await database.sql(
    `CREATE SCHEMA ${schema}; SET search_path = ${schema}; CREATE TABLE prefs (
      key varchar(20) PRIMARY KEY CHECK (key NOT LIKE 'bad%'), value json CHECK (length(value::text) < 10), created_at bigint, updated_at bigint, version bigint, expires_at bigint
    ); ${more}; RESET search_path`,
  );
  return { schema, dictionary: await database.open({ schema }) };
}

const trigger = (event: string, condition: string, body: string): string => `
  CREATE FUNCTION answer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body}; END $$;
  CREATE TRIGGER answer ${event} ON prefs FOR EACH ROW WHEN (${condition}) EXECUTE FUNCTION answer()`;

const reasons = (leftOut: readonly { readonly index: number; readonly reason: string }[]): readonly string[] => leftOut.map(({ index, reason }) => `${index} ${reason}`);

describe('what a table refuses', () => {
  it('is left out with its transaction, and the rest is stored', async () => {
    const { dictionary } = await opened();
    const result = await dictionary.write(
      ...Array.from({ length: 120 }, (_, index) => set(`key ${index}`)),
      set('bad 120'),
      { type: 'set', key: 'sibling', json: '1', transaction: 7 },
      { type: 'set', key: 'long', json: '"0123456789"', transaction: 7 },
      { type: 'set', key: 'other', json: '1', transaction: 8 },
      set('a key of too many letters'),
      { type: 'delete', key: 'absent' },
    );
    expect(result).toEqual({
      version: 1,
      leftOut: [
        { index: 120, reason: 'refused', message: expect.stringContaining('violates check constraint') as string },
        { index: 121, reason: 'refused', message: 'Another mutation of its transaction is left out (refused).' },
        { index: 122, reason: 'refused', message: expect.stringContaining('violates check constraint') as string },
        { index: 124, reason: 'refused', message: expect.stringContaining('too long') as string },
      ],
    });
    expect((await dictionary.texts()).size).toBe(121);
    expect(await dictionary.write(set('on'))).toEqual({ version: 2, leftOut: [] });
  });

  it.each([
    ['by a trigger of its own', trigger('BEFORE INSERT', "NEW.key = 'refused'", "RAISE EXCEPTION 'not this one'")],
    ['by a trigger at the end of the transaction', trigger('AFTER INSERT', "NEW.key = 'refused'", "RAISE EXCEPTION 'not this one' USING ERRCODE = '23514'").replace('CREATE TRIGGER', 'CREATE CONSTRAINT TRIGGER').replace('FOR EACH', 'DEFERRABLE INITIALLY DEFERRED FOR EACH')],
  ])('%s is left out, too', async (_, sql) => {
    const { dictionary } = await opened(sql);
    const batch = dictionary.batch(set('a'), set('refused'), set('b'));
    const answer = await dictionary.send(batch);
    expect(answer).toEqual({ version: 1, leftOut: [{ index: 1, reason: 'refused', message: 'not this one' }] });
    expect([...(await dictionary.texts()).keys()].sort()).toEqual(['a', 'b']);
    expect(await dictionary.send(batch)).toEqual(answer);
  });

  it('is answered the same when the batch comes again, though the table would take it now', async () => {
    const { schema, dictionary } = await opened();
    const batch = dictionary.batch({ type: 'set', key: 'bad', json: '1', transaction: 1 }, { type: 'set', key: 'sibling', json: '1', transaction: 1 }, set('allowed'));
    const answer = await dictionary.send(batch);
    expect(reasons(answer.leftOut)).toEqual(['0 refused', '1 refused']);
    await database.sql(`ALTER TABLE ${schema}.prefs DROP CONSTRAINT prefs_key_check`);
    expect(await dictionary.send(batch)).toEqual(answer);
    expect(await dictionary.texts()).toEqual(new Map([['allowed', '1']]));
  });

  it('may be a delete, a clear and an expiry: by a row of another table that refers to it', async () => {
    const { schema, dictionary } = await opened('CREATE TABLE other (of varchar(20) REFERENCES prefs)');
    await dictionary.write(set('kept'), set('gone'), { type: 'set', key: 'ended', json: '1', expiresAt: 1 }, { type: 'set', key: 'kept, ended', json: '1', expiresAt: 1 });
    await database.sql(`INSERT INTO ${schema}.other VALUES ('kept'), ('kept, ended')`);
    const deletes = ['kept', 'gone'].map((key) => ({ type: 'delete', key }) as const);
    const expiries = ['ended', 'kept, ended'].map((key) => ({ type: 'expire', key, version: 1 }) as const);
    const { version, leftOut } = await dictionary.write(...deletes, ...expiries);
    expect([version, ...reasons(leftOut)]).toEqual([2, '0 refused', '3 refused']);
    expect(leftOut[0]?.message).toContain('violates foreign key constraint');
    expect(reasons((await dictionary.write({ type: 'clear' }, set('new'))).leftOut)).toEqual(['0 refused']);
    expect([...(await dictionary.texts()).keys()].sort()).toEqual(['kept', 'kept, ended', 'new']);
  });

  it('may be a moved deadline', async () => {
    const { dictionary } = await opened(trigger('BEFORE UPDATE', "NEW.expires_at > 100 AND NEW.key = 'kept'", "RAISE EXCEPTION 'no later'"));
    await dictionary.write(...['kept', 'moved'].map((key) => ({ type: 'set', key, json: '1', expiresAt: 50 }) as const));
    const { leftOut } = await dictionary.write(...['kept', 'moved'].map((key) => ({ type: 'touch', key, expiresAt: 500 }) as const));
    expect(reasons(leftOut)).toEqual(['0 refused']);
    expect(new Map((await dictionary.entries()).map(({ key, expiresAt }) => [key, expiresAt]))).toEqual(new Map([['kept', 50], ['moved', 500]]));
  });

  it('may be what does not go with something else of the batch: then the one that comes later is left out', async () => {
    const { dictionary } = await opened("CREATE UNIQUE INDEX ON prefs ((value ->> 'id')); DELETE FROM prefs");
    const answer = await dictionary.write(set('a', '{"id":1}'), set('b', '{"id":2}'), set('c', '{"id":1}'), set('d', '{"id":3}'));
    expect(reasons(answer.leftOut)).toEqual(['2 refused']);
    expect([...(await dictionary.texts()).keys()].sort()).toEqual(['a', 'b', 'd']);
  });
});
