import { forceCloseDatabase } from 'fake-indexeddb';
import { deleteDB, openDB } from 'idb';
import { DataLostError, persistify, ProviderError } from 'rx-persistify';
import { indexedDb } from 'rx-persistify/indexed-db';
import { describe, expect, it, onTestFinished, vi, type Mock } from 'vitest';

import { set } from '../../support/open-dictionary.ts';
import { Told } from '../../support/told.ts';
import { freshDatabase, inspect, tab } from './scene.ts';

/** Has the second of two requests to put something fail for want of room. */
function failSecondPut(): void {
  const put = Reflect.get(IDBObjectStore.prototype, 'put') as (this: IDBObjectStore, ...args: unknown[]) => IDBRequest<IDBValidKey>;
  let count = 0;
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...args) {
    if (++count === 2) throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
    return put.apply(this, args);
  });
}

/** Each connection that is opened from now on. */
function openedConnections(): IDBDatabase[] {
  const opened: IDBDatabase[] = [];
  const open = Reflect.get(IDBFactory.prototype, 'open') as (this: IDBFactory, ...args: unknown[]) => IDBOpenDBRequest;
  vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(function (this: IDBFactory, ...args) {
    const request = open.apply(this, args);
    request.addEventListener('success', () => opened.push(request.result));
    return request;
  });
  return opened;
}

/** As a browser does when the user clears the data of a site. */
function close(connection: IDBDatabase): Promise<unknown> {
  const closed = new Promise((resolve) => connection.addEventListener('close', resolve));
  forceCloseDatabase(connection as unknown as Parameters<typeof forceCloseDatabase>[0]); // its types take the class for the object
  return closed;
}

/** The next commit of entries fails for this reason. Returns what is called then. */
function failCommit(reason: DOMException): Mock<() => void> {
  const commit = Reflect.get(IDBTransaction.prototype, 'commit');
  const failed = vi.fn<() => void>();
  vi.spyOn(IDBTransaction.prototype, 'commit').mockImplementation(function (this: IDBTransaction) {
    if (!this.objectStoreNames.contains('entries') || failed.mock.calls.length > 0) {
      commit.call(this);
      return;
    }
    failed();
    Object.defineProperty(this, 'error', { value: reason });
    this.abort();
  });
  return failed;
}

