import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { inspect, modes, open, rows, set, temporaryFile } from './bench.ts';

describe.each(modes)('opening, $mode', ({ worker }) => {
  it.each(['no database at all, but a text of some length', `SQLite format 3\0${'x'.repeat(4_096)}`])('refuses a file that is no database, and leaves it as it is', async contents => {
    const file = temporaryFile();
    writeFileSync(file, contents.repeat(20));
    await expect(open({ file, worker })).rejects.toMatchObject({ code: 'CORRUPT_DATA', location: file, message: expect.stringContaining('is not an SQLite database') as string });
    expect(readFileSync(file, 'utf8')).toBe(contents.repeat(20));
  });

  it('refuses a file whose last page was cut off, as SQLite takes what is missing for zeros', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(...Array.from({ length: 200 }, (_, index) => set(`key ${index}`, '"of some length"')));
    await dictionary.close();
    const cut = readFileSync(file).subarray(0, -100);
    writeFileSync(file, cut);
    await expect(open({ file, worker })).rejects.toMatchObject({ code: 'CORRUPT_DATA', location: file, message: expect.stringContaining('ends within a page, 3996 bytes behind its begin') as string });
    expect(readFileSync(file).equals(cut)).toBe(true);
  });

  it('leaves a database that it refuses as it is, its journal mode included', async () => {
    const file = temporaryFile();
    inspect(file).exec('CREATE TABLE prefs (key TEXT PRIMARY KEY, value TEXT NOT NULL, created TEXT, updated TEXT)');
    const before = readFileSync(file);
    await expect(open({ file, worker })).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('cannot hold the dictionary') as string });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('refuses a directory', async () => {
    const file = dirname(temporaryFile());
    await expect(open({ file, worker })).rejects.toMatchObject({ code: 'PROVIDER', kind: 'halt', message: `${file} is a directory; the option "file" should be the path of a file in it.` });
  });

  it('refuses a path through a file', async () => {
    const file = temporaryFile();
    writeFileSync(file, '');
    await expect(open({ file: join(file, 'store.sqlite'), worker })).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('check the path') as string });
  });

  it('refuses a link that leads nowhere', async () => {
    const file = temporaryFile();
    symlinkSync(`${file}.absent`, file);
    await expect(open({ file, worker })).rejects.toMatchObject({ code: 'PROVIDER', kind: 'halt' });
  });

  it('takes an empty file for a new database', async () => {
    const file = temporaryFile();
    writeFileSync(file, '');
    const dictionary = await open({ file, worker });
    expect(await dictionary.write(set('a'))).toEqual({ version: 1, leftOut: [] });
  });

  it.each(['removed', 'emptied'])('refuses a file that was %s beside a log with commits, and begins anew once that is moved away', async how => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(set('a'));
    const [state, log] = [join(dirname(file), 'state.sqlite'), readFileSync(`${file}-wal`)];
    if (how === 'emptied') writeFileSync(state, '');
    writeFileSync(`${state}-wal`, log);
    await expect(open({ file: state, worker })).rejects.toMatchObject({ code: 'CORRUPT_DATA', location: state });
    expect(readFileSync(`${state}-wal`).equals(log)).toBe(true);
    rmSync(`${state}-wal`);
    expect(await (await open({ file: state, worker })).entries()).toEqual([]);
  });

  it('can be tried again when the cause is mended', async () => {
    const file = temporaryFile();
    mkdirSync(file);
    await expect(open({ file, worker })).rejects.toMatchObject({ kind: 'halt' });
    rmSync(file, { recursive: true });
    await open({ file, worker });
  });

  it('leaves a file that it cannot write as it is, and says so', async context => {
    const file = temporaryFile();
    await (await open({ file, worker })).close();
    if (spawnSync('chattr', ['+i', file]).status !== 0) context.skip('this file system, or user, knows no immutable files');
    try {
      await expect(open({ file, worker }, 'another')).rejects.toMatchObject({ kind: 'halt', message: expect.stringMatching(/permissions/) as string });
    } finally {
      execFileSync('chattr', ['-i', file]);
    }
  });
});

describe.each(modes)('a file that is taken away while it is open, $mode', ({ worker }) => {
  it('is missed by the next write, which goes on once it is back', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(set('a'));
    renameSync(file, `${file}.away`);
    const batch = dictionary.batch(set('b'));
    await expect(dictionary.send(batch)).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('was removed while it was open') as string });
    renameSync(`${file}.away`, file);
    expect(await dictionary.send(batch)).toEqual({ version: 2, leftOut: [] });
  });

  it('is not mistaken for another one in its place', async () => {
    const file = temporaryFile();
    const other = join(dirname(file), 'other.sqlite');
    await (await open({ file: other, worker })).close();
    const dictionary = await open({ file, worker });
    renameSync(other, file);
    await expect(dictionary.write(set('a'))).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('was replaced while it was open') as string });
    expect(rows(file, 'SELECT * FROM prefs')).toEqual([]);
  });
});

