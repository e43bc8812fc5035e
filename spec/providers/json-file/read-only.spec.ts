import { spawnSync } from 'node:child_process';
import fs, { writeFileSync } from 'node:fs';
import { appendFile, chmod, link, mkdir, readdir, readFile, rename, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { OptionsError, ReadOnlyError } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { describe, expect, it, onTestFinished, vi } from 'vitest';

import { Child } from './child.ts';
import { failHandles, failSync } from './faults.ts';
import { Reader, sorted } from './reader.ts';
import { filesIn, foldedIn, scratch, stateOf, Store, textOf } from './store.ts';

/** Everything about the files of a directory that a reader could change, but for when they were read. */
async function stateIn(directory: string): Promise<unknown> {
  const names = (await readdir(directory)).sort();
  const files = await Promise.all(names.map(async name => {
    const { ino, mode, uid, size, mtimeNs, ctimeNs, nlink } = await stat(join(directory, name), { bigint: true });
    return { name, ino, mode, uid, size, mtimeNs, ctimeNs, nlink };
  }));
  const { mtimeNs, ctimeNs } = await stat(directory, { bigint: true });
  return { files, mtimeNs, ctimeNs };
}

function edit(directory: string, text: string): Promise<void> {
  return writeFile(join(directory, 'prefs.json'), text);
}

/** A directory that a killed owner left: a `.json` file of `a`, and a log in which `b` and `c` were set. */
async function leftover(): Promise<string> {
  const first = await Store.open(await scratch());
  await first.set('a', '1');
  await first.close();
  const second = await Store.open(first.directory);
  await second.set('b', '2');
  await second.set('c', '3');
  return stateOf(first.directory);
}

const logOf = (directory: string): Promise<string> => filesIn(directory).then(names => join(directory, names.find(name => name.endsWith('.log')) ?? ''));

describe('a reader of files that nobody has open', () => {
  it('shows what is in a plain file, and leaves everything as it is', async () => {
    const directory = await scratch();
    await edit(directory, '{ "a": [1, 2], "b": "x" }');
    const before = await stateIn(directory);
    const reader = await Reader.open(directory);
    expect(reader.texts).toEqual({ a: '[1,2]', b: '"x"' });
    await delay(400);
    await reader.close();
    expect(await stateIn(directory)).toEqual(before);
    expect(reader.reports).toEqual([]);
  });

  it('shows what a killed owner left, but for the end of a commit that he had not written, and leaves it all as it is', async () => {
    const directory = await leftover();
    await appendFile(await logOf(directory), '01234567 {"seq":4,"wri');
    await writeFile(join(directory, 'prefs.json.0123456789abcdef.tmp'), 'a fold under way');
    const before = await stateIn(directory);
    const reader = await Reader.open(directory);
    expect(reader.texts).toEqual({ a: '1', b: '2', c: '3' });
    await delay(400);
    await reader.close();
    expect(await stateIn(directory)).toEqual(before);
    expect(reader.reports).toEqual([]);
  });

  it('shows what is left of a fold that was killed after its rename', async () => {
    const directory = await leftover();
    const log = await logOf(directory);
    await link(log, join(directory, 'kept'));
    const store = await Store.open(directory);
    await store.close();
    await rename(join(directory, 'kept'), log);
    const before = await stateIn(directory);
    const reader = await Reader.open(directory);
    expect(reader.texts).toEqual({ a: '1', b: '2', c: '3' });
    await delay(300);
    expect(await stateIn(directory)).toEqual(before);
    expect(reader.shown).toHaveLength(1);
  });

  it.each(['the file', 'the directory'])('is empty where %s is missing, and shows what comes', async what => {
    const parent = await scratch();
    const directory = what === 'the file' ? parent : join(parent, 'data', 'deep');
    const reader = await Reader.open(directory, { pollMs: 20 });
    expect([reader.texts, await readdir(parent)]).toEqual([{}, []]);
    const store = await Store.open(directory);
    await store.set('a', '1');
    await reader.shows({ a: '1' });
    await store.set('b', '2');
    await reader.shows({ a: '1', b: '2' });
    await store.close();
  });

  it.each([
    ['that is no JSON', '{"a":1', /damaged at byte 6/],
    ['of another dictionary', '{"":{"format":"rx-persistify/1","name":"other","generation":1,"seq":1,"crc":""}}', /is the file of the dictionary "other"/],
    ['of a newer version', '{"":{"format":"rx-persistify/9"}}', /which a newer version of rx-persistify wrote/],
  ])('refuses a file %s', async (_, text, message) => {
    const directory = await scratch();
    await edit(directory, text);
    await expect(Reader.open(directory)).rejects.toThrow(message);
    expect([await filesIn(directory), await textOf(directory)]).toEqual([['prefs.json'], text]);
  });

  it('refuses logs without the file that they stand on', async () => {
    const directory = await leftover();
    await rm(join(directory, 'prefs.json'));
    await expect(Reader.open(directory)).rejects.toMatchObject({ code: 'CORRUPT_DATA', message: expect.stringContaining('missing, but logs stand on it') as string });
  });

  it('refuses to write', async () => {
    const reader = await Reader.open(await scratch());
    const batch = { writer: 'reader', number: 1, mutations: [{ type: 'set', key: 'a', json: '1' }] } as const;
    await expect(reader.session.write(batch, { signal: new AbortController().signal })).rejects.toThrow(ReadOnlyError);
    expect(reader.session.capabilities).toMatchObject({ readOnly: true, shared: true });
  });

  it('needs no permission to write', async () => {
    const directory = await leftover();
    for (const name of await filesIn(directory)) await chmod(join(directory, name), 0o444);
    await chmod(directory, 0o555);
    const before = await stateIn(directory);
    const program = `
      import { persistify } from 'rx-persistify';
      import { jsonFile } from 'rx-persistify/json-file';
      const store = await persistify(jsonFile({ directory: ${JSON.stringify(directory)}, readOnly: true })).open('prefs');
      await new Promise(resolve => setTimeout(resolve, 300));
      console.log(JSON.stringify([process.geteuid(), ...store]));
      await store.close();`;
    // Root may write everywhere: then as somebody else.
    const nobody = process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { ...nobody, encoding: 'utf8' });
    await chmod(directory, 0o700);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual([nobody.uid ?? process.geteuid?.(), ['a', 1], ['b', 2], ['c', 3]]);
    await chmod(directory, 0o555);
    expect({ ...(await stateIn(directory)) as object, ctimeNs: 0 }).toEqual({ ...before as object, ctimeNs: 0 });
    await chmod(directory, 0o700);
  });
});

