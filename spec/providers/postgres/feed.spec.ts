import { describe, expect, it } from 'vitest';

import { numberedSets, set, type OpenDictionary } from '../../support/open-dictionary.ts';
import { Told } from '../../support/told.ts';
import { commitElsewhere } from './elsewhere.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

/** By LISTEN, where a look of its own would come too late for the test; and by looking alone. */
const modes = [
  { mode: 'by LISTEN', options: { pollMs: 60_000 } },
  { mode: 'by looking', options: { listen: false, pollMs: 20 } },
] as const;

describe.each(modes)('the feed $mode', ({ options }) => {
  it('tells each commit in order, as storage holds its keys now', async () => {
    const openAt = database.opener({ schema: database.freshSchema(), ...options });
    const [watcher, writer] = [await openAt(), await openAt()];
    await writer.write(set('a', '1'), set('b', '1'));
    await writer.write(set('a', '2'), { type: 'delete', key: 'b' });
    const told = new Told(watcher);
    await writer.write({ type: 'clear' }, set('c', '3'));
    await told.reaches(3);
    await writer.write(set('c', '4'));
    await told.reaches(4);
    expect(told.lines.slice(2)).toEqual(['3 clear c=3', '4 c=4']);
    expect(told.versions).toEqual([1, 2, 3, 4]);
    expect(told.commits[3]?.entries).toEqual([{ key: 'c', json: '4', version: 4 }]);
    expect(told.cursor).toEqual({ version: 4, writer: writer.writer, number: 4 });
  });

  it('tells with a clear what it set and later commits have changed, as for any commit, so that no key seems to go in between', async () => {
    const openAt = database.opener({ schema: database.freshSchema(), ...options });
    const [watcher, writer] = [await openAt(), await openAt()];
    await writer.write(set('changed'), set('gone'), set('removed'));
    await writer.write({ type: 'clear' }, set('changed', '2'), set('gone', '2'));
    await writer.write(set('changed', '3'), { type: 'delete', key: 'gone' }, set('new', '3'));
    const told = new Told(watcher, { version: 1 });
    await told.reaches(3);
    expect(told.lines).toEqual(['2 clear changed=3 new=3', '3 changed=3 new=3 -gone']);
  });

  it('is of its own dictionary, and one for each subscriber', async () => {
    const openAt = database.opener({ schema: database.freshSchema(), ...options });
    const [watcher, writer, other] = [await openAt(), await openAt(), await openAt('other')];
    const told = [new Told(watcher), new Told(watcher), new Told(writer)] as const;
    const toldOther = new Told(other);
    await writer.write(set('a'));
    await other.write(set('b'));
    await writer.write(set('c'));
    for (const one of told) await one.reaches(2);
    await toldOther.reaches(1);
    expect(told[0].lines).toEqual(['1 a=1', '2 c=1']);
    expect(told[1].lines).toEqual(told[0].lines);
    expect(told[2].lines, 'of its own commits only the cursors').toEqual(['1', '2']);
  });

  it('tells deadlines, an expiry as a delete, and nothing of touches', async () => {
    const openAt = database.opener({ schema: database.freshSchema(), ...options });
    const [watcher, writer] = [await openAt(), await openAt()];
    const told = new Told(watcher);
    const expiresAt = Date.now() + 100_000;
    await writer.write({ type: 'set', key: 'later', json: '1', expiresAt }, { type: 'set', key: 'ended', json: '1', expiresAt: 5 });
    await told.reaches(1);
    await writer.write({ type: 'touch', key: 'later', expiresAt: expiresAt + 5 });
    await writer.write({ type: 'expire', key: 'ended', version: 1 }, { type: 'expire', key: 'later', version: 1 });
    await told.reaches(2);
    expect(told.commits[0]?.entries).toEqual([{ key: 'later', json: '1', version: 1, expiresAt }, { key: 'ended', json: '1', version: 1, expiresAt: 5 }]);
    expect(told.lines).toEqual(['1 later=1 ended=1', '2 -ended']);
  });
});

describe('a commit of 50,000 keys', () => {
  it.each(['set', 'cleared and set'])('that are %s is told whole, and lets other things happen meanwhile', async (how) => {
    const openAt = database.opener({ schema: database.freshSchema() });
    const [watcher, writer] = [await openAt(), await openAt()];
    await writer.send({ ...writer.batch(), mutations: [...(how === 'set' ? [] : [{ type: 'clear' } as const]), ...numberedSets(50_000)] });
    let turns = 0;
    const turn = (): void => void (turns++, (immediate = setImmediate(turn)));
    let immediate = setImmediate(turn);
    const told = new Told(watcher);
    await told.reaches(1);
    clearImmediate(immediate);
    expect(told.commits[0]?.entries).toHaveLength(50_000);
    expect(turns, 'turns of the event loop').toBeGreaterThan(5);
  });

  it('is gone on behind, by who was told it, by who wrote it, and by who comes later', async () => {
    const schema = database.freshSchema();
    const openAt = database.opener({ schema });
    const [watcher, writer] = [await openAt(), await openAt()];
    const told = [new Told(watcher), new Told(writer)];
    await writer.send({ ...writer.batch(), mutations: numberedSets(12_000) });
    for (const one of told) await one.reaches(1);
    await watcher.write(set('a'));
    await writer.write(set('b'));
    for (const one of [...told, new Told(watcher, { version: 1 }), new Told(writer, { version: 1 })]) {
      await one.reaches(3);
      expect(one.isReset).toBe(false);
    }
  });

  it('is left off when its subscriber leaves, and when the session closes', async () => {
    const openAt = database.opener({ schema: database.freshSchema() });
    const [watcher, writer] = [await openAt(), await openAt()];
    await writer.send({ ...writer.batch(), mutations: numberedSets(50_000) });
    const [left, closed] = [new Told(watcher), new Told(watcher)];
    await new Promise((resolve) => setImmediate(resolve));
    left.leave();
    await watcher.close();
    expect([left.commits, closed.commits]).toEqual([[], []]);
    expect(closed.isComplete).toBe(true);
    expect((await writer.write(set('a'))).version).toBe(2);
  });
});

