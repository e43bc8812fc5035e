import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';

import type { Mutation } from '../../../lib/mutation.ts';
import type { Feed } from '../../../lib/providers/provider.ts';
import { scratch, stateOf, Store, textOf, type Options } from './store.ts';

const [early, middle, late] = [5e12, 6e12, 7e12];

function set(key: string, expiresAt?: number): Mutation {
  return expiresAt === undefined ? { type: 'set', key, json: '1' } : { type: 'set', key, json: '1', expiresAt };
}

function touch(key: string, expiresAt: number): Mutation {
  return { type: 'touch', key, expiresAt };
}

function expire(key: string, version: number): Mutation {
  return { type: 'expire', key, version };
}

async function deadlinesOf(store: Store): Promise<Readonly<Record<string, number | undefined>>> {
  return Object.fromEntries((await store.entries()).map(({ key, expiresAt }) => [key, expiresAt]));
}

/** By opening and closing. */
async function deadlinesIn(directory: string, options: Options = {}): Promise<Readonly<Record<string, number | undefined>>> {
  const store = await Store.open(directory, options);
  const deadlines = await deadlinesOf(store);
  await store.close();
  return deadlines;
}

function edit(directory: string, change: (text: string) => string): Promise<void> {
  return textOf(directory).then(text => writeFile(join(directory, 'prefs.json'), change(text)));
}

/** A store whose entries were folded into its file: four with a deadline and one without. */
async function folded(options: Options = {}): Promise<string> {
  const store = await Store.open(await scratch(), options);
  await store.write(set('stays', middle), set('touched', middle), set('plain', middle), set('sooner', middle), set('never'));
  await store.close();
  return store.directory;
}

const changes = [touch('touched', late), touch('stays', early), set('plain'), set('sooner', early), touch('never', late)];
const changed = { stays: middle, touched: late, plain: undefined, sooner: early, never: undefined };

describe('deadlines', () => {
  it.each([['a line an entry', {}], ['indented', { indent: 2 }]] as const)('come through the log and through the fold, %s', async (_, options) => {
    const directory = await folded(options);
    const store = await Store.open(directory, options);
    await store.write(...changes);
    expect(await deadlinesOf(store)).toEqual(changed);
    const killed = await stateOf(directory);
    const next = await Store.open(killed, options);
    await next.write(touch('plain', late), touch('sooner', middle)); // upon what another run's log holds
    const expected = { ...changed, sooner: middle };
    expect(await deadlinesOf(next)).toEqual(expected);
    expect(await deadlinesIn(await stateOf(killed), options)).toEqual(expected);
    await next.close();
    expect(await deadlinesIn(killed, options)).toEqual(expected);
    await store.close();
    expect(await deadlinesIn(directory, options)).toEqual(changed);
  });

  it('come through an edit of the file, beneath a log or not, in whatever layout', async () => {
    for (const change of [
      (text: string) => text.replace('"never":1', '"never":2'),
      (text: string) => JSON.stringify(JSON.parse(text), undefined, 4),
      (text: string) => text.replaceAll('"stays"', '"\\u0073tays"').replaceAll('"touched":', '"touche\\u0064" : '),
    ]) {
      const directory = await folded();
      const store = await Store.open(directory);
      await store.write(...changes);
      const killed = await stateOf(directory);
      await store.close();
      await edit(killed, change);
      expect(await deadlinesIn(killed)).toEqual(changed);
      expect(await deadlinesIn(killed)).toEqual(changed); // folded at that close
      await edit(directory, change);
      expect(await deadlinesIn(directory)).toEqual(changed);
    }
  });

  it('hold on after an edit while the store is open, by the version that the edit made', async () => {
    const directory = await scratch();
    const first = await Store.open(directory);
    await first.write(set('passed', 1), set('also passed', 1), set('later', late));
    await first.close();
    const store = await Store.open(directory);
    const feed: Feed[] = [];
    store.session.watch?.({ version: 1 }).subscribe(news => feed.push(news));
    await edit(directory, text => text.replace('"later":1', '"later":2'));
    await vi.waitUntil(() => feed.length > 0, { timeout: 3_000, interval: 10 });
    expect((await store.write(expire('passed', 1), expire('also passed', 2), expire('later', 2))).leftOut).toMatchObject([{ index: 0 }, { index: 2 }]);
    expect(await deadlinesOf(store)).toEqual({ passed: 1, later: late });
    await store.close();
    expect(await deadlinesIn(directory)).toEqual({ passed: 1, later: late });
  });

  it('do not outlive the entries that an edit removes', async () => {
    const directory = await scratch();
    const first = await Store.open(directory);
    await first.write(set('gone', 1), set('set again', 1), set('kept', 1));
    await first.close();
    await edit(directory, text => text.replace('"gone":1,\n', '').replace('"set again":1,\n', ''));
    const store = await Store.open(directory);
    expect(await deadlinesOf(store)).toEqual({ kept: 1 });
    const { leftOut } = await store.write(expire('gone', 2), { type: 'set', key: 'set again', json: '2', expect: 0 }, expire('kept', 2));
    expect(leftOut).toEqual([{ index: 0, reason: 'conflict', message: 'The key is absent, or has no deadline.' }]);
    expect(await deadlinesOf(store)).toEqual({ 'set again': undefined });
    expect(await deadlinesIn(await stateOf(directory))).toEqual({ 'set again': undefined });
    await store.close();
    expect(await deadlinesIn(directory)).toEqual({ 'set again': undefined });
  });

  it('do not outlive the entries that are deleted, cleared or ended', async () => {
    const directory = await scratch();
    const first = await Store.open(directory);
    await first.write(set('deleted', 1), set('ended', 1), set('kept', late));
    await first.close();
    const store = await Store.open(directory);
    await store.write({ type: 'delete', key: 'deleted' }, expire('ended', 1));
    await store.write(set('deleted'), set('ended'));
    const expected = { kept: late, deleted: undefined, ended: undefined };
    expect(await deadlinesOf(store)).toEqual(expected);
    expect(await deadlinesIn(await stateOf(directory))).toEqual(expected);
    await store.write({ type: 'clear' }, set('kept'));
    await store.write(touch('kept', late));
    expect(await deadlinesIn(await stateOf(directory))).toEqual({ kept: undefined });
    await store.close();
    expect(await deadlinesIn(directory)).toEqual({ kept: undefined });
  });

  it('that are without end leave a file that is JSON', async () => {
    const directory = await scratch();
    const store = await Store.open(directory);
    await store.write(set('set', Infinity), set('touched', early));
    await store.write(touch('touched', Infinity));
    await store.close();
    expect(JSON.parse(await textOf(directory))).toMatchObject({ set: 1, touched: 1 });
    expect(await deadlinesIn(directory)).toEqual({ set: undefined, touched: undefined });
  });
});