describe('the options', () => {
  it('readOnly and takeOver exclude each other', () => {
    expect(() => jsonFile({ directory: 'x', readOnly: true, takeOver: true })).toThrow(OptionsError);
    expect(() => jsonFile({ directory: 'x', readOnly: true, takeOver: false })).not.toThrow();
  });

  it.each([9, 60_001, 1.5, '250'])('pollMs is a whole number of milliseconds from 10 to 60,000, and not %s', pollMs => {
    expect(() => jsonFile({ directory: 'x', readOnly: true, pollMs: pollMs as number })).toThrow(/pollMs must be a whole number of milliseconds from 10 to 60000/);
  });
});

describe('a reader beside an owner', () => {
  it('is told each of his commits, in their order, each as it was', async () => {
    const store = await Store.open(await scratch());
    const reader = await Reader.open(store.directory);
    const expected: Record<string, string>[] = [];
    for (let round = 1; round <= 60; round += 1) {
      const before = expected.at(-1) ?? {};
      if (round % 20 === 0) {
        await store.write({ type: 'clear' }, { type: 'set', key: 'after', json: `${round}` });
        expected.push({ after: `${round}` });
      } else if (round % 3 === 0) {
        await store.write({ type: 'delete', key: `key ${round - 1}` }, { type: 'set', key: 'round', json: `${round}` });
        expected.push(Object.fromEntries(Object.entries({ ...before, round: `${round}` }).filter(([key]) => key !== `key ${round - 1}`)));
      } else {
        await store.set(`key ${round}`, `"é ${round}"`);
        expected.push({ ...before, [`key ${round}`]: `"é ${round}"` });
      }
      if (round % 7 === 0) await delay(3);
    }
    await reader.shows(expected.at(-1) ?? {});
    expect(reader.commits.map(({ texts }) => sorted(texts))).toEqual(expected.map(sorted));
    expect(reader.shown.filter(({ by }) => by === 'load')).toHaveLength(1);
  });

  it('does not keep him from his files: he opens, writes, folds and closes, and one file remains', async () => {
    const directory = await leftover();
    const reader = await Reader.open(directory);
    const store = await Store.open(directory);
    await store.set('d', '4');
    await reader.shows({ a: '1', b: '2', c: '3', d: '4' });
    await foldedIn(directory);
    await store.set('e', '5');
    await store.close();
    await reader.shows({ a: '1', b: '2', c: '3', d: '4', e: '5' });
    expect(await filesIn(directory)).toEqual(['prefs.json']);
    const again = await Store.open(directory);
    await again.set('f', '6');
    await reader.shows({ a: '1', b: '2', c: '3', d: '4', e: '5', f: '6' });
    await again.close();
    expect(await filesIn(directory)).toEqual(['prefs.json']);
  });

  it('goes on through folds without reading everything anew', async () => {
    const store = await Store.open(await scratch());
    const reader = await Reader.open(store.directory);
    for (let round = 1; round <= 3; round += 1) {
      await store.set('round', `${round}`);
      await reader.shows({ round: `${round}` });
      await foldedIn(store.directory);
    }
    await delay(100);
    expect(reader.shown.map(({ version, by }) => `${by} ${version}`)).toEqual(['load 1', 'commit 2', 'commit 3', 'commit 4']);
  });

  it('hears of a commit within some milliseconds', async () => {
    const store = await Store.open(await scratch());
    const reader = await Reader.open(store.directory, { pollMs: 60_000 });
    const delays: number[] = [];
    for (let round = 1; round <= 40; round += 1) {
      await store.set('round', `${round}`);
      const startedAt = performance.now();
      await reader.shows({ round: `${round}` });
      delays.push(performance.now() - startedAt);
      await delay(round % 10 === 0 ? 200 : 10);
    }
    expect(delays.sort((one, other) => one - other)[20]).toBeLessThan(50);
    expect(delays.at(-1), 'before he folds, after a second, which would be noticed too').toBeLessThan(900);
  });

  it('hears of commits where no directory can be watched, by looking', async () => {
    const watch = vi.spyOn(fs, 'watch').mockImplementation(() => {
      throw Object.assign(new Error('System limit for number of file watchers reached'), { code: 'ENOSPC' });
    });
    syncBuiltinESMExports();
    onTestFinished(() => {
      expect(watch).toHaveBeenCalled();
      watch.mockRestore();
      syncBuiltinESMExports();
    });
    const store = await Store.open(await scratch());
    const reader = await Reader.open(store.directory, { pollMs: 10 });
    for (let round = 1; round <= 10; round += 1) {
      await store.set('round', `${round}`);
      await reader.shows({ round: `${round}` });
    }
  });

  it('opens beside him in the middle of his work, at one of his commits', async () => {
    const store = await Store.open(await scratch());
    let round = 0;
    const over = new AbortController();
    const writing = (async () => {
      while (!over.signal.aborted) {
        round += 1;
        await store.write(...Array.from({ length: 200 }, (_, index) => ({ type: 'set', key: `key ${index}`, json: `"${round} ${'x'.repeat(100)}"` }) as const));
        await new Promise(resolve => setImmediate(resolve));
      }
    })();
    for (let count = 0; count < 25; count += 1) {
      const least = round - 1;
      const reader = await Reader.open(store.directory);
      const rounds = new Set(Object.values(reader.texts).map(json => Number(json.slice(1).split(' ')[0])));
      expect(rounds.size, 'of one commit').toBeLessThanOrEqual(1);
      if (least > 0) expect([...rounds][0]).toBeGreaterThanOrEqual(least);
      await reader.close();
    }
    over.abort();
    await writing;
  });

  it('opens at one of his commits, whatever of his files he replaces meanwhile', async () => {
    const { directory } = await Store.open(await scratch()).then(async first => {
      await first.write(...Array.from({ length: 60 }, (_, index) => ({ type: 'set', key: `key ${index}`, json: `"${'x'.repeat(100_000)}"` }) as const));
      await first.close();
      return first;
    });
    let acknowledged = 0;
    const over = new AbortController();
    const working = (async () => {
      for (let round = 1; !over.signal.aborted; round += 1) {
        const store = await Store.open(directory);
        await store.set('round', `${round}`);
        acknowledged = round;
        await store.close();
      }
    })();
    for (let count = 0; count < 40; count += 1) {
      const least = acknowledged;
      const reader = await Reader.open(directory);
      expect(Number(reader.texts['round'] ?? 0)).toBeGreaterThanOrEqual(least);
      await reader.close();
    }
    over.abort();
    await working;
  });

  it('misses no commit though he has folded it and is gone before the reader comes to look', async () => {
    const [directory, owner] = [await scratch(), await Child.start()];
    await owner.tell('open', { directory });
    const reader = await Reader.open(directory);
    await owner.tell('set', { key: 'a', json: '1' });
    await reader.shows({ a: '1' });
    const answers = [2, 3, 4].map(json => owner.tell('set', { key: 'a', json: String(json) }));
    const closed = owner.tell('close');
    await delay(1);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000); // nothing of this process runs meanwhile
    expect(await filesIn(directory)).toEqual(['prefs.json']);
    await Promise.all([...answers, closed]);
    await reader.shows({ a: '4' });
    expect(reader.commits.map(({ texts }) => texts['a'])).toEqual(['1', '2', '3', '4']);
  });

  it('waits for a commit that is not whole yet', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    const before = await stateOf(store.directory);
    await store.set('b', '"two"');
    const log = await readFile(await logOf(store.directory));
    const reader = await Reader.open(before, { pollMs: 10 });
    const path = await logOf(before);
    const { size } = await stat(path);
    for (let at = size; at < log.length; at += 20) {
      expect(reader.texts).toEqual({ a: '1' });
      await appendFile(path, log.subarray(at, at + 20));
      await delay(25);
    }
    await reader.shows({ a: '1', b: '"two"' });
    expect([reader.shown.length, reader.reports]).toEqual([2, []]);
  });

  it('is told of deadlines, and of the later ones of a touch', async () => {
    const store = await Store.open(await scratch());
    const reader = await Reader.open(store.directory);
    await store.write({ type: 'set', key: 'a', json: '1', expiresAt: 5e12 }, { type: 'set', key: 'b', json: '1', expiresAt: 5e12 }, { type: 'set', key: 'c', json: '1' });
    await store.write({ type: 'touch', key: 'a', expiresAt: 6e12 }, { type: 'touch', key: 'b', expiresAt: 4e12 }, { type: 'touch', key: 'c', expiresAt: 6e12 });
    await reader.until(() => reader.commits.length === 2, 'the touch');
    expect(Object.fromEntries(reader.deadlines)).toEqual({ a: 6e12, b: 5e12 });
    const later = await Reader.open(store.directory);
    expect(Object.fromEntries(later.deadlines)).toEqual({ a: 6e12, b: 5e12 });
  });

  it('tells of damage once, goes on showing what was before it, and goes on once it is mended', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    const state = await stateOf(store.directory);
    const reader = await Reader.open(state, { pollMs: 20 });
    const path = await logOf(state);
    const { size } = await stat(path);
    await appendFile(path, 'this is no record\n');
    await vi.waitUntil(() => reader.reports.length > 0, { timeout: 5_000 });
    await delay(300);
    expect(reader.reports).toEqual([expect.objectContaining({ code: 'CORRUPT_DATA', location: path, offset: size })]);
    expect(reader.texts).toEqual({ a: '1' });
    await truncate(path, size);
    const next = await Store.open(state);
    await next.set('b', '2');
    await reader.shows({ a: '1', b: '2' });
  });
});

