import { existsSync, renameSync } from 'node:fs';
import { appendFile, open, readdir, readFile, readlink, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { persistify } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { describe, expect, it, onTestFinished, vi } from 'vitest';

import type { Feed } from '../../../lib/providers/provider.ts';
import { afterStat, afterSync, failHandles, failOpens, systemError } from './faults.ts';
import { consistentState, filesIn, foldedIn, scratch, stateNow, stateOf, Store, textOf, textsIn } from './store.ts';

/** A store with these entries, closed and opened again. */
async function stored(entries: Readonly<Record<string, string>>): Promise<string> {
  const store = await Store.open(await scratch());
  await store.write(...Object.entries(entries).map(([key, json]) => ({ type: 'set', key, json }) as const));
  await store.close();
  return store.directory;
}

function edit(directory: string, text: string): Promise<void> {
  return writeFile(join(directory, 'prefs.json'), text);
}

/** As most editors save. */
async function saveOver(directory: string, text: string): Promise<void> {
  await writeFile(join(directory, 'saved~'), text);
  await rename(join(directory, 'saved~'), join(directory, 'prefs.json'));
}

async function watched(directory: string): Promise<{ store: Store; feed: Feed[] }> {
  const store = await Store.open(directory);
  const feed: Feed[] = [];
  let version = 0;
  for await (const page of store.session.load()) version = page.version;
  store.session.watch?.({ version }).subscribe(item => feed.push(item));
  return { store, feed };
}

const within = { timeout: 3_000, interval: 10 };

describe('a file made by hand', () => {
  it.each([
    ['{"a":1,"b":[2]}', { a: '1', b: '[2]' }],
    ['{}', {}],
    ['\ufeff{"a":1}', { a: '1' }],
    ['{\r\n  "a" : { "x" : "é \\" }" },\r\n\t"b":1e3\r\n}\r\n', { a: '{"x":"é \\" }"}', b: '1e3' }],
    ['{"\\u0061":1,"b\\/c":2}', { a: '1', 'b/c': '2' }],
    ['{"10":1,"9":2,"__proto__":3}', { 10: '1', 9: '2', ['__proto__']: '3' }],
    ['{"big":12345678901234567890,"twice":{"a":1,"a":2}}', { big: '12345678901234567890', twice: '{"a":1,"a":2}' }],
  ])('is taken as it is: %s', async (text, expected) => {
    const directory = await scratch();
    await edit(directory, text);
    const store = await Store.open(directory);
    expect(new Map((await store.entries()).map(({ key, json }) => [key, json]))).toEqual(new Map(Object.entries(expected)));
    for (const { version } of await store.entries()) expect(version).toBe(1);
    await store.close();
    expect(store.reports).toEqual([]);
    expect(await textOf(directory)).toBe(text);
    const writing = await Store.open(directory);
    await writing.set('new', '1');
    await writing.close();
    expect((await textsIn(directory))['new']).toBe('1');
    expect(Object.keys(await textsIn(directory))).toHaveLength(Object.keys(expected).length + 1);
  });

  it('with a key twice has the value of the last, and that is told', async () => {
    const directory = await scratch();
    await edit(directory, '{"a":1,"b":2,"a":3,"\\u0061":4}');
    const store = await Store.open(directory);
    expect(await store.texts()).toEqual({ a: '4', b: '2' });
    expect(await store.entries()).toHaveLength(2);
    expect(store.reports).toEqual([expect.objectContaining({ code: 'CORRUPT_DATA', key: 'a', offset: 19 })]);
    await store.set('c', '3');
    await store.close();
    expect(JSON.parse(await textOf(directory))).toMatchObject({ a: 4, b: 2, c: 3 });
  });

  it('that is empty is an empty dictionary, and that is told', async () => {
    const directory = await scratch();
    await edit(directory, ' \n');
    const store = await Store.open(directory);
    expect(await store.texts()).toEqual({});
    expect(store.reports).toEqual([expect.objectContaining({ code: 'CORRUPT_DATA', message: expect.stringContaining('no content at all') as string })]);
  });
});

describe('an edit between two runs', () => {
  it('counts, with the header left as it was', async () => {
    const directory = await stored({ a: '1', b: '2' });
    await edit(directory, (await textOf(directory)).replace('"a":1', '"a":100').replace('"b":2,\n', ''));
    const store = await Store.open(directory);
    expect(await store.texts()).toEqual({ a: '100' });
    expect(store.reports).toEqual([]);
    await store.set('c', '3');
    expect(await textsIn(await stateOf(directory))).toEqual({ a: '100', c: '3' });
  });

  it('counts, reformatted by a program that keeps the header', async () => {
    const directory = await stored({ a: '{"x":[1,2]}', b: '2' });
    const value: unknown = JSON.parse(await textOf(directory));
    await edit(directory, JSON.stringify({ ...(value as object), c: 3 }, undefined, 2));
    expect(await textsIn(directory)).toEqual({ a: '{"x":[1,2]}', b: '2', c: '3' });
  });

  it('replaces every key but those in the logs of a run that was killed', async () => {
    const directory = await stored({ a: '1', b: '2', c: '3' });
    const store = await Store.open(directory);
    await store.write({ type: 'set', key: 'a', json: '"log"' }, { type: 'delete', key: 'c' });
    const state = await stateOf(directory);
    await edit(state, (await textOf(state)).replace('"b":2', '"b":"edit"').replace('"a":1', '"a":"edit"'));
    const after = await Store.open(state);
    expect(await after.texts()).toEqual({ a: '"log"', b: '"edit"' });
    expect(after.reports).toEqual([expect.objectContaining({ code: 'CORRUPT_DATA', key: 'a', message: expect.stringContaining('"a"') as string })]);
    await after.set('d', '4');
    expect(await textsIn(await stateOf(state))).toEqual({ a: '"log"', b: '"edit"', d: '4' });
    await after.close();
    expect(await textsIn(state)).toEqual({ a: '"log"', b: '"edit"', d: '4' });
  });

  it('keeps the deadlines in the header', async () => {
    const first = await Store.open(await scratch());
    await first.set('a', '1', { expiresAt: 5e12 });
    await first.close();
    await edit(first.directory, (await textOf(first.directory)).replace('"a":1', '"a": 2'));
    const store = await Store.open(first.directory);
    expect(await store.entries()).toEqual([{ key: 'a', json: '2', version: 2, expiresAt: 5e12 }]);
  });
});

describe('an edit while the store is open', () => {
  for (const [how, save] of [['written in place', edit], ['saved over it', saveOver]] as const) {
    it(`is adopted within a second, told, and folded, ${how}`, async () => {
      const directory = await stored({ a: '1', b: '2' });
      const { store, feed } = await watched(directory);
      const startedAt = performance.now();
      await save(directory, (await textOf(directory)).replace('"a":1', '"a":"edited"').replace('"b":2,\n', ''));
      await vi.waitUntil(() => feed.length > 0, within);
      expect(performance.now() - startedAt, 'a second, and what a busy machine takes').toBeLessThan(3_000);
      expect(feed).toEqual([{ type: 'reset' }]);
      const entries = await store.entries();
      expect(entries).toEqual([{ key: 'a', json: '"edited"', version: 2 }]);
      await vi.waitUntil(async () => (await textOf(directory)).includes('"generation":3'), within);
      expect(JSON.parse(await textOf(directory))).toMatchObject({ a: 'edited' });
      await store.set('c', '3', { expect: 0 });
      await store.set('a', '4', { expect: 2 });
      await store.close();
      expect(await textsIn(directory)).toEqual({ a: '4', c: '3' });
      expect(store.reports).toEqual([]);
    });
  }

  for (const [how, save] of [['written in place', edit], ['saved over it', saveOver]] as const) {
    it(`counts for what was edited, also where a log holds another value, and for nothing else there, ${how}`, async () => {
      const { store, feed } = await watched(await stored({ a: '1', b: '2', c: '3', d: '4', e: '[5, 1.50e+1]' }));
      const written = [['a', '"log"'], ['b', '"log"'], ['d', '"log"'], ['e', '"log"'], ['new', '"log"'], ['both', '"same"']] as const;
      await store.write(...written.map(([key, json]) => ({ type: 'set', key, json }) as const), { type: 'delete', key: 'c' });
      await store.write({ type: 'touch', key: 'a', expiresAt: 5e12 });
      const state = await scratch();
      const told = new Promise<string>(resolve => {
        store.session.watch?.({ version: Number.MAX_SAFE_INTEGER }).subscribe(() => resolve(stateNow(store.directory, state)));
      });
      // As a program would that knows of no header: b, c and e are as they were, d is taken out.
      await save(store.directory, '{ "a": "edit", "b": 2, "c": 3, "e": [5,15], "added": "edit", "both": "same" }');
      const expected = { a: '"edit"', b: '"log"', e: '"log"', added: '"edit"', new: '"log"', both: '"same"' };
      expect(await textsIn(await told)).toEqual(expected);
      expect(await store.texts()).toEqual(expected);
      await foldedIn(store.directory);
      expect(await textsIn(await stateOf(store.directory))).toEqual(expected);
      expect(feed).toHaveLength(1);
      expect(store.reports).toEqual([]);
      await store.set('d', '1', { expect: 0 });
      expect((await store.set('a', '2', { expect: (await store.entries()).find(({ key }) => key === 'a')?.version ?? -1 })).leftOut).toEqual([]);
    });
  }

  it('counts for what was edited of what a log has cleared', async () => {
    const { store, feed } = await watched(await stored({ a: '1', b: '2', c: '3' }));
    await store.write({ type: 'clear' }, { type: 'set', key: 'd', json: '4' });
    await edit(store.directory, (await textOf(store.directory)).replace('"a":1', '"a":"edit"').replace('"b":2,\n', ''));
    await vi.waitUntil(() => feed.length > 0, within);
    expect(await store.texts()).toEqual({ a: '"edit"', d: '4' });
  });

  it('has the deadlines that its header states', async () => {
    const first = await Store.open(await scratch());
    await first.set('a', '1', { expiresAt: 5e12 });
    await first.close();
    const { store, feed } = await watched(first.directory);
    await store.set('a', '"log"', { expiresAt: 6e12 });
    await edit(store.directory, (await textOf(store.directory)).replace('"a":1', '"a":"edit"'));
    await vi.waitUntil(() => feed.length > 0, within);
    expect(await store.entries()).toEqual([expect.objectContaining({ key: 'a', json: '"edit"', expiresAt: 5e12 })]);
  });

  it('is answered after a kill like the batch before it', async () => {
    const { store } = await watched(await stored({ a: '1' }));
    const batch = store.batch({ type: 'set', key: 'a', json: '"log"' });
    await store.send(batch);
    const state = await scratch();
    const told = new Promise<string>(resolve => {
      store.session.watch?.({ version: Number.MAX_SAFE_INTEGER }).subscribe(() => resolve(stateNow(store.directory, state)));
    });
    await edit(store.directory, '{"a":"edit"}');
    const again = await Store.open(await told);
    await again.send(batch);
    expect(await again.texts()).toEqual({ a: '"edit"' });
  });

  it('in place of a file too large to be kept tells of what it cannot know to be edited', async () => {
    const big = JSON.stringify('x'.repeat(1_200_000));
    const { store, feed } = await watched(await stored({ a: '1', b: '2', big }));
    await store.write({ type: 'set', key: 'a', json: '"log"' }, { type: 'set', key: 'new', json: '"log"' });
    const text = await textOf(store.directory);
    await edit(store.directory, text.replace('"a":1', '"a":"edit"').replace('"b":2', '"b":"edit"'));
    await vi.waitUntil(() => feed.length > 0, within);
    expect(await store.texts()).toEqual({ a: '"log"', b: '"edit"', new: '"log"', big });
    expect(store.reports).toEqual([expect.objectContaining({ code: 'CORRUPT_DATA', key: 'a', message: expect.stringContaining('"a"') as string })]);
  });

  it('saved over a large file counts as well', async () => {
    const big = JSON.stringify('x'.repeat(1_200_000));
    const { store, feed } = await watched(await stored({ a: '1', big }));
    await store.set('a', '"log"');
    await saveOver(store.directory, (await textOf(store.directory)).replace('"a":1', '"a":"edit"'));
    await vi.waitUntil(() => feed.length > 0, within);
    expect(await store.texts()).toEqual({ a: '"edit"', big });
    expect(store.reports).toEqual([]);
  });

  it('that is broken, written in place, leaves what was there to be read', async () => {
    const { store } = await watched(await stored({ a: '1' }));
    await edit(store.directory, '{"a":2');
    await vi.waitUntil(() => store.reports.length > 0, within);
    await store.set('b', '2');
    expect(await store.texts()).toEqual({ a: '1', b: '2' });
  });

  it('survives a kill right after it was adopted, though it is a plain object on logs', async () => {
    const { store, feed } = await watched(await stored({ a: '1' }));
    await store.set('b', '2');
    const adopted = new Promise<string>(resolve => {
      store.session.watch?.({ version: Number.MAX_SAFE_INTEGER }).subscribe(() => resolve(store.set('c', '3').then(() => consistentState(store.directory))));
    });
    await edit(store.directory, '{"a":"edit"}');
    const state = await adopted;
    expect(feed).toHaveLength(1);
    expect(await textsIn(state)).toEqual({ a: '"edit"', b: '2', c: '3' });
  });

  it('survives a kill at the moment at which it is told, though it is a plain object on logs', async () => {
    const { store } = await watched(await stored({ a: '1' }));
    await store.set('b', '2');
    const state = await scratch();
    const told = new Promise<void>(resolve => {
      store.session.watch?.({ version: Number.MAX_SAFE_INTEGER }).subscribe(() => {
        stateNow(store.directory, state);
        resolve();
      });
    });
    await edit(store.directory, '{"a":"edit"}');
    await told;
    expect(await textsIn(state)).toEqual({ a: '"edit"', b: '2' });
  });

  it.each([1, 2, 3, 4, 5, 6])('is not lost, whenever it comes: right after look %i at the file of one before', async look => {
    const { store } = await watched(await stored({ a: '1' }));
    const path = join(store.directory, 'prefs.json');
    await writeFile(`${path}~`, '{"a":"second"}');
    afterStat(path, look, () => renameSync(`${path}~`, path));
    await saveOver(store.directory, '{"a":"first"}');
    await vi.waitUntil(async () => (await store.texts())['a'] === '"second"', within);
  });

  it('is adopted while writes go on', async () => {
    const { store, feed } = await watched(await stored({ a: '1' }));
    let rounds = 0;
    const writing = (async () => {
      for (; feed.length === 0 && rounds < 5_000; rounds += 1) {
        await store.set('busy', `${rounds}`);
        await new Promise(resolve => setImmediate(resolve));
      }
    })();
    await saveOver(store.directory, '{"a":"edit"}');
    await writing;
    expect(feed).toEqual([{ type: 'reset' }]);
    expect(await store.texts()).toEqual({ a: '"edit"', busy: `${rounds - 1}` });
  });

  it.each([['idle', false], ['busy', true]])('is told as remote within a second, and nothing else is, by a store that is %s', async (_, isBusy) => {
    const directory = await stored({ a: '1', b: '2' });
    const store = await persistify(jsonFile({ directory })).withBatch({ intervalMs: 1 }).open<Record<string, unknown>>('prefs');
    onTestFinished(() => store.close());
    const told: string[] = [];
    store.changes$.subscribe(change => {
      if ('key' in change && change.key !== 'busy') told.push(`${change.type} ${change.key} ${change.origin}`);
    });
    let rounds = 0;
    const busy = setInterval(() => {
      if (isBusy) store.set('busy', rounds += 1);
    }, 1);
    if (isBusy) await vi.waitUntil(() => rounds > 20, within);
    const startedAt = performance.now();
    await saveOver(directory, '{"a":"edited","b":2,"c":3}');
    await vi.waitUntil(() => told.length > 0, within);
    expect(performance.now() - startedAt, 'a second, and what a busy machine takes').toBeLessThan(3_000);
    clearInterval(busy);
    await store.flush();
    expect(told.sort()).toEqual(['set a remote', 'set c remote']);
    expect(store.get('busy')).toBe(isBusy ? rounds : undefined);
    await store.close();
    expect(JSON.parse(await textOf(directory))).toMatchObject({ a: 'edited', b: 2, c: 3, ...(isBusy && { busy: rounds }) });
  });

  it('is waited for until it is whole', async () => {
    const { store, feed } = await watched(await stored({ a: '1' }));
    const file = await open(join(store.directory, 'prefs.json'), 'w');
    for (const piece of ['{"a":"edited', ' in', ' pieces', '"}']) {
      await file.write(piece);
      await new Promise(resolve => setTimeout(resolve, 120));
      if (piece !== '"}') expect(feed).toEqual([]);
    }
    await file.close();
    await vi.waitUntil(() => feed.length > 0, within);
    expect(store.reports).toEqual([]);
    expect(await store.texts()).toEqual({ a: '"edited in pieces"' });
  });

  it('that is broken is told once, changes nothing, and can be mended', async () => {
    const { store, feed } = await watched(await stored({ a: '1' }));
    await saveOver(store.directory, '{"a":2');
    await vi.waitUntil(() => store.reports.length > 0, within);
    expect(store.reports).toEqual([expect.objectContaining({ code: 'CORRUPT_DATA', location: join(store.directory, 'prefs.json'), offset: 6 })]);
    await store.set('b', '2');
    expect(await store.texts()).toEqual({ a: '1', b: '2' });
    await new Promise(resolve => setTimeout(resolve, 1_200));
    expect(store.reports).toHaveLength(1);
    expect(feed).toEqual([]);
    expect(await textOf(store.directory)).toBe('{"a":2');
    await appendFile(join(store.directory, 'prefs.json'), '}');
    await vi.waitUntil(() => feed.length > 0, within);
    expect(await store.texts()).toEqual({ a: '2', b: '2' });
    await foldedIn(store.directory);
  });

  it('that cannot be read for a while is told once, and taken in as soon as it can be', async () => {
    const { store, feed } = await watched(await stored({ a: '1' }));
    const heal = failOpens('EMFILE', path => path === join(store.directory, 'prefs.json'));
    await saveOver(store.directory, '{"a":2}');
    await vi.waitUntil(() => store.reports.length > 0, within);
    await new Promise(resolve => setTimeout(resolve, 1_200));
    expect(store.reports).toEqual([expect.objectContaining({ code: 'PROVIDER', kind: 'retry', message: expect.stringContaining('which was changed') as string })]);
    expect(feed).toEqual([]);
    heal();
    await vi.waitUntil(() => feed.length > 0, within);
    expect(await store.texts()).toEqual({ a: '2' });
    await foldedIn(store.directory);
    expect(store.reports).toHaveLength(1);
  });

  it('of which the logs cannot be read at that moment is taken in a moment later', async () => {
    const { store, feed } = await watched(await stored({ a: '1' }));
    await store.set('b', '2');
    let failures = 0;
    failOpens('EMFILE', path => path.endsWith('.log') && ++failures === 1);
    await saveOver(store.directory, (await textOf(store.directory)).replace('"a":1', '"a":"edit"'));
    await vi.waitUntil(() => feed.length > 0, within);
    expect(failures).toBeGreaterThan(1);
    expect(await store.texts()).toEqual({ a: '"edit"', b: '2' });
    await foldedIn(store.directory);
    expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '"edit"', b: '2' });
    expect(store.reports).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('that cannot be looked at once more when it was read leaves no file open', async () => {
    const { store, feed } = await watched(await stored({ a: '1' }));
    const path = join(store.directory, 'prefs.json');
    afterStat(path, 3, () => {
      throw systemError('EIO');
    });
    await saveOver(store.directory, '{"a":2}');
    await vi.waitUntil(() => feed.length > 0, within);
    await foldedIn(store.directory);
    const open = await Promise.all((await readdir('/proc/self/fd')).map(fd => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    expect(open.filter(name => name.replace(' (deleted)', '') === path)).toEqual([path]);
  });

  it('that is mended while it is found to be broken is not left alone as a broken one', async () => {
    const { store } = await watched(await stored({ a: '1' }));
    const path = join(store.directory, 'prefs.json');
    const mended = `${path}~`;
    await writeFile(mended, '{"a":2}');
    const brokenAt = performance.now();
    // In the last look before it is told: what was opened is broken, and before it is read there is another file.
    await afterSync(() => {
      if (performance.now() - brokenAt > 450 && existsSync(mended)) renameSync(mended, path);
    });
    await saveOver(store.directory, '{"a":2');
    await vi.waitUntil(() => !existsSync(mended) || store.reports.length > 0, within);
    if (existsSync(mended)) renameSync(mended, path); // it was told just before
    await vi.waitUntil(async () => (await store.texts())['a'] === '2', within);
    await foldedIn(store.directory);
  });

  for (const [how, save] of [['written in place', edit], ['saved over it', saveOver]] as const) {
    it.each([['broken', '{"a":2'], ['emptied', '']])(`that is %s at close stays, with the logs, and what was there is put beside it, ${how}`, async (_, text) => {
      const directory = await stored({ a: '1' });
      const store = await Store.open(directory);
      await store.set('b', '2');
      await save(directory, text);
      await store.close();
      expect(store.reports).toEqual([
        expect.objectContaining({ code: 'CORRUPT_DATA' }),
        expect.objectContaining({ code: 'CORRUPT_DATA', location: join(directory, 'prefs.json'), message: expect.stringContaining('prefs.json.3.kept') as string }),
      ]);
      expect(await filesIn(directory)).toEqual(['prefs.json', 'prefs.json.2.log', 'prefs.json.3.kept']);
      expect(await textOf(directory)).toBe(text);
      await expect(Store.open(directory)).rejects.toMatchObject({ code: 'CORRUPT_DATA' });
      await rename(join(directory, 'prefs.json.3.kept'), join(directory, 'prefs.json'));
      expect(await textsIn(directory)).toEqual({ a: '1', b: '2' });
      expect(await filesIn(directory)).toEqual(['prefs.json']);
    });
  }

  it('that was refused costs nothing at close either, where no log holds anything', async () => {
    const { store } = await watched(await stored({ a: '1' }));
    await saveOver(store.directory, '');
    await vi.waitUntil(() => store.reports.length > 0, within);
    await writeFile(join(store.directory, 'prefs.json.2.kept'), 'of another time');
    await store.close();
    expect(store.reports).toHaveLength(2);
    expect(await filesIn(store.directory)).toEqual(['prefs.json', 'prefs.json.2.kept', 'prefs.json.3.kept']);
    await rename(join(store.directory, 'prefs.json.3.kept'), join(store.directory, 'prefs.json'));
    expect(await textsIn(store.directory)).toEqual({ a: '1' });
  });

  it('right before close is not lost', async () => {
    const directory = await stored({ a: '1' });
    const store = await Store.open(directory);
    await store.set('b', '2');
    await edit(directory, '{"a":"edit"}');
    await store.close();
    expect(await textsIn(directory)).toEqual({ a: '"edit"', b: '2' });
  });

  it('that empties the file is refused', async () => {
    const { store } = await watched(await stored({ a: '1' }));
    await saveOver(store.directory, '');
    await vi.waitUntil(() => store.reports.length > 0, within);
    expect(store.reports[0]?.message).toContain('write {} into it');
    expect(await store.texts()).toEqual({ a: '1' });
  });

  it('that only touches the file is none', async () => {
    const { store, feed } = await watched(await stored({ a: '1' }));
    await utimes(join(store.directory, 'prefs.json'), 1, 1);
    await store.set('b', '2');
    await foldedIn(store.directory);
    expect(feed).toEqual([]);
    expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '1', b: '2' });
  });

  it('that removes the file is told, and the file is written again', async () => {
    const { store, feed } = await watched(await stored({ a: '1' }));
    await rm(join(store.directory, 'prefs.json'));
    await vi.waitUntil(async () => (await filesIn(store.directory)).includes('prefs.json'), within);
    expect(store.reports).toEqual([expect.objectContaining({ message: expect.stringContaining('was removed') as string })]);
    expect(feed).toEqual([]);
    expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '1' });
  });

  it('that removes the file is told once, however long it cannot be written again', async () => {
    const { store } = await watched(await stored({ a: '1' }));
    const heal = await failHandles('sync', 'ENOSPC', () => true);
    await rm(join(store.directory, 'prefs.json'));
    await vi.waitUntil(() => store.reports.length > 1, within);
    await new Promise(resolve => setTimeout(resolve, 1_200));
    expect(store.reports.map(({ message }) => message)).toEqual([expect.stringContaining('was removed'), expect.stringContaining('could not fold the logs')]);
    heal();
    await foldedIn(store.directory);
    expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '1' });
  });

  describe('that was refused', () => {
    async function refused(): Promise<Store> {
      const { store } = await watched(await stored({ a: '1' }));
      await rename(join(store.directory, 'prefs.json'), join(store.directory, 'kept'));
      await saveOver(store.directory, '{"a":2');
      await vi.waitUntil(() => store.reports.length > 0, within);
      return store;
    }

    it('and is then removed costs nothing: that is told once, and the file is written again', async () => {
      const store = await refused();
      await rm(join(store.directory, 'prefs.json'));
      await foldedIn(store.directory, 'kept');
      expect(store.reports.map(({ message }) => message)).toEqual([expect.stringContaining('damaged'), expect.stringContaining('was removed')]);
      await store.set('b', '2');
      await foldedIn(store.directory, 'kept');
      expect(store.reports).toHaveLength(2);
      expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '1', b: '2' });
    });

    it('and is removed right before close costs nothing either', async () => {
      const store = await refused();
      await rm(join(store.directory, 'prefs.json'));
      await store.close();
      expect(store.reports.map(({ message }) => message)).toEqual([expect.stringContaining('damaged'), expect.stringContaining('was removed')]);
      expect(await textsIn(store.directory)).toEqual({ a: '1' });
    });

    it('and is undone by the very file that was there keeps nothing from being folded', async () => {
      const store = await refused();
      await rename(join(store.directory, 'kept'), join(store.directory, 'prefs.json'));
      await store.set('b', '2');
      await foldedIn(store.directory);
      expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '1', b: '2' });
    });
  });

  it('is told to one who begins to watch after it', async () => {
    const { store, feed } = await watched(await stored({ a: '1' }));
    await edit(store.directory, '{"a":2}');
    await vi.waitUntil(() => feed.length > 0, within);
    const late: Feed[] = [];
    store.session.watch?.({ version: 1 }).subscribe(item => late.push(item));
    expect(late).toEqual([{ type: 'reset' }]);
    const current: Feed[] = [];
    store.session.watch?.({ version: (await store.entries())[0]?.version ?? 0 }).subscribe(item => current.push(item));
    expect(current).toEqual([]);
  });

  it('may put back a .json file of another time', async () => {
    const directory = await stored({ a: '1' });
    const old = await readFile(join(directory, 'prefs.json'));
    const { store, feed } = await watched(directory);
    await store.set('a', '2');
    await foldedIn(directory);
    await writeFile(join(directory, 'prefs.json'), old);
    await vi.waitUntil(() => feed.length > 0, within);
    expect(await store.texts()).toEqual({ a: '1' });
    await store.set('b', '1');
    expect(await textsIn(await stateOf(directory))).toEqual({ a: '1', b: '1' });
  });

  it.each([['beneath logs', true], ['without logs', false]])('may put back a .json file of a later time, %s', async (_, onLogs) => {
    const later = await Store.open(await scratch());
    for (let round = 1; round <= 5; round += 1) await later.set('a', `${round}`);
    await later.close();
    const { store, feed } = await watched(await stored({ a: '1' }));
    if (onLogs) await store.set('b', '2');
    const state = await scratch();
    const written = new Promise<string>(resolve => {
      store.session.watch?.({ version: Number.MAX_SAFE_INTEGER }).subscribe(() => resolve(store.set('c', '3').then(() => stateNow(store.directory, state))));
    });
    await saveOver(store.directory, await textOf(later.directory));
    expect(await textsIn(await written)).toEqual({ a: '5', ...(onLogs && { b: '2' }), c: '3' });
    expect(feed).toHaveLength(1);
  });
});