describe.each(modes)('a table that another program changes, $mode', ({ worker }) => {
  it('halts the writes when it is dropped', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker });
    await dictionary.write(set('a'));
    const other = inspect(file);
    other.exec('DROP TABLE prefs');
    await expect(dictionary.write(set('b'))).rejects.toMatchObject({ kind: 'halt', message: expect.stringContaining('no such table') as string });
    other.exec("DELETE FROM rx_persistify_dictionaries WHERE name = 'prefs'");
    await expect(dictionary.write(set('b'))).rejects.toMatchObject({ kind: 'halt' });
  });
});

const strace = spawnSync('strace', ['-f', '-e', 'trace=none', 'true']).status === 0;

/** Writes ten batches, each until it is stored, and prints what happened on the way. */
function programFor(file: string, worker: boolean): string {
  return `
    import { closeSync, openSync, writeSync } from 'node:fs';
    import { sqlite } from 'rx-persistify/sqlite';
    const session = await sqlite({ file: ${JSON.stringify(file)}, worker: ${worker} }).open('prefs', { writer: 'w', report() {} });
    const seen = [];
    for (let number = 1; number <= 10; ) {
      const batch = { number, writer: 'w', mutations: [{ type: 'set', key: 'key ' + number, json: String(number) }] };
      try {
        const { version } = await session.write(batch, { signal: new AbortController().signal });
        if (version !== number) seen.push('version ' + version + ' of batch ' + number);
        number++;
      } catch (error) {
        seen.push([error.code, error.kind, error.outcomeUnknown].join(' '));
        if (seen.length === 1) { /* after a failure */ }
        if (seen.length > 20) break;
      }
    }
    await session.close();
    console.log(JSON.stringify(seen));`;
}

