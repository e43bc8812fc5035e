// What a mutation costs, counted: these bounds catch what makes the library slower without a clock.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

import { persistify } from 'rx-persistify';
import { postgres } from 'rx-persistify/postgres';
import { describe, expect, it, onTestFinished } from 'vitest';

import { TestServer } from './providers/postgres/server.ts';

const root = resolve(import.meta.dirname, '..');

/** As text, 60 bytes or so; keys of 15. */
const values = `const valueOf = (index, round) => ({ id: index, round, on: index % 2 === 0, text: 'a small value' });
const keyOf = (index) => 'sensor:' + String(index).padStart(8, '0');`;

/** Runs a module in a process of its own, so that nothing but it is counted, and gives what it prints as JSON. */
async function run(program: string, flags: readonly string[] = []): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '--input-type=module', '-e', `${values}\n${program}`], { cwd: root });
  return JSON.parse(stdout);
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-costs-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const storages = {
  'a JSON file': (directory: string) => `import { jsonFile } from 'rx-persistify/json-file'; const provider = jsonFile({ directory: ${JSON.stringify(directory)} });`,
  'SQLite in a worker': (directory: string) => `import { sqlite } from 'rx-persistify/sqlite'; const provider = sqlite({ file: ${JSON.stringify(join(directory, 'data.sqlite'))} });`,
  'SQLite on the main thread': (directory: string) => `import { sqlite } from 'rx-persistify/sqlite'; const provider = sqlite({ file: ${JSON.stringify(join(directory, 'data.sqlite'))}, worker: false });`,
};

describe('a mutation allocates, while nothing is collected,', () => {
  /**
   * Bytes a call of `call`, after some in which it was compiled; a room for the young as large as this is not collected meanwhile. On the
   * median of so many rounds, as compiling takes room, too.
   */
  const bytesOf = async (call: string, build = '', rounds = 1): Promise<unknown> =>
    run(
      `import { memory, persistify } from 'rx-persistify';
const store = await persistify(memory()).withBatch({ size: 1_000_000, intervalMs: 1_000_000 })${build}.open('costs');
let told = 0;
store.changes$.subscribe(() => told++);
const [keys, rounds] = [10_000, [1, 2, 3]];
const all = rounds.map((round) => Array.from({ length: keys }, (_, index) => valueOf(index, round)));
const names = Array.from({ length: keys }, (_, index) => keyOf(index));
for (let warmUp = 0; warmUp < 6; warmUp++) {
  for (let index = 0; index < keys; index++) store.set(names[index], all[warmUp % 3][index]);
  for (let index = 0; index < keys; index++) store.get(names[index]);
}
await store.flush();
gc();
const found = [];
for (let round = 0; round < ${rounds}; round++) {
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < keys; index++) ${call};
  found.push((process.memoryUsage().heapUsed - before) / keys);
}
console.log(found.sort((one, other) => one - other)[${rounds >> 1}]);
await store.close();`,
      ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'],
    );

  // What a set takes now, and a tenth: to be lowered where it takes less.
  it.each([
    ['the first set of a key since it was saved, its text and its change included', 'store.set(names[index], all[0][index])', '', 1_750],
    ['the same with a time to live', 'store.set(names[index], all[0][index])', ".withTtl({ ms: 3_600_000, mode: 'absolute' })", 1_860],
    ['two sets of a key, of which one replaces the other', 'for (const values of all.slice(1)) store.set(names[index], values[index])', '', 2_650],
  ])('in %s', async (_, call, build, most) => {
    expect(await bytesOf(call, build)).toBeLessThan(most);
  });

  it.each([
    ['a get', '', 1],
    ['a get with a time to live', ".withTtl({ ms: 3_600_000, mode: 'absolute' })", 34], // what the clock says
  ])('in %s', async (_, build, most) => {
    expect(await bytesOf('store.get(names[index])', build, 5)).toBeLessThan(most);
  });
});

describe('a batch of 1,000 small mutations writes', () => {
  /** Bytes that the process hands to write calls for each mutation, in batches behind the first one. */
  const bytesWritten = async (storage: string): Promise<unknown> =>
    run(
      `import { readFileSync } from 'node:fs'; import { persistify } from 'rx-persistify'; ${storage}
const store = await persistify(provider).open('costs');
const write = async (round) => {
  for (let index = 0; index < 1_000; index++) store.set(keyOf(round * 1_000 + index), valueOf(index, round));
  await store.flush();
};
const written = () => Number(/^wchar: (\\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))[1]);
await write(0);
const before = written();
for (let round = 1; round <= 5; round++) await write(round);
console.log((written() - before) / 5_000);
await store.close();`,
    );

  // The key and the text are 70 bytes.
  it.skipIf(process.platform !== 'linux').each([
    ['a JSON file', 82],
    ['SQLite in a worker', 205],
    ['SQLite on the main thread', 205],
  ] as const)('to %s at most %s bytes each', async (name, most) => {
    expect(await bytesWritten(storages[name](await temporaryDirectory()))).toBeLessThan(most);
  });
});

