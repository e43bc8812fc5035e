import { copyFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import { inspect, modes, numberedSets, open, openerOf, set, temporaryFile, type OpenDictionary } from './bench.ts';
import { Told } from '../../support/told.ts';

/** Commits as another process would, of which nothing in this one knows. Returns the version. */
function commitElsewhere(file: string, key = 'key', json = '"elsewhere"'): number {
  const database = inspect(file);
  return database.transaction(() => {
    const version = Number(database.prepare("SELECT head + 1 FROM rx_persistify_dictionaries WHERE name = 'prefs'").pluck().get());
    database.prepare('INSERT OR REPLACE INTO prefs VALUES (?, ?, 0, 0, ?, NULL)').run(key, json, version);
    database.prepare("UPDATE rx_persistify_dictionaries SET head = ? WHERE name = 'prefs'").run(version);
    database.prepare("INSERT INTO rx_persistify_log VALUES ('prefs', ?, 'elsewhere', ?, ?, ?)").run(version, version, Date.now(), JSON.stringify([key]));
    return version;
  }).immediate();
}

function inTransaction(file: string, sql: string): void {
  const database = inspect(file);
  database.transaction(() => database.exec(sql)).immediate();
}

async function closeAll(...dictionaries: readonly OpenDictionary[]): Promise<void> {
  for (const dictionary of dictionaries) await dictionary.close();
}

describe.each(modes)('the feed between sessions of one process, $mode', ({ worker }) => {
  it('tells each commit in order, as storage holds its keys now', async () => {
    const openAt = openerOf({ file: temporaryFile(), worker });
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
    const openAt = openerOf({ file: temporaryFile(), worker });
    const [watcher, writer] = [await openAt(), await openAt()];
    await writer.write(set('changed'), set('gone'), set('removed'));
    await writer.write({ type: 'clear' }, set('changed', '2'), set('gone', '2'));
    await writer.write(set('changed', '3'), { type: 'delete', key: 'gone' }, set('new', '3'));
    const told = new Told(watcher, { version: 1 });
    await told.reaches(3);
    expect(told.lines).toEqual(['2 clear changed=3 new=3', '3 changed=3 new=3 -gone']);
  });

  it('is of its own dictionary, and one for each subscriber', async () => {
    const openAt = openerOf({ file: temporaryFile(), worker });
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
    const openAt = openerOf({ file: temporaryFile(), worker });
    const [watcher, writer] = [await openAt(), await openAt()];
    const told = new Told(watcher);
    const expiresAt = Date.now() + 100_000;
    await writer.write({ type: 'set', key: 'later', json: '1', expiresAt }, { type: 'set', key: 'ended', json: '1', expiresAt: 5 });
    await told.reaches(1);
    await writer.write({ type: 'touch', key: 'later', expiresAt: expiresAt + 5 });
    await writer.write({ type: 'expire', key: 'ended', version: 1 }, { type: 'expire', key: 'later', version: 1 });
    await told.reaches(2);
    expect(told.commits[0]?.entries).toEqual([{ key: 'later', json: '1', version: 1, expiresAt }, { key: 'ended', json: '1', version: 1, expiresAt: 5 }]);
    expect(told.lines[1]).toBe('2 -ended');
    expect(told.versions).toEqual([1, 2]);
  });
});

describe('a commit of 100,000 keys', () => {
  it.each(['set', 'cleared and set'])('that are %s is told whole, and lets other things happen meanwhile', async how => {
    const openAt = openerOf({ file: temporaryFile(), durability: 'normal' });
    const [watcher, writer] = [await openAt(), await openAt()];
    await writer.send({ ...writer.batch(), mutations: [...(how === 'set' ? [] : [{ type: 'clear' } as const]), ...numberedSets(100_000)] });
    let turns = 0;
    const turn = (): void => void (turns++, (immediate = setImmediate(turn)));
    let immediate = setImmediate(turn);
    const told = new Told(watcher);
    await told.reaches(1);
    clearImmediate(immediate);
    expect(told.commits[0]?.entries).toHaveLength(100_000);
    expect(turns, 'turns of the event loop').toBeGreaterThan(5);
  });

  it('is left off when its subscriber leaves, and when the session closes', async () => {
    const openAt = openerOf({ file: temporaryFile(), durability: 'normal' });
    const [watcher, writer] = [await openAt(), await openAt()];
    await writer.send({ ...writer.batch(), mutations: numberedSets(100_000) });
    const [left, closed] = [new Told(watcher), new Told(watcher)];
    await delay(15);
    left.leave();
    await delay(5);
    let turns = 0;
    const turn = (): void => void (turns++, (immediate = setImmediate(turn)));
    let immediate = setImmediate(turn);
    await watcher.close();
    clearImmediate(immediate);
    expect(turns, 'turns of the event loop until it is closed').toBeLessThan(8);
    expect(left.commits).toEqual([]);
    expect(closed.isComplete).toBe(true);
    expect((await writer.write(set('a'))).version).toBe(2);
  });
});

describe('keys', () => {
  it('of any kind are found in the log', async () => {
    const openAt = openerOf({ file: temporaryFile() });
    const [watcher, writer] = [await openAt(), await openAt()];
    const keys = ['"', '\\', '\\"', ',', '","', '[]', '\n\t', '{"a":"b"}', '\\\\', 'ключ', '🔑', '\u2028', 'k'.repeat(1_000), '"'.repeat(300), '\\'.repeat(301)];
    await writer.write(...keys.map(key => set(key)));
    await writer.write(...keys.map(key => ({ type: 'delete', key }) as const));
    const told = new Told(watcher);
    await told.reaches(2);
    expect(told.commits.map(({ deleted }) => deleted)).toEqual([keys, keys]);
  });
});

describe('a subscription', () => {
  it('goes on behind a cursor after everything was closed', async () => {
    const file = temporaryFile();
    const [watcher, writer] = [await open({ file }), await open({ file })];
    const first = new Told(watcher);
    await writer.write(set('a'));
    await first.reaches(1);
    await closeAll(watcher, writer);
    expect(first.isComplete).toBe(true);
    const [again, another] = [await open({ file }), await open({ file })];
    await another.write(set('b'));
    const second = new Told(again, first.cursor);
    await another.write(set('c'));
    await second.reaches(3);
    expect(second.lines).toEqual(['2 b=1', '3 c=1']);
  });

  it('may begin, end and close the session while it is being told', async () => {
    const openAt = openerOf({ file: temporaryFile() });
    const [watcher, writer] = [await openAt(), await openAt()];
    for (let index = 0; index < 20; index++) await writer.write(set('key', String(index)));
    const heard: string[] = [];
    let closing: Promise<void> | undefined;
    const leaving = watcher.session.watch?.({ version: 0 }).subscribe(feed => {
      heard.push(`first ${feed.type === 'commit' ? feed.cursor.version : 'reset'}`);
      if (heard.length === 3) {
        leaving?.unsubscribe();
        watcher.session.watch?.({ version: 18 }).subscribe({
          next: () => {
            heard.push('second');
            closing = watcher.close();
          },
          complete: () => heard.push('complete'),
        });
      }
    });
    await expect.poll(() => heard).toContain('complete');
    await closing;
    expect(heard).toEqual(['first 1', 'first 2', 'first 3', 'second', 'complete']);
  });

  it('of a closed session is complete', async () => {
    const dictionary = await open({ file: temporaryFile() });
    await dictionary.close();
    const told = new Told(dictionary);
    expect(told.isComplete).toBe(true);
  });

  it('hears of commits by the watch of the directory, long before it would look in any case', async () => {
    const file = temporaryFile();
    const watcher = await open({ file, pollMs: 60_000 });
    const told = new Told(watcher);
    await delay(50);
    for (let index = 0; index < 20; index++) {
      await told.reaches(commitElsewhere(file, 'key', String(index)));
      await delay(index * 5);
    }
    expect(told.versions).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  it('is of the file that a link leads to', async () => {
    const file = temporaryFile();
    const writer = await open({ file });
    symlinkSync(file, `${file} link`);
    const told = new Told(await open({ file: `${file} link`, pollMs: 60_000 }));
    await writer.write(set('a'));
    await told.reaches(1);
    await told.reaches(commitElsewhere(file));
    expect(told.versions).toEqual([1, 2]);
  });
});

describe('a cursor', () => {
  async function afterThree(file: string): Promise<{ readonly dictionary: OpenDictionary; readonly cursors: readonly { version: number; writer: string; number: number }[] }> {
    const dictionary = await open({ file });
    const cursors = [];
    for (const number of [1, 2, 3]) cursors.push({ version: (await dictionary.write(set(`key ${number}`))).version, writer: dictionary.writer, number });
    return { dictionary, cursors };
  }

  it.each([
    ['of the head', { version: 3 }, []],
    ['of an older commit', { version: 1 }, [2, 3]],
    ['of the empty beginning', { version: 0 }, [1, 2, 3]],
  ])('%s is gone on behind', async (_, since, versions) => {
    const file = temporaryFile();
    const { dictionary } = await afterThree(file);
    const told = new Told(dictionary, since);
    const version = commitElsewhere(file);
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
    const { dictionary } = await afterThree(temporaryFile());
    const told = new Told(dictionary, since);
    await told.resets();
    expect([told.isComplete, told.commits]).toEqual([true, []]);
  });

  it('that was pruned is answered by a reset; one that was not, and the head, are gone on behind', async () => {
    const file = temporaryFile();
    const { dictionary, cursors } = await afterThree(file);
    inspect(file).exec('DELETE FROM rx_persistify_log WHERE version < 2');
    const [pruned, beginning, kept, head] = [new Told(dictionary, cursors[0]), new Told(dictionary), new Told(dictionary, cursors[1]), new Told(dictionary, cursors[2])];
    await pruned.resets();
    await beginning.resets();
    await head.reaches(commitElsewhere(file));
    await kept.reaches(4);
    expect([kept.versions, head.versions]).toEqual([[3, 4], [4]]);
  });

  it('of the head is gone on behind in a log that is empty, as of an empty dictionary or a table that was taken over', async () => {
    const file = temporaryFile();
    inspect(file).exec("CREATE TABLE prefs (key TEXT PRIMARY KEY, value TEXT, created_at INTEGER, updated_at INTEGER, version INTEGER, expires_at INTEGER); INSERT INTO prefs VALUES ('old', '1', 0, 0, 41, NULL)");
    const dictionary = await open({ file });
    const head = (await dictionary.pages())[0]?.version ?? 0;
    expect(head).toBeGreaterThanOrEqual(41);
    const told = new Told(dictionary, { version: head });
    await delay(20);
    await told.reaches(commitElsewhere(file));
    await told.reaches(commitElsewhere(file));
    expect(told.versions).toEqual([head + 1, head + 2]);
    const fromNothing = new Told(dictionary);
    await fromNothing.resets();
  });

  it('of what was loaded says who committed it, if the log does, so that another commit of this version is answered by a reset', async () => {
    const file = temporaryFile();
    const { dictionary } = await afterThree(file);
    const [page] = await dictionary.pages();
    expect(page).toMatchObject({ version: 3, writer: dictionary.writer, number: 3 });
    inTransaction(file, "UPDATE rx_persistify_log SET writer = 'another' WHERE version = 3");
    const behind = new Told(dictionary, page);
    await behind.resets();
    inTransaction(file, 'DELETE FROM rx_persistify_log');
    expect((await dictionary.pages())[0]).toEqual({ version: 3, entries: await dictionary.entries() });
  });

  it('is found again in a file that was vacuumed', async () => {
    const file = temporaryFile();
    const { dictionary } = await afterThree(file);
    const told = new Told(dictionary);
    await told.reaches(3);
    inspect(file).exec('VACUUM');
    await told.reaches(commitElsewhere(file));
    expect([told.versions, told.isReset]).toEqual([[1, 2, 3, 4], false]);
  });
});

describe('a feed whose past is gone tells to load again', () => {
  async function following(file: string, count = 3): Promise<{ readonly dictionary: OpenDictionary; readonly told: Told }> {
    const dictionary = await open({ file, pollMs: 20 });
    for (let index = 0; index < count; index++) await dictionary.write(set(`key ${index}`));
    const told = new Told(dictionary);
    await told.reaches(count);
    return { dictionary, told };
  }

  it.each([
    ['it goes back, as by a restore into the open file', "DELETE FROM rx_persistify_log WHERE version > 1; UPDATE rx_persistify_dictionaries SET head = 1"],
    ['it went back and came as far again', "UPDATE rx_persistify_log SET writer = 'another' WHERE version = 3; UPDATE prefs SET value = 'other'"],
    ['it has a gap', "UPDATE rx_persistify_dictionaries SET head = 9; INSERT INTO rx_persistify_log VALUES ('prefs', 9, 'w', 1, 1, '[]')"],
    ['all of the log was removed', 'DELETE FROM rx_persistify_log'],
    ['the dictionary was removed', 'DROP TABLE prefs; DELETE FROM rx_persistify_dictionaries; DELETE FROM rx_persistify_log'],
    ['the dictionary was moved to another table', "ALTER TABLE prefs RENAME TO moved; UPDATE rx_persistify_dictionaries SET table_name = 'moved'"],
  ])('when %s', async (_, sql) => {
    const file = temporaryFile();
    const { told } = await following(file);
    inTransaction(file, sql);
    await told.resets();
    expect(told.isComplete).toBe(true);
  });

  it('when the dictionary was dropped, made anew, and has come as far again', async () => {
    const file = temporaryFile();
    const { dictionary, told } = await following(file);
    // As the message of a missing table advises: the log of the old one stays.
    inTransaction(file, 'DROP TABLE prefs; DELETE FROM rx_persistify_dictionaries');
    await told.resets();
    await expect(dictionary.pages()).rejects.toMatchObject({ code: 'PROVIDER', kind: 'halt' });
    const another = await open({ file });
    expect(await another.entries()).toEqual([]);
    for (const version of [1, 2, 3]) expect((await another.write(set('new', String(version)))).version).toBe(version);
    const old = new Told(dictionary, told.cursor);
    await old.resets();
    const anew = new Told(dictionary);
    await anew.reaches(3);
    expect(anew.versions).toEqual([1, 2, 3]);
  });

  it('when the file was replaced by a backup, and goes on in the one that is there now', async () => {
    const file = temporaryFile();
    const { dictionary, told } = await following(file);
    inspect(file).pragma('wal_checkpoint(TRUNCATE)');
    copyFileSync(file, `${file} backup`);
    for (let index = 0; index < 3; index++) await dictionary.write(set('after the backup'));
    await told.reaches(6);
    for (const left of ['-wal', '-shm']) rmSync(`${file}${left}`);
    renameSync(`${file} backup`, file);
    await told.resets();
    const again = new Told(dictionary, { version: 3 });
    await again.reaches(commitElsewhere(file));
    expect(again.versions).toEqual([4]);
  });

  it('or fails, when the file is removed', async () => {
    const file = temporaryFile();
    const { told } = await following(file);
    for (const left of ['', '-wal', '-shm']) rmSync(`${file}${left}`);
    await expect(told.until(() => false)).rejects.toMatchObject({ code: 'PROVIDER' });
  });

  it('or fails, when the table is dropped under it', async () => {
    const file = temporaryFile();
    const { told } = await following(file);
    inTransaction(file, `DROP TABLE prefs; INSERT INTO rx_persistify_log VALUES ('prefs', 4, 'w', 1, 1, '["a"]'); UPDATE rx_persistify_dictionaries SET head = 4`);
    await expect(told.until(() => false)).rejects.toMatchObject({ code: 'PROVIDER' });
  });
});
