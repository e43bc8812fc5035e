import fs, { readdirSync, readlinkSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { persistify } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';
import { describe, expect, it, onTestFinished, vi } from 'vitest';

import { modes, numberedSets, open, openerOf, set, temporaryFile } from './bench.ts';
import { Process } from '../../support/process.ts';
import { Told } from '../../support/told.ts';

/** What the descriptors of this process lead to that has to do with these files. */
function descriptorsIn(directory: string): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap(name => {
    try {
      const target = readlinkSync(`/proc/self/fd/${name}`);
      return target.startsWith(directory) ? [target] : [];
    } catch {
      return []; // the one that reads the directory
    }
  });
}

/** A process that commits once a line, and prints the version. */
async function writerProcess(file: string): Promise<Process> {
  const writer = new Process(`
    import { createInterface } from 'node:readline';
    import { sqlite } from 'rx-persistify/sqlite';
    const session = await sqlite({ file: ${JSON.stringify(file)}, worker: false }).open('prefs', { writer: 'other', report() {} });
    let number = 0;
    console.log('open');
    for await (const key of createInterface({ input: process.stdin })) {
      const { version } = await session.write({ number: ++number, writer: 'other', mutations: [{ type: 'set', key, json: '1' }] }, { signal: new AbortController().signal });
      console.log(version);
    }`);
  await writer.line(0);
  return writer;
}

describe('where no directory can be watched', () => {
  function refuseWatches(): void {
    const watch = vi.spyOn(fs, 'watch').mockImplementation(() => {
      throw Object.assign(new Error('System limit for number of file watchers reached'), { code: 'ENOSPC' });
    });
    syncBuiltinESMExports();
    onTestFinished(() => {
      expect(watch).toHaveBeenCalled();
      watch.mockRestore();
      syncBuiltinESMExports();
    });
  }

  it('commits of other processes are found by looking from time to time', async () => {
    refuseWatches();
    const file = temporaryFile();
    const dictionary = await open({ file, pollMs: 10 });
    const told = new Told(dictionary);
    const writer = await writerProcess(file);
    for (let round = 1; round <= 20; round++) {
      writer.say(`key ${round}`);
      await told.reaches(round);
    }
    expect(told.versions).toHaveLength(20);
  });

  it.each(modes)('commits of this process are told at once, $mode', async ({ worker }) => {
    refuseWatches();
    const file = temporaryFile();
    const [watcher, writer] = [await open({ file, worker, pollMs: 60_000 }), await open({ file, worker, pollMs: 60_000 })];
    const [told, own] = [new Told(watcher), new Told(writer)];
    for (let round = 1; round <= 20; round++) {
      const { version } = await writer.write(set('key', String(round)));
      await told.reaches(version);
      await own.reaches(version);
    }
    expect([told.versions.length, own.versions.length]).toEqual([20, 20]);
  });
});

describe.skipIf(process.platform !== 'linux').each(modes)('what is left behind, $mode', ({ worker }) => {
  it('by a session that was closed, and by a subscription that was left, is nothing', async () => {
    const file = temporaryFile();
    const openAt = openerOf({ file, worker });
    for (let round = 0; round < 5; round++) {
      const [watcher, writer] = [await openAt(), await openAt()];
      await writer.write(set('a', String(round)));
      const idle = descriptorsIn(dirname(file)).length;
      const idleLogs = descriptorsIn(`${file}-wal`).length;
      const [left, closed] = [new Told(watcher), new Told(watcher)];
      await left.reaches(round + 1);
      await closed.reaches(round + 1);
      const watched = descriptorsIn(dirname(file)).length;
      expect(watched, 'descriptors of one connection more').toBeLessThanOrEqual(idle + 3);
      left.leave();
      closed.leave();
      for (let count = 0; count < 50; count++) {
        const brief = new Told(watcher);
        if (count % 2 === 0) await brief.reaches(round + 1);
        brief.leave();
      }
      await expect.poll(() => descriptorsIn(`${file}-wal`).length, { message: 'connections that are left' }).toBe(idleLogs);
      // Of those that were closed, SQLite keeps the file's own for its next ones while another one of the process has a lock on it:
      // as many as were open at once, however often that was.
      await expect.poll(() => descriptorsIn(dirname(file)).length).toBeLessThanOrEqual(idle + 3);
      const again = new Told(watcher, { version: round });
      await again.reaches(round + 1);
      await watcher.close();
      expect(again.isComplete).toBe(true);
      await writer.close();
      expect(descriptorsIn(dirname(file))).toEqual([]);
    }
  });

  it('by a session that was closed in the middle of a large commit is nothing', async () => {
    const file = temporaryFile();
    const openAt = openerOf({ file, worker, durability: 'normal' });
    const [watcher, writer] = [await openAt(), await openAt()];
    await writer.send({ ...writer.batch(), mutations: numberedSets(50_000) });
    const logs = (): number => descriptorsIn(`${file}-wal`).length;
    const before = logs();
    const told = new Told(watcher);
    await expect.poll(logs, { interval: 1 }).toBe(before + 1);
    await watcher.close();
    expect(logs()).toBe(before);
    expect(told.commits).toEqual([]);
  });

  it('that would keep a process alive is nothing, neither of an open store nor of a closed one', async () => {
    const watcher = new Process(`
      import { setTimeout as delay } from 'node:timers/promises';
      import { persistify } from 'rx-persistify';
      import { sqlite } from 'rx-persistify/sqlite';
      const tell = () => console.log(process.getActiveResourcesInfo().filter(name => name !== 'PipeWrap').sort().join());
      const stores = persistify(sqlite({ file: ${JSON.stringify(temporaryFile())}, worker: ${worker} }));
      await (await stores.open('prefs')).close();
      await delay(100);
      tell();
      const store = await stores.open('prefs');
      await store.setAndSave('a', 1);
      await delay(300);
      tell();
      await store.close();
      await delay(100);
      tell();`);
    expect(await watcher.ended).toEqual({ code: 0, signal: null });
    expect(new Set(watcher.lines).size, watcher.lines.join('; ')).toBe(1);
    expect(watcher.lines).toHaveLength(3);
  });

  it('by a store that is closed while others write is nothing', async () => {
    const file = temporaryFile();
    const writer = await writerProcess(file);
    for (let round = 0; round < 5; round++) {
      const store = await persistify(sqlite({ file, worker })).open('prefs');
      for (let index = 0; index < 50; index++) writer.say(`key ${index}`);
      await delay(round * 4);
      await store.close();
      expect(descriptorsIn(dirname(file))).toEqual([]);
    }
  });
});

describe.each(modes)('a process with an open store, $mode', ({ worker }) => {
  it.each([
    ['that is idle', ''],
    ['that has just saved', "await store.setAndSave('a', 1);"],
    ['that others write to', "await new Promise(resolve => setTimeout(resolve, 300));"],
  ])('%s ends by itself', async (_, body) => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker: false });
    const other = new Process(`
      import { persistify } from 'rx-persistify';
      import { sqlite } from 'rx-persistify/sqlite';
      const store = await persistify(sqlite({ file: ${JSON.stringify(file)}, worker: ${worker} })).open('prefs');
      console.log('open');
      ${body}`);
    await other.line(0);
    for (let round = 0; other.process.exitCode === null; round++) {
      if (body.includes('setTimeout')) await dictionary.write(set('key', String(round)));
      await delay(1);
    }
    expect(await other.ended).toEqual({ code: 0, signal: null });
  });
});
