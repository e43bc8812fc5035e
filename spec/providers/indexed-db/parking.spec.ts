import { openDB } from 'idb';
import { persistify, type Batch } from 'rx-persistify';
import { flushWhenHidden, indexedDb } from 'rx-persistify/indexed-db';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';

import { set } from '../../support/open-dictionary.ts';
import { Told } from '../../support/told.ts';
import { FakePage, freshDatabase, inspect, tab } from './scene.ts';

/** What a page that was left has parked. */
async function park(database: string, batch: Batch): Promise<void> {
  const transaction = (await inspect(`${database} parked`)).transaction('parked', 'readwrite');
  const parking = Promise.all([transaction.store.put(batch, ['prefs', batch.writer, batch.number]), transaction.done]);
  transaction.commit();
  await parking;
}

async function parked(database: string): Promise<number> {
  return (await inspect(`${database} parked`)).count('parked');
}

const ofThePast: Batch = { number: 7, writer: 'a page that was left', mutations: [set('draft', '"left"')] };

describe('what a page has parked', () => {
  it('is there when the dictionary is opened', async () => {
    const database = freshDatabase();
    await (await tab(database)()).write(set('a', '1'));
    await park(database, ofThePast);
    expect(await (await tab(database)()).texts()).toEqual(new Map([['a', '1'], ['draft', '"left"']]));
    expect(await parked(database)).toBe(0);
  });

  it('is there when it is loaded again', async () => {
    const database = freshDatabase();
    const dictionary = await tab(database)();
    await park(database, ofThePast);
    expect(await dictionary.texts()).toEqual(new Map([['draft', '"left"']]));
  });

  it('is told to the tabs that are open, as a commit of its own', async () => {
    const database = freshDatabase();
    const tabs = [await tab(database, { pollMs: 20 })(), await tab(database, { pollMs: 20 })()];
    const told = tabs.map((one) => new Told(one));
    await park(database, ofThePast);
    for (const one of told) {
      await one.reaches(1);
      expect(one.lines).toEqual(['1 draft="left"']);
      expect(one.cursor).toEqual({ version: 1, writer: ofThePast.writer, number: 7 });
    }
  });

  it('is committed under the conditions that it has', async () => {
    const database = freshDatabase();
    const dictionary = await tab(database)();
    const { version } = await dictionary.write(set('taken', '1'));
    await park(database, { number: 1, writer: 'left', mutations: [{ type: 'set', key: 'taken', json: '2', expect: 0 }, { type: 'set', key: 'taken too', json: '2', expect: 0 }, { type: 'touch', key: 'none', expiresAt: 5 }] });
    await park(database, { number: 1, writer: 'left earlier', mutations: [{ type: 'delete', key: 'taken', expect: version }] });
    expect(await (await tab(database)()).texts()).toEqual(new Map([['taken too', '2']]));
  });

  it('is not committed again where it was committed', async () => {
    const database = freshDatabase();
    const dictionary = await tab(database)();
    const batch = dictionary.batch(set('key', '"old"'));
    await dictionary.send(batch);
    await dictionary.write(set('key', '"new"'));
    await park(database, batch);
    expect(await (await tab(database)()).texts()).toEqual(new Map([['key', '"new"']]));
    expect(await parked(database)).toBe(0);
  });
});

/** From now on there is no room for a value of more than 500 characters; until the returned function is called. */
function fillDisk(): () => void {
  const put = Reflect.get(IDBObjectStore.prototype, 'put') as (this: IDBObjectStore, ...args: unknown[]) => IDBRequest<IDBValidKey>;
  const spy = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...args) {
    const [row] = args as readonly { readonly json?: string }[];
    if (this.name === 'entries' && (row?.json ?? '').length > 500) throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
    return put.apply(this, args);
  });
  return () => spy.mockRestore();
}

const large = `"${'x'.repeat(1_000)}"`;
const tooLarge: Batch = { number: 3, writer: 'a page with much', mutations: [set('large', large), set('small')] };
const behindIt: Batch = { number: 4, writer: 'a page with much', mutations: [set('large', '"newer"')] };

