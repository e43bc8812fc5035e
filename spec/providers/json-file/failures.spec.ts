import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProviderError } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { describe, expect, it, vi } from 'vitest';

import { failHandles, failSync, replaceSync } from './faults.ts';
import { filesIn, scratch, stateOf, Store, textOf, textsIn } from './store.ts';

const writeWhole = fs.writeSync;

/** What write(2) does when the disk fills up in the middle. */
function writeHalf(...[fd, buffer, offset, length, position]: readonly unknown[]): void {
  writeWhole(fd as number, buffer as Buffer, offset as number, Math.floor((length as number) / 2), position as number);
}

describe('a write that fails', () => {
  it('half-way is known not to be stored, and its retry is stored once, in a new log', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    failSync('writeSync', 'ENOSPC', 1, writeHalf);
    const batch = store.batch({ type: 'set', key: 'b', json: '2' });
    await expect(store.send(batch)).rejects.toMatchObject({ code: 'PROVIDER', kind: 'halt', outcomeUnknown: false, message: expect.stringContaining('the disk is full') as string });
    expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '1' });
    expect(await store.texts()).toEqual({ a: '1' });
    expect(await store.send(batch)).toEqual({ version: 2, leftOut: [] });
    expect(await filesIn(store.directory)).toEqual(['prefs.json.1.log', 'prefs.json.2.log', 'prefs.json.lock']);
    const reopened = await Store.open(await stateOf(store.directory));
    expect(reopened.reports).toEqual([]);
    expect(await reopened.texts()).toEqual({ a: '1', b: '2' });
  });

  it('takes short writes for what they are', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    let calls = 0;
    replaceSync('writeSync', write => (fd, buffer, offset, length, position) => {
      calls += 1;
      return write(fd, buffer, offset, Math.min(length as number, 7), position);
    });
    await store.set('b', '2');
    expect(calls).toBeGreaterThan(5);
    expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '1', b: '2' });
  });
});

describe('a flush that fails', () => {
  it('is settled by a new log, so that the batch is known not to be stored, and the old log is never written again', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    failSync('fdatasyncSync', 'EIO');
    const batch = store.batch({ type: 'set', key: 'b', json: '2' });
    await expect(store.send(batch)).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: false });
    const crashed = await stateOf(store.directory);
    expect(await filesIn(crashed)).toEqual(['prefs.json.1.log', 'prefs.json.2.log']);
    expect(await textsIn(crashed)).toEqual({ a: '1' });
    expect(await store.send(batch)).toEqual({ version: 2, leftOut: [] });
    expect(await store.send(batch)).toEqual({ version: 2, leftOut: [] });
    expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '1', b: '2' });
  });

  it('leaves the outcome unknown while no new log can be made, and the retry is stored once', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    failSync('fdatasyncSync', 'EIO');
    const heal = await failHandles('sync', 'EIO', () => true);
    const batch = store.batch({ type: 'set', key: 'count', json: '1', expect: 0 });
    await expect(store.send(batch)).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: true });
    // A crash now shows the batch: it is whole in the file.
    expect(await textsIn(await stateOfHealed(store.directory, heal))).toEqual({ a: '1', count: '1' });
    expect(await store.send(batch)).toEqual({ version: 2, leftOut: [] });
    expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '1', count: '1' });
  });

  it('of the first record publishes nothing', async () => {
    const store = await Store.open(await scratch());
    const heal = await failHandles('sync', 'EIO', () => true);
    await expect(store.set('a', '1')).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: false });
    heal();
    expect(await filesIn(store.directory)).toEqual(['prefs.json.lock']);
    await store.set('a', '2');
    expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '2' });
  });

  it('of the directory leaves the outcome of a first record unknown, and its retry is stored once', async () => {
    const store = await Store.open(await scratch());
    const heal = await failHandles('sync', 'EIO', call => call === 2);
    const batch = store.batch({ type: 'set', key: 'a', json: '1' });
    await expect(store.send(batch)).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: true });
    heal();
    expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '1' });
    expect(await store.send(batch)).toEqual({ version: 1, leftOut: [] });
    await store.set('b', '2');
    expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '1', b: '2' });
  });
});