const hasStrace = spawnSync('strace', ['-e', 'trace=none', 'true']).status === 0;

describe.skipIf(!hasStrace)('a batch of 100 mutations takes (skipped where strace is not)', () => {
  /** System calls a batch on the files of a store: what more batches take, divided by how many more they are. */
  const callsOf = async (storage: (directory: string) => string): Promise<Readonly<Record<string, number>>> => {
    const [few, many] = await Promise.all([10, 30].map(async (batches) => countCalls(storage, batches)));
    const names = Object.keys(many ?? {});
    return Object.fromEntries(names.map((name) => [name, ((many?.[name] ?? 0) - (few?.[name] ?? 0)) / 20]));
  };

  const countCalls = async (storage: (directory: string) => string, batches: number): Promise<Record<string, number>> => {
    const directory = await temporaryDirectory();
    const log = `${directory}.strace`;
    onTestFinished(() => rm(log, { force: true }));
    const program = `${values} import { persistify } from 'rx-persistify'; ${storage(directory)}
const store = await persistify(provider).open('costs');
for (let batch = 0; batch < ${batches}; batch++) {
  for (let index = 0; index < 100; index++) store.set(keyOf(index), valueOf(index, batch));
  await store.flush();
}
process.exit();`; // what closing takes is no part of it
    const traced = ['write', 'pwrite64', 'writev', 'pwritev', 'fsync', 'fdatasync', 'rename', 'unlink', 'ftruncate'];
    await promisify(execFile)('strace', ['-f', '-y', '-s', '0', '-o', log, '-e', `trace=${traced.join(',')}`, process.execPath, '--input-type=module', '-e', program], { cwd: root });
    const counts: Record<string, number> = { written: 0, synced: 0, others: 0 };
    for (const line of (await readFile(log, 'utf8')).split('\n')) {
      if (!line.includes(directory)) continue;
      const name = /^\d+ +(\w+)\(/.exec(line)?.[1] ?? '';
      const kind = name.includes('write') ? 'written' : name.includes('sync') ? 'synced' : 'others';
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return counts;
  };

  it('of a JSON file one write and one fdatasync', async () => {
    expect(await callsOf(storages['a JSON file'])).toEqual({ written: 1, synced: 1, others: 0 });
  });

  it.each(['SQLite in a worker', 'SQLite on the main thread'] as const)('of %s one fsync, and two writes a page of the log', async (name) => {
    const calls = await callsOf(storages[name]);
    expect(calls).toEqual({ written: calls['written'], synced: 1, others: 0 });
    expect(calls['written']).toBeLessThan(20);
  });
});

describe('a batch to PostgreSQL', () => {
  const server = new TestServer();

  it('is one message, however many mutations it has', async () => {
    const proxy = await server.proxy();
    const schema = server.freshSchema();
    const store = await persistify(postgres({ connection: server.server.url({ port: proxy.port }), schema })).open<Record<string, number>>('costs');
    await store.setAndSave('first', 0);
    for (const mutations of [1, 10, 1_000]) {
      const before = proxy.statements.length;
      for (let index = 0; index < mutations; index++) store.set(`key ${index}`, index + mutations);
      await store.flush();
      const asked = proxy.statements.slice(before).filter((text) => /^(BEGIN|COMMIT|INSERT|UPDATE|DELETE|SET )|rx_persistify_commit/.test(text));
      expect(asked).toHaveLength(1);
    }
    await store.close();
  });
});

describe('waiting writers', () => {
  it('share commits: 1,000 that wait at once for two writes each take two', async () => {
    const directory = await temporaryDirectory();
    const commits = await run(`import { persistify } from 'rx-persistify'; ${storages['SQLite on the main thread'](directory)}
const store = await persistify(provider).open('costs');
let commits = 0;
store.saves$.subscribe(() => commits++);
await Promise.all(Array.from({ length: 1_000 }, async (_, writer) => {
  await store.setAndSave(keyOf(writer), valueOf(writer, 1));
  await store.setAndSave(keyOf(writer), valueOf(writer, 2));
}));
console.log(commits);
await store.close();`);
    expect(commits).toBe(2);
  });
});