describe('what a page has parked, and there is no room for', () => {
  it('keeps no dictionary from being opened, read, written and made smaller, and is told once', async () => {
    const database = freshDatabase();
    await (await tab(database)()).write(set('a'), set('b'));
    await park(database, tooLarge);
    fillDisk();
    const dictionary = await tab(database)();
    expect(await dictionary.texts()).toEqual(new Map([['a', '1'], ['b', '1']]));
    expect(await dictionary.write({ type: 'delete', key: 'a' })).toMatchObject({ version: 2 });
    expect(await dictionary.session.read?.(['a', 'b'])).toMatchObject([{ key: 'b' }]);
    expect(await dictionary.texts()).toEqual(new Map([['b', '1']]));
    expect(dictionary.reported.map(String)).toEqual([
      expect.stringMatching(/^ProviderError: Saving what a page has parked for "prefs" in the IndexedDB database "database \d+" failed: The quota has been exceeded \(QuotaExceededError\); this site may store no more: delete some/),
    ]);
    expect(await parked(database)).toBe(1);
  });

  it('is committed by a later look, when there is', async () => {
    const database = freshDatabase();
    await tab(database)();
    await park(database, tooLarge);
    const makeRoom = fillDisk();
    const dictionary = await tab(database, { pollMs: 20 })();
    const told = new Told(dictionary);
    await dictionary.write(set('a'));
    await told.reaches(1);
    makeRoom();
    await told.reaches(2);
    expect(told.lines[1]).toBe(`2 large=${large} small=1`);
    await expect.poll(() => parked(database)).toBe(0);
  });

  it('is attempted with every eleventh look, as that holds up other writes', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const database = freshDatabase();
    const dictionary = await tab(database, { pollMs: 1_000 })();
    fillDisk();
    await park(database, tooLarge);
    const begun = vi.spyOn(IDBDatabase.prototype, 'transaction');
    const countOf = (mode: IDBTransactionMode): number => begun.mock.calls.filter(([names, asked = 'readonly']) => asked === mode && names !== 'parked').length;
    const told = new Told(dictionary);
    for (let looks = 1; looks <= 23; looks++) {
      await expect.poll(() => countOf('readonly'), { interval: 1 }).toBe(looks);
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve)); // it is told what was read
      vi.advanceTimersByTime(1_000);
    }
    expect(countOf('readwrite')).toBe(3);
    told.leave();
  });

  it('keeps no tab that is open from hearing of commits', async () => {
    const database = freshDatabase();
    const [hearing, writing] = [await tab(database, { pollMs: 20 })(), await tab(database)()];
    const told = new Told(hearing);
    fillDisk();
    await park(database, tooLarge);
    await expect.poll(() => hearing.reported.length).toBe(1);
    await writing.write(set('a'));
    await told.reaches(1);
    await writing.write(set('b'));
    await told.reaches(2);
    expect(told.errors).toEqual([]);
    expect(hearing.reported).toHaveLength(1);
  });

  it('holds back what the same page has parked behind it, and of no other', async () => {
    const database = freshDatabase();
    await tab(database)();
    await park(database, tooLarge);
    await park(database, behindIt);
    await park(database, { ...ofThePast, writer: 'a page before it' });
    await park(database, { ...ofThePast, writer: 'z, a page behind it', mutations: [set('other')] });
    const makeRoom = fillDisk();
    expect(await (await tab(database)()).texts()).toEqual(new Map([['draft', '"left"'], ['other', '1']]));
    expect(await parked(database)).toBe(2);
    makeRoom();
    expect(await (await tab(database)()).texts()).toEqual(new Map([['draft', '"left"'], ['large', '"newer"'], ['other', '1'], ['small', '1']]));
    expect(await parked(database)).toBe(0);
  });

  it('is told again when there was room, and is none again', async () => {
    const database = freshDatabase();
    await tab(database)();
    await park(database, tooLarge);
    const makeRoom = fillDisk();
    const dictionary = await tab(database)();
    makeRoom();
    await dictionary.texts();
    fillDisk();
    await park(database, { ...tooLarge, number: 5 });
    await dictionary.texts();
    await dictionary.texts();
    expect(dictionary.reported).toHaveLength(2);
  });
});

describe('a database for what is parked that cannot be opened', () => {
  /** Something else has its name. */
  async function occupy(database: string): Promise<void> {
    const other = await openDB(`${database} parked`, 10, { upgrade: (opened) => void opened.createObjectStore('something else') });
    other.close();
  }

  it('keeps no dictionary from being opened, read, written and heard of, and is told once', async () => {
    const database = freshDatabase();
    await occupy(database);
    const dictionary = await tab(database, { pollMs: 20 })();
    const told = new Told(dictionary);
    await dictionary.write(set('a'));
    await told.reaches(1);
    await (await tab(database)()).write(set('b'));
    await told.reaches(2);
    expect(await dictionary.texts()).toEqual(new Map([['a', '1'], ['b', '1']]));
    expect(dictionary.reported.map(({ message }) => message)).toEqual([expect.stringMatching(/^the IndexedDB database "database \d+ parked" holds something else/)]);
  });

  it('has no writer be forgotten meanwhile, so that what it holds is not committed again', async () => {
    const database = freshDatabase();
    const past = await tab(database)();
    const batch = past.batch(set('key', '"old"'));
    await past.send(batch);
    await park(database, batch);
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 8 * 24 * 3_600_000);
    vi.spyOn(IDBFactory.prototype, 'open').mockImplementationOnce(() => {
      throw new DOMException('', 'UnknownError');
    });
    const dictionary = await tab(database)();
    expect(dictionary.reported).toHaveLength(1);
    await dictionary.write(set('key', '"new"'));
    expect(await dictionary.texts()).toEqual(new Map([['key', '"new"']]));
    expect(await parked(database)).toBe(0);
  });
});