describe('a commit that its owner did not acknowledge', () => {
  /** Puts a lock in place as of one who took the store over, and has not begun his log yet. */
  async function displace(directory: string): Promise<void> {
    const path = join(directory, 'prefs.json.lock');
    const owner = JSON.parse(await readFile(path, 'utf8')) as object;
    await writeFile(join(directory, 'taken'), JSON.stringify({ ...owner, id: 'feedfeedfeedfeed', tookOver: true }));
    await rename(join(directory, 'taken'), path);
  }

  it('is not shown while it is open whether the one who displaced him has found it', async () => {
    const owner = await Store.open(await scratch());
    const { directory } = owner;
    await owner.set('a', '1');
    const reader = await Reader.open(directory, { pollMs: 10 });
    await displace(directory);
    await expect(owner.set('a', '"displaced"')).rejects.toThrow('taken over');
    const late = await Reader.open(directory);
    await delay(300);
    expect([reader.texts, late.texts]).toEqual([{ a: '1' }, { a: '1' }]);
    const taker = await Store.open(directory, { takeOver: true });
    expect(await taker.texts()).toEqual({ a: '"displaced"' });
    for (const each of [reader, late]) await each.shows({ a: '"displaced"' });
  });

  it('is never shown if he wrote it after that', async () => {
    const owner = await Store.open(await scratch());
    await owner.set('a', '1');
    const reader = await Reader.open(owner.directory, { pollMs: 10 });
    const taker = await Store.open(owner.directory, { takeOver: true });
    await expect(owner.set('a', '"displaced"')).rejects.toThrow('taken over');
    await delay(200);
    await taker.set('b', '2');
    await reader.shows({ a: '1', b: '2' });
    expect(reader.shown.map(({ texts }) => sorted(texts)).filter(text => text.includes('displaced'))).toEqual([]);
    expect((await Reader.open(owner.directory)).texts).toEqual({ a: '1', b: '2' });
  });

  it('as a flush failed, is shown once more at most when he writes it again, and nothing goes back', async () => {
    const owner = await Store.open(await scratch());
    await owner.set('count', '1');
    const reader = await Reader.open(owner.directory);
    failSync('fdatasyncSync', 'EIO');
    const batch = owner.batch({ type: 'set', key: 'count', json: '2' });
    await expect(owner.send(batch)).rejects.toThrow('EIO');
    await delay(100);
    await owner.send(batch);
    await owner.set('count', '3');
    await reader.shows({ count: '3' });
    const counts = reader.shown.map(({ texts }) => Number(texts['count']));
    expect(counts).toEqual([...counts].sort((one, other) => one - other));
  });

  it('is not shown before it is durable', async () => {
    const owner = await Store.open(await scratch());
    await owner.set('a', '1');
    const reader = await Reader.open(owner.directory, { pollMs: 10 });
    const heal = await failHandles('datasync', 'EIO', () => true);
    await owner.set('a', '2'); // flushes by itself, so that it is acknowledged
    await delay(300);
    expect(reader.texts).toEqual({ a: '1' });
    heal();
    await reader.shows({ a: '2' });
  });

  it('is taken back if it never comes again', async () => {
    const owner = await Store.open(await scratch());
    await owner.set('a', '1');
    const reader = await Reader.open(owner.directory, { pollMs: 10 });
    const end = (await stat(await logOf(owner.directory))).size;
    const before = await readFile(await logOf(owner.directory));
    await owner.set('a', '2');
    await reader.shows({ a: '2' });
    const state = await stateOf(owner.directory);
    // As a disk may be after a power cut, or as a backup puts it back.
    const follower = await Reader.open(state, { pollMs: 10 });
    await truncate(await logOf(state), end);
    const next = await Store.open(state);
    await next.set('b', '3');
    await follower.shows({ a: '1', b: '3' });
    expect(before.length).toBe(end);
  });
});