describe('a database that fails', () => {
  it('halts when there is no more room, with nothing stored, and goes on when there is', async () => {
    const dictionary = await tab(freshDatabase())();
    await dictionary.write(set('a', '1'));
    const batch = dictionary.batch(set('a', '2'), set('b', '2'));
    failSecondPut();
    const failure = await dictionary.send(batch).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ProviderError);
    expect(failure).toMatchObject({ kind: 'halt', outcomeUnknown: false });
    expect(String(failure)).toMatch(/^ProviderError: Saving "prefs" in the IndexedDB database "database \d+" failed: The quota has been exceeded \(QuotaExceededError\); this site may store no more: delete some/);
    expect(await dictionary.texts()).toEqual(new Map([['a', '1']]));
    expect(await dictionary.send(batch)).toEqual({ version: 2, leftOut: [] });
  });

  it('halts when the commit itself finds no more room', async () => {
    const dictionary = await tab(freshDatabase())();
    const failed = failCommit(new DOMException('', 'QuotaExceededError'));
    await expect(dictionary.write(set('a'))).rejects.toMatchObject({ kind: 'halt', outcomeUnknown: false });
    expect(failed).toHaveBeenCalledOnce();
    expect(await dictionary.texts()).toEqual(new Map());
  });

  it('halts when a request finds no more room, and others only say that it is over', async () => {
    const dictionary = await tab(freshDatabase())();
    const get = Reflect.get(IDBObjectStore.prototype, 'get') as (this: IDBObjectStore, ...args: unknown[]) => IDBRequest;
    vi.spyOn(IDBObjectStore.prototype, 'get').mockImplementationOnce(function (this: IDBObjectStore, ...args) {
      const request = get.apply(this, args);
      Object.defineProperty(this.transaction, 'error', { value: new DOMException('', 'QuotaExceededError') });
      queueMicrotask(() => this.transaction.abort());
      return request;
    });
    await expect(dictionary.write(set('a'))).rejects.toMatchObject({ kind: 'halt', outcomeUnknown: false });
  });

  it('may have stored what it was asked to commit when it fails then', async () => {
    const dictionary = await tab(freshDatabase())();
    failCommit(new DOMException('Internal error.', 'UnknownError'));
    await expect(dictionary.write(set('a'))).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: true });
  });

  it('tells an error of the program as it is', async () => {
    const dictionary = await tab(freshDatabase())();
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(() => {
      throw new TypeError('not a function');
    });
    await expect(dictionary.write(set('a'))).rejects.toMatchObject({ kind: 'halt', cause: expect.any(TypeError) as unknown });
  });

  it('is connected to again when the browser has closed the connection', async () => {
    const database = freshDatabase();
    const opened = openedConnections();
    const dictionary = await tab(database)();
    await dictionary.write(set('a'));
    const told = new Told(dictionary);
    await told.reaches(1);
    for (const connection of opened.splice(0)) await close(connection);
    await dictionary.write(set('b'));
    await told.reaches(2);
    expect(opened).toHaveLength(1);
    expect(dictionary.reported).toEqual([]);
  });

  it('is connected to again when the connection is gone without a word', async () => {
    const dictionary = await tab(freshDatabase())();
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementationOnce(() => {
      throw new DOMException('The connection is closing.', 'InvalidStateError');
    });
    await expect(dictionary.write(set('a'))).rejects.toMatchObject({ kind: 'retry' });
    await dictionary.write(set('a'));
  });

  it('leaves rows that this package did not write, and tells of them', async () => {
    const database = freshDatabase();
    const dictionary = await tab(database)();
    await dictionary.write(set('a', '1'));
    await (await inspect(database)).put('entries', { something: 'else' }, ['prefs', 'b']);
    expect(await dictionary.texts()).toEqual(new Map([['a', '1']]));
    expect(dictionary.reported).toMatchObject([{ code: 'CORRUPT_DATA' }]);
    expect(await (await inspect(database)).get('entries', ['prefs', 'b'])).toEqual({ something: 'else' });
  });
});

describe('a database that is deleted while it is open', () => {
  it('is let go of at once, told as lost, and made anew with versions that go on', async () => {
    const database = freshDatabase();
    const dictionary = await tab(database)();
    await dictionary.write(set('a', '1'));
    await dictionary.write(set('b', '1'));
    await deleteDB(database);
    expect(dictionary.reported).toEqual([]);
    expect((await dictionary.write(set('c', '1'))).version).toBe(3);
    expect(dictionary.reported).toHaveLength(1);
    expect(dictionary.reported[0]).toBeInstanceOf(DataLostError);
    expect(dictionary.reported[0]).toMatchObject({ code: 'DATA_LOST', version: 2 });
    expect(await dictionary.texts()).toEqual(new Map([['c', '1']]));
    await dictionary.write(set('d', '1'));
    expect(dictionary.reported).toHaveLength(1);
  });

  it('has the feed of each tab reset, whoever has made it anew', async () => {
    const database = freshDatabase();
    const [reader, writer] = [await tab(database, { pollMs: 20 })(), await tab(database, { pollMs: 20 })()];
    await writer.write(set('a', '1'));
    await reader.texts();
    const told = [new Told(reader), new Told(writer)] as const;
    for (const one of told) await one.reaches(1);
    await deleteDB(database);
    await writer.write(set('b', '1'));
    for (const one of told) await one.resets();
    for (const { reported } of [reader, writer]) expect(reported).toMatchObject([{ code: 'DATA_LOST', version: 1 }]);
    expect(await reader.texts()).toEqual(new Map([['b', '1']]));
    const again = new Told(reader, { version: 2 });
    await writer.write(set('c', '1'));
    await again.reaches(3);
  });

  it('has the feed reset also where nothing has been committed to it since', async () => {
    const database = freshDatabase();
    const dictionary = await tab(database)();
    await dictionary.write(set('a', '1'));
    await dictionary.texts();
    await deleteDB(database);
    await dictionary.write({ type: 'expire', key: 'a', version: 1 });
    await new Told(dictionary, { version: 1 }).resets();
  });

  it('is noticed by a store that only watches, which then shows what is there', async () => {
    const database = freshDatabase();
    const stores = persistify(indexedDb({ database, pollMs: 20 }));
    const prefs = await stores.open<Record<string, number>>('prefs');
    onTestFinished(() => prefs.close());
    const codes: string[] = [];
    prefs.errors$.subscribe(({ error }) => codes.push(error.code));
    await prefs.setAndSave('a', 1);
    await deleteDB(database);
    await expect.poll(() => codes).toEqual(['DATA_LOST']);
    await expect.poll(() => prefs.size).toBe(0);
    await prefs.setAndSave('b', 2);
    expect([...prefs]).toEqual([['b', 2]]);
  });

  it('is nothing to tell of where nothing was stored', async () => {
    const database = freshDatabase();
    const dictionary = await tab(database)();
    await deleteDB(database);
    expect(await dictionary.texts()).toEqual(new Map());
    expect(dictionary.reported).toEqual([]);
  });
});