describe('a page that is put away', () => {
  let page: FakePage;

  beforeEach(() => {
    page = new FakePage();
  });

  it('parks what it writes then, and commits it once all the same as it lives on', async () => {
    const database = freshDatabase();
    const dictionary = await tab(database)();
    const put = vi.spyOn(IDBObjectStore.prototype, 'put');
    page.isLeft();
    expect(await dictionary.write(set('a'))).toEqual({ version: 1, leftOut: [] });
    expect(put.mock.contexts.map((store) => (store as IDBObjectStore).name)).toContain('parked');
    expect(await dictionary.texts()).toEqual(new Map([['a', '1']]));
    expect(await parked(database)).toBe(0);
  });

  it('parks what is under way', async () => {
    const database = freshDatabase();
    const dictionary = await tab(database)();
    const put = vi.spyOn(IDBObjectStore.prototype, 'put');
    const writing = dictionary.write(set('a'));
    await Promise.resolve();
    page.becomes('hidden');
    await writing;
    expect(put.mock.contexts.filter((store) => (store as IDBObjectStore).name === 'parked')).toHaveLength(1);
    expect((await (await tab(database)()).pages())[0]).toMatchObject({ version: 1, entries: [{ key: 'a' }] });
  });

  it('parks nothing while it is shown, nor when it has been hidden for a while', async () => {
    const dictionary = await tab(freshDatabase())();
    const put = vi.spyOn(IDBObjectStore.prototype, 'put');
    page.becomes('visible');
    await dictionary.write(set('a'));
    page.becomes('hidden');
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 2_000);
    await dictionary.write(set('b'));
    expect(put.mock.contexts.map((store) => (store as IDBObjectStore).name)).not.toContain('parked');
  });

  it('says of a batch that it parked that it may be stored, if it fails', async () => {
    const dictionary = await tab(freshDatabase())();
    page.isLeft();
    vi.spyOn(IDBObjectStore.prototype, 'get').mockImplementationOnce(() => {
      throw new DOMException('', 'UnknownError');
    });
    await expect(dictionary.write(set('a'))).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: true });
    expect(await dictionary.texts()).toEqual(new Map([['a', '1']]));
  });

  it('has asked for everything within the event', async () => {
    const database = freshDatabase();
    const prefs = await persistify(indexedDb({ database })).withBatch({ intervalMs: 3_600_000 }).open<Record<string, number>>('prefs');
    flushWhenHidden(prefs);
    prefs.set('draft', 1);
    const [put, commits] = [vi.spyOn(IDBObjectStore.prototype, 'put'), vi.spyOn(IDBTransaction.prototype, 'commit')];
    page.isLeft();
    for (let turn = 0; turn < 50; turn++) await Promise.resolve(); // microtasks alone: the page is frozen behind them
    const parking = put.mock.contexts.map((store) => store as IDBObjectStore);
    expect(parking.map(({ name }) => name)).toEqual(['parked']);
    expect(commits.mock.contexts).toContain(parking[0]?.transaction);
    await prefs.close();
  });

  it('need not wait for anything of its own to have it parked', async () => {
    const ended = new Set<unknown>();
    const commit = Reflect.get(IDBTransaction.prototype, 'commit');
    vi.spyOn(IDBTransaction.prototype, 'commit').mockImplementation(function (this: IDBTransaction) {
      ended.add(this);
      commit.call(this);
    });
    const waiting: IDBTransaction[] = [];
    const begin = Reflect.get(IDBDatabase.prototype, 'transaction') as (this: IDBDatabase, ...args: unknown[]) => IDBTransaction;
    const begins = vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(function (this: IDBDatabase, ...args) {
      const transaction = begin.apply(this, args);
      queueMicrotask(() => {
        if (transaction.mode !== 'versionchange' && transaction.objectStoreNames.contains('parked') && !ended.has(transaction)) waiting.push(transaction);
      });
      return transaction;
    });
    const database = freshDatabase();
    const dictionary = await tab(database, { pollMs: 20 })();
    const told = new Told(dictionary);
    await dictionary.write(set('a'));
    await park(database, ofThePast);
    await told.reaches(2);
    await park(database, { ...ofThePast, number: 8 });
    await dictionary.write(set('b'));
    await dictionary.texts();
    await told.reaches(4);
    page.becomes('hidden');
    await dictionary.write(set('c'));
    expect(begins.mock.calls.length).toBeGreaterThan(10);
    expect(waiting.map(({ objectStoreNames }) => [...objectStoreNames])).toEqual([]);
  });
});
