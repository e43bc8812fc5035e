import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { renameSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { Process } from '../../support/process.ts';
import { inspect, modes, numberedSets, open, openerOf, rows, set, temporaryFile } from './bench.ts';

describe.each(modes)('dictionaries of one provider, $mode', ({ worker }) => {
  it('are written at the same time without harm to one another', async () => {
    const file = temporaryFile();
    const openAt = openerOf({ file, worker });
    const [big, small] = [await openAt('big'), await openAt('small')];
    const order: string[] = [];
    await Promise.all([
      big.write(...numberedSets(20_000)).then(() => order.push('big')),
      (async () => {
        for (let index = 0; index < 20; index++) await small.write(set('key', String(index)));
        order.push('small');
      })(),
    ]);
    expect(order).toEqual(['big', 'small']);
    expect((await big.texts()).size).toBe(20_000);
    expect(await small.texts()).toEqual(new Map([['key', '19']]));
    expect(rows(file, 'SELECT name, head FROM rx_persistify_dictionaries ORDER BY name')).toEqual([{ name: 'big', head: 1 }, { name: 'small', head: 20 }]);
  });

  it('are opened while another one is being written', async () => {
    const openAt = openerOf({ file: temporaryFile(), worker });
    const big = await openAt('big');
    const [result, another] = await Promise.all([big.write(...numberedSets(5_000)), openAt('another')]);
    expect(result.version).toBe(1);
    expect(await another.write(set('key'))).toEqual({ version: 1, leftOut: [] });
  });

  it('go on when one of them is closed, and can be opened again after the last', async () => {
    const openAt = openerOf({ file: temporaryFile(), worker });
    const [first, second] = [await openAt('first'), await openAt('second')];
    await first.close();
    await first.close();
    expect(await second.write(set('key'))).toEqual({ version: 1, leftOut: [] });
    const closing = second.close();
    const again = await openAt('second');
    await closing;
    expect(await again.write(set('key'))).toEqual({ version: 2, leftOut: [] });
  });

  it('may be one dictionary twice, and count one version', async () => {
    const openAt = openerOf({ file: temporaryFile(), worker });
    const [first, second] = [await openAt('prefs'), await openAt('prefs')];
    const results = await Promise.all([first.write(set('a')), second.write(set('b'))]);
    expect(results.map(({ version }) => version).sort()).toEqual([1, 2]);
    expect(await first.texts()).toEqual(await second.texts());
  });
});

describe.each(modes)('a lock of another connection, $mode', ({ worker }) => {
  it('makes a write fail as one to be tried again, while the lock is held', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(set('a'));
    const other = inspect(file);
    other.exec('BEGIN IMMEDIATE');
    const batch = dictionary.batch(set('a', '2'));
    await expect(dictionary.send(batch)).rejects.toMatchObject({ code: 'PROVIDER', kind: 'retry', outcomeUnknown: false });
    other.exec('ROLLBACK');
    expect(await dictionary.send(batch)).toEqual({ version: 2, leftOut: [] });
  });

  it('is waited for by `open`', async () => {
    const file = temporaryFile();
    const other = inspect(file);
    other.exec('PRAGMA journal_mode = WAL; BEGIN IMMEDIATE');
    setTimeout(() => other.exec('ROLLBACK'), 200);
    const dictionary = await open({ file, worker });
    expect(await dictionary.write(set('a'))).toEqual({ version: 1, leftOut: [] });
  });

  it('does not keep a known dictionary from being opened and read', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(set('a'));
    inspect(file).exec('BEGIN IMMEDIATE');
    const again = await open({ file, worker });
    expect(await again.texts()).toEqual(new Map([['a', '1']]));
  });
});

describe.each(modes)('a commit that waits for another connection, $mode', ({ worker }) => {
  it('finds the moment between two commits of a process that commits without a rest', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    const other = new Process(`
      import Database from 'better-sqlite3';
      const database = new Database(${JSON.stringify(file)});
      const nap = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
      for (let count = 0; ; count++) {
        database.exec('BEGIN IMMEDIATE');
        nap(20);
        database.exec('COMMIT');
        if (count === 2) console.log('under way');
        nap(0.5);
      }`);
    await other.line(0);
    for (let round = 1; round <= 20; round++) expect(await dictionary.write(set('a', `${round}`))).toEqual({ version: round, leftOut: [] });
  });

  it('is made as soon as the lock is free', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker, busyTimeoutMs: 60_000 });
    const other = inspect(file);
    other.exec('BEGIN IMMEDIATE');
    setTimeout(() => other.exec('ROLLBACK'), 200);
    expect(await dictionary.write(set('a'))).toEqual({ version: 1, leftOut: [] });
  });

  it('is not made in a file that was moved away meanwhile', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker, busyTimeoutMs: 60_000 });
    await dictionary.write(set('a'));
    const other = inspect(file);
    other.exec('BEGIN IMMEDIATE');
    const written = dictionary.write(set('a', '2'));
    setTimeout(() => {
      renameSync(file, `${file}.moved`);
      other.exec('ROLLBACK');
    }, 50);
    await expect(written).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('was removed while it was open') as string });
    renameSync(`${file}.moved`, file);
  });

  it('leaves the event loop free', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker, busyTimeoutMs: 100 });
    await dictionary.write(set('a'));
    inspect(file).exec('BEGIN IMMEDIATE');
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await expect(dictionary.write(set('a'))).rejects.toMatchObject({ kind: 'retry' });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
  });

  it('waits no more once it is not wanted', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker, busyTimeoutMs: 60_000 });
    await dictionary.write(set('a'));
    inspect(file).exec('BEGIN IMMEDIATE');
    const wanted = new AbortController();
    const written = dictionary.send(dictionary.batch(set('a', '2')), wanted.signal);
    setTimeout(() => wanted.abort(), 20);
    await expect(written).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: false, message: expect.stringContaining('aborted before its commit') as string });
  });

  it('does not wait at all with a busyTimeoutMs of 0', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker, busyTimeoutMs: 0 });
    inspect(file).exec('BEGIN IMMEDIATE');
    const took: number[] = [];
    for (let attempt = 0; attempt < 10; attempt++) {
      const start = performance.now();
      await expect(dictionary.write(set('a'))).rejects.toMatchObject({ kind: 'retry' });
      took.push(performance.now() - start);
    }
    expect(Math.min(...took), 'less than what SQLite itself would wait, at least once on a busy machine').toBeLessThan(45);
  });
});

describe('several processes', () => {
  it('may make the same file and dictionary at once', async () => {
    const file = temporaryFile();
    const program = `
      import { sqlite } from 'rx-persistify/sqlite';
      const writer = String(process.pid);
      const session = await sqlite({ file: ${JSON.stringify(file)} }).open('prefs', { writer, report() {} });
      for (let number = 1; number <= 10; ) {
        const mutations = [{ type: 'set', key: writer + ' ' + number, json: '1' }];
        await session.write({ number, writer, mutations }, { signal: new AbortController().signal }).then(() => number++, error => { if (error.kind !== 'retry') throw error; });
      }
      await session.close();`;
    const processes = Array.from({ length: 4 }, () => spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'inherit', 'inherit'] }));
    const codes = await Promise.all(processes.map(async child => (await once(child, 'exit'))[0] as number));
    expect(codes).toEqual([0, 0, 0, 0]);
    expect(rows(file, 'SELECT count(*) AS count, max(version) AS head FROM prefs')).toEqual([{ count: 40, head: 40 }]);
  });
});