describe('a fold that fails', () => {
  for (const [what, call, sync] of [['to write', 'write', 1], ['to flush', 'sync', 1], ['to flush the directory', 'sync', 2]] as const) {
    it(`${what} loses nothing, leaves no temporary file, and is made good at the next open`, async () => {
      const directory = await scratch();
      const first = await Store.open(directory);
      await first.set('a', '1');
      await first.close();
      const store = await Store.open(directory);
      await store.set('b', '2');
      const heal = await failHandles(call, 'ENOSPC', number => number >= sync && (call === 'write' || number === sync));
      const closing = store.close();
      await vi.waitUntil(() => store.reports.length > 0);
      heal();
      await closing;
      expect(store.reports).toEqual([expect.objectContaining({ code: 'PROVIDER', kind: 'halt', message: expect.stringContaining('fold the logs') as string })]);
      expect((await filesIn(directory)).filter(name => name.endsWith('.tmp'))).toEqual([]);
      expect(await filesIn(directory)).toContain('prefs.json.2.log');
      expect(await textsIn(directory)).toEqual({ a: '1', b: '2' });
      expect(await filesIn(directory)).toEqual(['prefs.json']);
    });
  }
});

describe('a fold whose rename cannot be made durable', () => {
  /** A store that has just folded, but for the flush of the directory, which fails so many times. */
  async function halfFolded(failures: number): Promise<Store> {
    const store = await Store.open(await scratch());
    await store.write({ type: 'set', key: 'a', json: '1' }, { type: 'set', key: 'b', json: '1' });
    await failHandles('sync', 'EIO', call => call > 1 && call <= failures + 1);
    await vi.waitUntil(() => store.reports.length > 0, { timeout: 5_000, interval: 1 });
    return store;
  }

  it('is followed by logs that stand on the new file', async () => {
    const store = await halfFolded(1);
    await store.set('c', '3');
    const state = await stateOf(store.directory);
    expect(await textsIn(state)).toEqual({ a: '1', b: '1', c: '3' });
    expect(await filesIn(state)).toEqual(['prefs.json']);
  });

  it('is followed by no log before it is', async () => {
    const store = await halfFolded(2);
    await expect(store.set('c', '3')).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: false });
    expect(await filesIn(store.directory)).toEqual(['prefs.json', 'prefs.json.1.log', 'prefs.json.lock']);
    await store.set('c', '3');
    expect(await textsIn(await stateOf(store.directory))).toEqual({ a: '1', b: '1', c: '3' });
  });
});

describe('a fold that is overtaken by an edit', () => {
  it('does not replace it', async () => {
    const directory = await scratch();
    const first = await Store.open(directory);
    await first.set('a', '1');
    await first.close();
    const store = await Store.open(directory);
    await store.set('b', '2');
    const edited = (await textOf(directory)).replace('"a":1', '"a":"edited"');
    let isEdited = false;
    await failHandles('sync', 'unused', () => {
      if (!isEdited) fs.writeFileSync(join(directory, 'prefs.json'), edited);
      isEdited = true;
      return false;
    });
    await store.close();
    expect(store.reports).toEqual([expect.objectContaining({ code: 'PROVIDER', message: expect.stringContaining('was changed by somebody else') as string })]);
    expect(await textOf(directory)).toBe(edited);
    expect(await textsIn(directory)).toEqual({ a: '"edited"', b: '2' });
  });
});