describe('an edit by hand', () => {
  /** How the states of the owner, as he told them to watchers, and those of a reader follow each other. */
  async function beside(directory: string): Promise<{ store: Store; reader: Reader }> {
    const store = await Store.open(directory);
    return { store, reader: await Reader.open(directory) };
  }

  it('of a file that nobody has open is shown within a second, written in place or saved over it, time and again', async () => {
    const directory = await scratch();
    await edit(directory, '{"a":0}');
    const reader = await Reader.open(directory);
    for (let round = 1; round <= 6; round += 1) {
      const startedAt = performance.now();
      if (round % 2 === 0) {
        await edit(directory, `{"a":${round}}`);
      } else {
        await writeFile(join(directory, 'saved~'), `{"a":${round},"b":1}`);
        await rename(join(directory, 'saved~'), join(directory, 'prefs.json'));
      }
      await reader.shows(round % 2 === 0 ? { a: `${round}` } : { a: `${round}`, b: '1' });
      expect(performance.now() - startedAt, 'a second, and what a busy machine takes').toBeLessThan(3_000);
    }
    expect(reader.reports).toEqual([]);
  });

  it('is waited for until it is whole', async () => {
    const directory = await scratch();
    await edit(directory, '{"a":0}');
    const reader = await Reader.open(directory, { pollMs: 10 });
    await edit(directory, '');
    for (const piece of ['{"a":', '"edited', ' in pieces"']) {
      await delay(120);
      await appendFile(join(directory, 'prefs.json'), piece);
    }
    await appendFile(join(directory, 'prefs.json'), '}');
    await reader.shows({ a: '"edited in pieces"' });
    expect([reader.shown.length, reader.reports]).toEqual([2, []]);
  });

  it('is waited for by who opens, too, as an editor may have emptied the file to write it', async () => {
    const directory = await scratch();
    await edit(directory, '');
    const { ctimeMs } = await stat(join(directory, 'prefs.json'));
    const clock = vi.spyOn(Date, 'now').mockReturnValue(ctimeMs + 20);
    const opening = Reader.open(directory);
    await delay(150);
    clock.mockRestore();
    writeFileSync(join(directory, 'prefs.json'), '{"a":1}');
    const reader = await opening;
    expect([reader.texts, reader.reports]).toEqual([{ a: '1' }, []]);
  });

  it('of an open store is waited with until its owner has taken it in', async () => {
    const [directory, owner] = [await scratch(), await Child.start()];
    await owner.tell('open', { directory });
    await owner.tell('set', { key: 'a', json: '1' });
    await owner.tell('set', { key: 'b', json: '1' });
    await foldedIn(directory);
    const reader = await Reader.open(directory);
    owner.process.kill('SIGSTOP');
    await edit(directory, '{"a":"edit"}');
    await delay(500);
    expect(reader.texts).toEqual({ a: '1', b: '1' });
    owner.process.kill('SIGCONT');
    await reader.shows({ a: '"edit"' });
    expect(await owner.tell('close')).toBe('closed');
    expect(reader.texts).toEqual({ a: '"edit"' });
  });

  it('of a store whose owner was killed is shown without him', async () => {
    const [directory, owner] = [await scratch(), await Child.start()];
    await owner.tell('open', { directory });
    await owner.tell('set', { key: 'a', json: '1' });
    await owner.tell('set', { key: 'b', json: '1' });
    await foldedIn(directory);
    await owner.tell('set', { key: 'c', json: '1' });
    await owner.kill();
    const reader = await Reader.open(directory);
    await edit(directory, (await textOf(directory)).replace('"a":1', '"a":"edit"'));
    await reader.shows({ a: '"edit"', b: '1', c: '1' });
  });

  it.each([
    ['that is broken', (path: string) => writeFile(path, '{"a":'), /damaged at byte 5/],
    ['that empties the file', (path: string) => writeFile(path, ''), /was emptied; to remove every entry, write \{\}/],
    ['that removes the file', (path: string) => rm(path), /was removed; what it held is shown until it is there again/],
  ])('%s is told once, changes nothing, and can be mended', async (_, change, message) => {
    const directory = await scratch();
    await edit(directory, '{"a":0}');
    const reader = await Reader.open(directory, { pollMs: 20 });
    await change(join(directory, 'prefs.json'));
    await vi.waitUntil(() => reader.reports.length > 0, { timeout: 5_000 });
    await delay(300);
    expect([reader.reports.length, reader.texts]).toEqual([1, { a: '0' }]);
    expect(reader.reports[0]?.message).toMatch(message);
    await edit(directory, '{}');
    await reader.shows({});
    await edit(directory, '{"b":1}');
    await reader.shows({ b: '1' });
    expect(reader.reports).toHaveLength(1);
  });

  it('that only touches the file is none', async () => {
    const directory = await scratch();
    await edit(directory, '{"a":0}');
    const reader = await Reader.open(directory, { pollMs: 10 });
    await utimes(join(directory, 'prefs.json'), 1, 1);
    await delay(300);
    expect(reader.shown).toHaveLength(1);
  });

  it('of an open store is shown after the same commit as its owner takes it in, idle', async () => {
    const first = await Store.open(await scratch());
    await first.set('a', '1');
    await first.close();
    const { store, reader } = await beside(first.directory);
    const startedAt = performance.now();
    await edit(store.directory, '{"a":"edit"}');
    await reader.shows({ a: '"edit"' });
    expect(performance.now() - startedAt, 'a second, and what a busy machine takes').toBeLessThan(3_000);
    expect(reader.shown).toHaveLength(2);
  });

  it('of an open store is shown after the same commit as its owner takes it in, busy', async () => {
    const first = await Store.open(await scratch());
    await first.write({ type: 'set', key: 'a', json: '1' }, { type: 'set', key: 'gone', json: '1' });
    await first.close();
    const { store, reader } = await beside(first.directory);
    const versions: number[] = [];
    const write = async (): Promise<void> => {
      versions.push((await store.set('busy', `${versions.length + 1}`)).version);
      await delay(1);
    };
    for (let count = 0; count < 20; count += 1) await write();
    await writeFile(join(store.directory, 'saved~'), '{"a":"edit"}');
    await rename(join(store.directory, 'saved~'), join(store.directory, 'prefs.json'));
    const [start = 0] = versions;
    const isTakenIn = (): boolean => (versions.at(-1) ?? 0) >= start + versions.length;
    while (!isTakenIn()) await write();
    for (let count = 0; count < 20; count += 1) await write();
    await reader.shows({ a: '"edit"', busy: `${versions.length}` });
    // That the owner took it in was a commit of its own, after this write.
    const before = versions.findIndex((version, index) => version !== start + index);
    for (const { texts: { a, gone, busy = '0' } } of reader.shown) {
      if (a === '1') expect([gone, Number(busy) <= before]).toEqual(['1', true]);
      else expect([a, gone, Number(busy) >= before]).toEqual(['"edit"', undefined, true]);
    }
    const order = reader.shown.map(({ texts: { a, busy = '0' } }) => Number(busy) + (a === '1' ? 0 : 0.5));
    expect(order).toEqual([...order].sort((one, other) => one - other));
  });

  it('that an open store refuses, the reader does not take either', async () => {
    const first = await Store.open(await scratch());
    await first.set('a', '1');
    await first.close();
    const { store, reader } = await beside(first.directory);
    await edit(store.directory, '');
    await vi.waitUntil(() => store.reports.length > 0, { timeout: 5_000 });
    await store.set('b', '2');
    await reader.shows({ a: '1', b: '2' });
    await edit(store.directory, '{"c":3}');
    await reader.shows({ b: '2', c: '3' });
  });

  it('may put an older file in the place of a newer one', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    await store.close();
    const old = await readFile(join(store.directory, 'prefs.json'));
    const again = await Store.open(store.directory);
    for (let round = 2; round < 6; round += 1) await again.set('a', `${round}`);
    await again.close();
    const reader = await Reader.open(store.directory);
    expect(reader.texts).toEqual({ a: '5' });
    await writeFile(join(store.directory, 'prefs.json'), old);
    await reader.shows({ a: '1' });
    const next = await Store.open(store.directory);
    await next.set('a', '7');
    await reader.shows({ a: '7' });
    await next.close();
  });

  it('may put a file that another owner made elsewhere in its place, be it of the same count', async () => {
    const [here, elsewhere] = [await scratch(), await scratch()];
    for (const [directory, json] of [[here, '"here"'], [elsewhere, '"elsewhere"']] as const) {
      const store = await Store.open(directory);
      await store.set('a', json);
      await store.close();
    }
    const reader = await Reader.open(here);
    await rename(join(elsewhere, 'prefs.json'), join(here, 'prefs.json'));
    await reader.shows({ a: '"elsewhere"' });
  });

  it('may lead the link that the file is to another one, as when a configuration is deployed', async () => {
    const directory = await scratch();
    for (const version of ['v1', 'v2']) {
      await mkdir(join(directory, version));
      await edit(join(directory, version), `{"version":"${version}"}`);
    }
    await symlink('v1', join(directory, 'current'));
    await symlink('current/prefs.json', join(directory, 'prefs.json'));
    const reader = await Reader.open(directory, { pollMs: 20 });
    expect(reader.texts).toEqual({ version: '"v1"' });
    await symlink('v2', join(directory, 'next'));
    await rename(join(directory, 'next'), join(directory, 'current'));
    await rm(join(directory, 'v1'), { recursive: true });
    await reader.shows({ version: '"v2"' });
  });
});