describe('keys', () => {
  it('of any kind are found in the log', async () => {
    const openAt = database.opener({ schema: database.freshSchema() });
    const [watcher, writer] = [await openAt(), await openAt()];
    const keys = ['"', '\\', '\\"', ',', '","', '{}', '{NULL}', 'NULL', 'null', ' ', '\n\t', '{"a":"b"}', '\\\\', 'ключ', '🔑', '\u2028', 'k'.repeat(1_000), "'; --", '$1', '%s'];
    await writer.write(...keys.map((key) => set(key)));
    await writer.write(...keys.map((key) => ({ type: 'delete', key }) as const));
    const told = new Told(watcher);
    await told.reaches(2);
    expect(told.commits.map(({ deleted }) => deleted)).toEqual([keys, keys]);
  });
});

describe('a subscription', () => {
  it('goes on behind a cursor after everything was closed', async () => {
    const schema = database.freshSchema();
    const [watcher, writer] = [await database.open({ schema }), await database.open({ schema })];
    const first = new Told(watcher);
    await writer.write(set('a'));
    await first.reaches(1);
    for (const dictionary of [watcher, writer]) await dictionary.close();
    expect(first.isComplete).toBe(true);
    const [again, another] = [await database.open({ schema }), await database.open({ schema })];
    await another.write(set('b'));
    const second = new Told(again, first.cursor);
    await another.write(set('c'));
    await second.reaches(3);
    expect(second.lines).toEqual(['2 b=1', '3 c=1']);
  });

  it('may begin, end and close the session while it is being told', async () => {
    const openAt = database.opener({ schema: database.freshSchema() });
    const [watcher, writer] = [await openAt(), await openAt()];
    for (let index = 0; index < 20; index++) await writer.write(set('key', String(index)));
    const heard: string[] = [];
    let closing: Promise<void> | undefined;
    const leaving = watcher.session.watch?.({ version: 0 }).subscribe((feed) => {
      heard.push(`first ${feed.type === 'commit' ? feed.cursor.version : 'reset'}`);
      if (heard.length !== 3) return;
      leaving?.unsubscribe();
      watcher.session.watch?.({ version: 18 }).subscribe({
        next: () => {
          heard.push('second');
          closing = watcher.close();
        },
        complete: () => heard.push('complete'),
      });
    });
    await expect.poll(() => heard).toContain('complete');
    await closing;
    expect(heard).toEqual(['first 1', 'first 2', 'first 3', 'second', 'complete']);
  });

  it('of a closed session is complete', async () => {
    const dictionary = await database.open({ schema: database.freshSchema() });
    await dictionary.close();
    expect(new Told(dictionary).isComplete).toBe(true);
  });

  it('is not disturbed by another schema whose dictionary has the same id, nor by what others ring', async () => {
    const schemas = [database.freshSchema(), database.freshSchema()] as const;
    const openers = schemas.map((schema) => database.opener({ schema, pollMs: 60_000 }));
    const dictionaries: OpenDictionary[] = [];
    for (const open of openers) dictionaries.push(await open(), await open());
    const [watcher, writer, otherWatcher, otherWriter] = dictionaries;
    if (watcher === undefined || writer === undefined || otherWatcher === undefined || otherWriter === undefined) throw new Error('there are four');
    expect(await database.sql(`SELECT a.id = b.id AS same FROM ${schemas[0]}.rx_persistify_dictionaries AS a, ${schemas[1]}.rx_persistify_dictionaries AS b`)).toEqual([{ same: true }]);
    const [told, toldOther] = [new Told(watcher), new Told(otherWatcher)];
    await otherWriter.write(set('a', '"other"'));
    await otherWriter.write(set('b', '"other"'));
    await toldOther.reaches(2);
    for (const payload of ['', schemas[0], `${schemas[0]} 99`, 'x'.repeat(7_000)]) await database.sql("SELECT pg_notify('rx_persistify', $1)", [payload]);
    await writer.write(set('a', '"mine"'));
    await told.reaches(1);
    expect(told.lines).toEqual(['1 a="mine"']);
  });

  it('hears nothing of a commit that was not rung for, and finds it when it looks', async () => {
    const schema = database.freshSchema();
    const told = new Told(await database.open({ schema, pollMs: 30 }));
    for (const version of [1, 2, 3]) {
      expect(await commitElsewhere(database, schema)).toBe(version);
      await told.reaches(version);
    }
  });
});