describe('opening', () => {
  it('fails with the reason where the directory cannot be made or used', async () => {
    const directory = await scratch();
    await writeFile(join(directory, 'file'), '');
    await expect(Store.open(join(directory, 'file'))).rejects.toMatchObject({ code: 'PROVIDER', kind: 'halt' });
    await expect(Store.open(join(directory, 'file', 'below'))).rejects.toMatchObject({ code: 'PROVIDER', kind: 'halt', message: expect.stringContaining('no directory') as string });
  });

  it('fails with the reason where there is no permission', async context => {
    const directory = join(await scratch(), 'closed');
    await mkdir(directory);
    // No mode keeps root out of a directory, but this does.
    const isRoot = process.getuid?.() === 0;
    if (!isRoot) await chmod(directory, 0o500);
    else if (spawnSync('chattr', ['+i', directory]).status !== 0) context.skip('root may write everywhere here: no chattr, or a file system without it');
    try {
      await expect(Store.open(directory)).rejects.toMatchObject({ code: 'PROVIDER', kind: 'halt' });
    } finally {
      if (isRoot) spawnSync('chattr', ['-i', directory]);
    }
  });

  it('tells what passes by itself from what does not', async () => {
    for (const [code, kind] of [['EIO', 'retry'], ['EMFILE', 'retry'], ['ENFILE', 'retry'], ['EAGAIN', 'retry'], ['EBUSY', 'retry'], ['ENOSPC', 'halt'], ['EDQUOT', 'halt'], ['EACCES', 'halt'], ['EROFS', 'halt'], ['EPERM', 'halt'], ['EWHATEVER', 'halt']] as const) {
      const heal = await failHandles('sync', code, call => call === 1);
      const error: unknown = await Store.open(await scratch()).catch((reason: unknown) => reason);
      heal();
      expect(error).toBeInstanceOf(ProviderError);
      expect(error).toHaveProperty('kind', kind);
    }
  });
});

describe('an abort', () => {
  it('ends a write that hangs in the kernel, whose retry hears how it ended', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    const controller = new AbortController();
    const batch = store.batch(...Array.from({ length: 3_000 }, (_, index) => ({ type: 'set', key: `key ${index}`, json: JSON.stringify('x'.repeat(400)) }) as const));
    const writing = store.send(batch, controller.signal);
    await new Promise(resolve => setImmediate(resolve));
    controller.abort();
    await expect(writing).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: true });
    expect(await store.send(batch)).toEqual({ version: 2, leftOut: [] });
    expect(await store.entries()).toHaveLength(3_001);
  });

  it('before its turn keeps a write from being made', async () => {
    const store = await Store.open(await scratch());
    const first = store.set('a', '1');
    const controller = new AbortController();
    const second = store.send(store.batch({ type: 'set', key: 'b', json: '2' }), controller.signal);
    controller.abort();
    await expect(second).rejects.toMatchObject({ outcomeUnknown: false });
    await first;
    expect(await store.texts()).toEqual({ a: '1' });
  });
});

describe('the options of jsonFile', () => {
  it.each([
    [undefined, 'jsonFile(): the argument must be an object of options, not undefined.'],
    [{}, 'jsonFile(): directory must be the path of a directory, not undefined.'],
    [{ directory: '' }, 'not ""'],
    [{ directory: 5 }, 'not 5'],
    [{ directory: '.', indent: 0 }, 'indent must be a whole number of spaces from 1 to 10, not 0'],
    [{ directory: '.', indent: '2' }, 'not "2"'],
    [{ directory: '.', logBytes: 1_000 }, 'logBytes must be a whole number of bytes from 65536 to 1073741824, not 1000'],
    [{ directory: '.', fileMode: 0o1777 }, 'fileMode must be permissions from 0 to 0o777, not 1023'],
    [{ directory: '.', takeOver: 1 }, 'takeOver must be true or false, not 1'],
    [{ directory: '.', takeover: true }, 'there is no option takeover. Did you mean takeOver? Known are directory, indent'],
  ])('are checked: %j', (options, message) => {
    const make: (options: never) => unknown = jsonFile;
    expect(() => make(options as never)).toThrow(expect.objectContaining({ code: 'OPTIONS', message: expect.stringContaining(message) as string }));
  });
});

/** The state on the disk while the faults lasted. */
async function stateOfHealed(directory: string, heal: () => void): Promise<string> {
  const state = await stateOf(directory);
  heal();
  return state;
}