describe.runIf(strace).each(modes)('an I/O error, $mode', ({ worker }) => {
  it.each([
    ['fsync,fdatasync', 6],
    ['pwrite64', 60],
  ])('of %s fails the write as one to be tried again, and the next attempt goes on in a checked file', (calls, place) => {
    const file = temporaryFile();
    const inject = ['-f', '-qq', '-o', '/dev/null', '-P', `${file}-wal`, '-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO:when=${place}`];
    const child = spawnSync('strace', [...inject, process.execPath, '--input-type=module', '-e', programFor(file, worker)], { encoding: 'utf8', timeout: 25_000 });
    expect(child.stderr).toBe('');
    const seen = JSON.parse(child.stdout) as readonly string[];
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatch(/^PROVIDER retry/);
    expect(rows(file, 'SELECT count(*) AS count, max(version) AS head FROM prefs')).toEqual([{ count: 10, head: 10 }]);
    expect(rows(file, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  });

  it('is followed by a look at the whole file, and by no commit if it is damaged', () => {
    const file = temporaryFile();
    // The damage is in a table that no write comes near.
    const other = inspect(file);
    other.exec("CREATE TABLE other (a); INSERT INTO other SELECT hex(zeroblob(1000)) FROM (VALUES (1), (2), (3), (4), (5), (6)) a, (VALUES (1), (2), (3), (4), (5), (6)) b");
    other.close();
    const program = programFor(file, worker).replace(
      '/* after a failure */',
      `const database = openSync(${JSON.stringify(file)}, 'r+');
       writeSync(database, Buffer.alloc(4_000, 0xee), 0, 4_000, 5 * 4_096 + 50);
       closeSync(database);`,
    );
    const inject = ['-f', '-qq', '-o', '/dev/null', '-P', `${file}-wal`, '-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO:when=6'];
    const child = spawnSync('strace', [...inject, process.execPath, '--input-type=module', '-e', program], { encoding: 'utf8', timeout: 25_000 });
    const seen = JSON.parse(child.stdout) as readonly string[];
    expect(seen[0]).toMatch(/^PROVIDER retry true/);
    expect(seen.slice(1).every(line => line.startsWith('CORRUPT_DATA'))).toBe(true);
    expect(seen.length).toBeGreaterThan(2);
  });

  it.each([1, 2, 3])('of write %i to a new file never leaves it open without a write-ahead log', (place) => {
    const file = temporaryFile();
    const program = `
      import { readFileSync } from 'node:fs';
      import { sqlite } from 'rx-persistify/sqlite';
      for (let attempt = 1; attempt <= 3; attempt++) {
        try {
          const session = await sqlite({ file: ${JSON.stringify(file)}, worker: ${worker} }).open('prefs', { writer: 'w', report() {} });
          console.log('open', [...readFileSync(${JSON.stringify(file)}).subarray(18, 20)].join());
          await session.close();
        } catch ({ code, kind }) {
          console.log(code, kind);
        }
      }`;
    const paths = ['', '-journal', '-wal'].flatMap(suffix => ['-P', `${file}${suffix}`]);
    const inject = ['-f', '-qq', '-o', '/dev/null', ...paths, '-e', 'trace=pwrite64', '-e', `inject=pwrite64:error=EIO:when=${place}`];
    const child = spawnSync('strace', [...inject, process.execPath, '--input-type=module', '-e', program], { encoding: 'utf8', timeout: 25_000 });
    expect(child.stderr).toBe('');
    // Each attempt of a worker is made by a thread of its own, whose writes are counted anew.
    expect(child.stdout.split('\n').slice(0, 3)).toEqual(worker ? Array(3).fill('PROVIDER retry') : ['PROVIDER retry', 'open 2,2', 'open 2,2']);
  });

  it('waits for who reads an older state, as for a lock, before the file is trusted again', () => {
    const file = temporaryFile();
    const program = programFor(file, worker)
      .replace('import { sqlite }', "import Database from 'better-sqlite3'; import { sqlite }")
      .replace('const seen = [];', `const seen = []; const reader = new Database(${JSON.stringify(file)}); reader.exec('BEGIN'); reader.prepare('SELECT count(*) FROM prefs').get();`)
      .replace('/* after a failure */', "setTimeout(() => reader.exec('COMMIT'), 300);")
      .replace('await session.close()', 'reader.close(); await session.close()');
    const inject = ['-f', '-qq', '-o', '/dev/null', '-P', `${file}-wal`, '-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO:when=6'];
    const child = spawnSync('strace', [...inject, process.execPath, '--input-type=module', '-e', program], { encoding: 'utf8', timeout: 25_000 });
    expect(child.stderr).toBe('');
    expect(JSON.parse(child.stdout)).toEqual(['PROVIDER retry true']);
    expect(rows(file, 'SELECT count(*) AS count, max(version) AS head FROM prefs')).toEqual([{ count: 10, head: 10 }]);
  });

  it.each([['full', 10], ['normal', 0]] as const)('of the log: with durability "%s" ten commits sync it at least this often: %i', (durability, least) => {
    const file = temporaryFile();
    const log = `${file}.strace`;
    const program = programFor(file, worker).replace('worker:', `durability: '${durability}', worker:`);
    const trace = ['-f', '-qq', '-o', log, '-P', `${file}-wal`, '-e', 'trace=fsync,fdatasync'];
    expect(spawnSync('strace', [...trace, process.execPath, '--input-type=module', '-e', program], { encoding: 'utf8', timeout: 25_000 }).stdout).toBe('[]\n');
    const syncs = readFileSync(log, 'utf8').split('\n').filter(line => /f(data)?sync\(/.test(line)).length;
    if (least === 0) expect(syncs).toBeLessThan(5);
    else expect(syncs).toBeGreaterThanOrEqual(least);
  });
});

describe.runIf(strace).each(modes)('a log that a killed process left, $mode', ({ worker }) => {
  it.each([['full', 1], ['normal', 0]] as const)('with durability "%s" is flushed before anything of it is shown, so many times: %i', (durability, times) => {
    const file = temporaryFile();
    const killed = programFor(file, worker).replace('await session.close()', "process.kill(process.pid, 'SIGKILL')");
    spawnSync(process.execPath, ['--input-type=module', '-e', killed], { timeout: 25_000 });
    const log = `${file}.strace`;
    const reads = `
      import { sqlite } from 'rx-persistify/sqlite';
      const session = await sqlite({ file: ${JSON.stringify(file)}, worker: ${worker}, durability: '${durability}' }).open('prefs', { writer: 'w', report() {} });
      process.kill(process.pid, 'SIGKILL');`;
    const trace = ['-f', '-qq', '-o', log, '-P', `${file}-wal`, '-e', 'trace=fsync,fdatasync'];
    spawnSync('strace', [...trace, process.execPath, '--input-type=module', '-e', reads], { timeout: 25_000 });
    expect(readFileSync(log, 'utf8').match(/f(data)?sync\(/g) ?? []).toHaveLength(times);
  });
});