describe('opening', () => {
  it('refuses what a newer version has made, and leaves it', async () => {
    const database = freshDatabase();
    (await openDB(database, 1_000)).close();
    await expect(tab(database)()).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('a newer version of this package, or another program, has made the database: reload the page') as unknown });
    expect((await inspect(database)).version).toBe(1_000);
  });

  it('gives way to a newer version, and says so from then on', async () => {
    const database = freshDatabase();
    const dictionary = await tab(database)();
    const newer = await openDB(database, 1_000);
    onTestFinished(() => newer.close());
    await expect(dictionary.write(set('a'))).rejects.toMatchObject({ kind: 'halt' });
  });

  it("refuses another program's database, and leaves it", async () => {
    const database = freshDatabase();
    (await openDB(database, 3, { upgrade: (opened) => void opened.createObjectStore('theirs') })).close();
    await expect(tab(database)()).rejects.toMatchObject({ kind: 'halt', message: expect.stringMatching(/holds something else\. It is left as it is: name another database\.$/) as unknown });
    const theirs = await inspect(database);
    expect([theirs.version, ...theirs.objectStoreNames]).toEqual([3, 'theirs']);
  });

  it('fills a database that somebody made empty by asking for it', async () => {
    const database = freshDatabase();
    (await openDB(database)).close();
    expect(await (await tab(database)()).write(set('a'))).toEqual({ version: 1, leftOut: [] });
  });

  it('fails in time where another tab holds an older one, and works when that is gone', async () => {
    const database = freshDatabase();
    const stubborn = await openDB(database, 1);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const opening = tab(database)().catch((error: unknown) => error);
      await expect.poll(() => vi.getTimerCount()).toBe(1);
      await vi.advanceTimersByTimeAsync(5_000);
      expect(await opening).toMatchObject({ kind: 'retry', message: expect.stringContaining('Reload or close that tab') as unknown });
    } finally {
      vi.useRealTimers();
    }
    stubborn.close();
    await (await tab(database)()).write(set('a'));
  });

  it('says where there is no IndexedDB', async () => {
    vi.stubGlobal('indexedDB', undefined);
    await expect(tab(freshDatabase())()).rejects.toMatchObject({ kind: 'halt', message: expect.stringMatching(/^There is no IndexedDB here: .* take memory\(\), or another provider\.$/) as unknown });
  });

  it('says what to do where the browser lets the page store nothing', async () => {
    vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(() => {
      throw new DOMException('Access denied.', 'SecurityError');
    });
    await expect(tab(freshDatabase())()).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('allow it cookies and site data') as unknown });
  });

  it('claims no more than the browser can do', async () => {
    expect((await tab(freshDatabase())()).session.capabilities).toEqual({ shared: true, durability: 'power', maxValueBytes: 64_000_000 });
    expect((await tab(freshDatabase(), { durability: 'relaxed' })()).session.capabilities.durability).toBe('process');
    const begin = Reflect.get(IDBDatabase.prototype, 'transaction') as (this: IDBDatabase, ...args: unknown[]) => IDBTransaction;
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(function (this: IDBDatabase, ...args) {
      return Object.defineProperty(begin.apply(this, args), 'durability', { value: undefined }); // as older ones do
    });
    expect((await tab(freshDatabase())()).session.capabilities.durability).toBe('process');
  });
});