describe('an expire that does not come true', () => {
  it('has no line in the log, and stands in the answer of its batch, by log and by fold', async () => {
    const directory = await scratch();
    const store = await Store.open(directory);
    await store.write(set('later', late), set('passed', 1));
    const batch = store.batch(expire('later', 1), set('new'), expire('passed', 1), expire('absent', 1));
    const answer = await store.send(batch);
    expect(answer).toEqual({
      version: 2,
      leftOut: [
        { index: 0, reason: 'conflict', message: 'Its deadline has not passed.' },
        { index: 3, reason: 'conflict', message: 'The key is absent, or has no deadline.' },
      ],
    });
    expect((await textOf(directory, 'prefs.json.1.log')).split('\n').slice(-3)).toEqual(['="new":1', '-"passed"', '']);
    const killed = await stateOf(directory);
    await store.close();
    for (const place of [killed, directory]) {
      const next = await Store.open(place, { writer: store.writer });
      expect(await next.send(batch)).toEqual(answer);
      expect(await next.texts()).toEqual({ later: '1', new: '1' });
    }
  });

  it('takes some bytes in the files, beside a thousand others', async () => {
    const directory = await scratch();
    const store = await Store.open(directory);
    const keys = Array.from({ length: 1_000 }, (_, index) => `key ${index}`);
    await store.write(set('key 500', late));
    const batch = store.batch(...keys.map(key => expire(key, 1)), { type: 'set', key: 'never', json: '\n' }, set('new'));
    const answer = await store.send(batch);
    expect(answer.leftOut.map(({ index, reason }) => `${index} ${reason}`)).toEqual([...keys.map((_, index) => `${index} conflict`), '1000 refused']);
    const killed = await stateOf(directory);
    await store.close();
    expect((await textOf(killed, 'prefs.json.1.log')).length).toBeLessThan(8_000);
    expect((await textOf(directory)).length).toBeLessThan(8_000);
    for (const place of [killed, directory]) {
      const next = await Store.open(place, { writer: store.writer });
      expect(await next.send(batch)).toEqual(answer);
    }
  });

  it('writes nothing by itself', async () => {
    const store = await Store.open(await scratch());
    await store.write(set('later', late));
    const before = await textOf(store.directory, 'prefs.json.1.log');
    const batch = store.batch(expire('later', 1), expire('absent', 1));
    const answer = await store.send(batch);
    expect(answer).toMatchObject({ version: 1, leftOut: [{ index: 0 }, { index: 1 }] });
    expect(await store.send(batch)).toEqual(answer);
    expect(await textOf(store.directory, 'prefs.json.1.log')).toBe(before);
  });

  it('is one behind a clear that is stored, and not behind one that is left out', async () => {
    const store = await Store.open(await scratch());
    await store.write(set('a', 1), set('b', 1));
    const held = await store.write({ type: 'clear', transaction: 1 }, { type: 'set', key: 'c', json: '1', expect: 9, transaction: 1 }, expire('a', 1));
    expect(held.leftOut.map(({ index }) => index)).toEqual([0, 1]);
    expect((await store.write({ type: 'clear' }, expire('b', 1))).leftOut).toEqual([{ index: 1, reason: 'conflict', message: 'The key is absent.' }]);
  });
});
