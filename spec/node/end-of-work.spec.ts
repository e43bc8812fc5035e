import { readdir } from 'node:fs/promises';

import { persistify } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { sqlite } from 'rx-persistify/sqlite';
import { describe, expect, it } from 'vitest';

import { temporaryDirectory } from '../demos/run-demo.ts';
import { because, noSmallDisk, providerNames, smallDisk, startProgram } from './program.ts';

const shutOut = noSmallDisk();

describe('a program without anything left to do', () => {
  it.for(providerNames)('ends although a store is open and idle: %s', async (name, test) => {
    const directory = await temporaryDirectory(test);
    const began = performance.now();
    const program = startProgram(test, `const store = await persistify(providers[${JSON.stringify(name)}]()).open('a'); await store.setAndSave('a', 1, { ttlMs: 3_600_000 }); console.log('idle');`, directory);
    expect(await program.ended).toEqual({ code: 0, signal: null, stdout: 'idle\n', stderr: '' });
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('ends although a cache is open and idle', async (test) => {
    const directory = await temporaryDirectory(test);
    const program = startProgram(test, `const cache = await persistify(providers['sqlite in a worker']()).openCache('a', { keepMs: 3_600_000 }); await cache.setAndSave('a', 1); console.log('idle');`, directory);
    expect(await program.ended).toEqual({ code: 0, signal: null, stdout: 'idle\n', stderr: '' });
  });

  it.for(providerNames)('is kept alive by what is pending, until it is saved: %s', async (name, test) => {
    const directory = await temporaryDirectory(test);
    const code = `
      const store = await persistify(providers[${JSON.stringify(name)}]()).withBatch({ intervalMs: 700 }).open('a');
      store.saves$.subscribe(({ keys }) => console.log('saved', keys.join()));
      store.set('a', 1);
      store.set('b', 1);`;
    expect(await startProgram(test, code, directory).ended).toEqual({ code: 0, signal: null, stdout: 'saved a,b\n', stderr: '' });
    if (name === 'memory') return;
    const store = await persistify(name === 'json-file' ? jsonFile({ directory }) : sqlite({ file: `${directory}/data.sqlite` })).open('a');
    expect([...store]).toEqual([['a', 1], ['b', 1]]);
    await store.close();
  });

  it('is kept alive by attempts to save, until one succeeds', async (test) => {
    const code = `
      let attempts = 0;
      const busy = faulty((session) => ({ write: (batch, context) => (++attempts < 4 ? Promise.reject(new ProviderError('busy', { kind: 'retry' })) : session.write(batch, context)) }));
      const store = await persistify(busy).withRetry({ maxAttempts: 10, delayMs: 100 }).open('a');
      store.saves$.subscribe(({ attempts }) => console.log('saved by attempt', attempts));
      store.set('a', 1);`;
    expect(await startProgram(test, code).ended).toEqual({ code: 0, signal: null, stdout: 'saved by attempt 4\n', stderr: '' });
  });

  it('has its stores closed by flushOnExit', async (test) => {
    const directory = await temporaryDirectory(test);
    const code = `
      const store = await persistify(jsonFile({ directory })).open('a');
      flushOnExit(store);
      await store.setAndSave('a', 1);
      store.changes$.subscribe({ complete: () => console.log('closed') });`;
    expect(await startProgram(test, code, directory).ended).toEqual({ code: 0, signal: null, stdout: 'closed\n', stderr: '' });
    expect(await readdir(directory)).toEqual(['a.json']);
  });

  it('has a last series of attempts made by flushOnExit', async (test) => {
    const code = `
      let attempts = 0;
      const passing = faulty((session) => ({ write: (batch, context) => (++attempts === 1 ? Promise.reject(new ProviderError('full', { kind: 'halt' })) : session.write(batch, context)) }));
      const store = await persistify(passing).open('a');
      flushOnExit(store);
      store.errors$.subscribe(({ error, fatal }) => console.log(error.message, fatal));
      store.saves$.subscribe(() => console.log('saved'));
      store.set('a', 1);`;
    expect(await startProgram(test, code).ended).toEqual({ code: 0, signal: null, stdout: 'full true\nsaved\n', stderr: '' });
  });

  it.for([
    ['becomes 1', '', 1],
    ['is kept, if it is set already', 'process.exitCode = 7;', 7],
    ['is kept, if it is set to 0', 'process.exitCode = 0;', 0],
  ] as const)('with something unsaved tells it, and the exit code %s', async ([, more, expected], test) => {
    const code = `
      const store = await persistify(broken()).open('a');
      flushOnExit(store);
      store.errors$.subscribe();
      store.set('a', 1);
      ${more}`;
    expect(await startProgram(test, code).ended).toEqual({ code: expected, signal: null, stdout: '', stderr: 'rx-persistify: 1 key of store "a" was not saved: the test breaks it\n' });
  });

  it('ends at the deadline of flushOnExit when a provider hangs', async (test) => {
    const code = `
      const store = await persistify(faulty(() => ({ close: () => never }))).open('a');
      flushOnExit(store, { deadlineMs: 300 });
      await store.setAndSave('a', 1);`;
    expect(await startProgram(test, code).ended).toEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr: 'rx-persistify: store "a" is saved, but did not close as it should: The deadline of 300 ms passed.\n',
    });
  });

  it('heeds a signal that comes while its stores are closing', async (test) => {
    const code = `
      const slow = faulty((session) => ({ close: () => new Promise((resolve) => { ready(); setTimeout(() => { console.log('closed'); resolve(); }, 700); }) }));
      const store = await persistify(slow).open('a');
      flushOnExit(store);`;
    const program = startProgram(test, code);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toEqual({ code: null, signal: 'SIGTERM', stdout: 'ready\nclosed\n', stderr: '' });
  });

  it('is not met when flushOnExit is taken back', async (test) => {
    const code = `
      const store = await persistify(memory()).open('a');
      flushOnExit(store)();
      store.changes$.subscribe({ complete: () => console.log('closed') });`;
    expect(await startProgram(test, code).ended).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  });
});

describe.skipIf(shutOut !== undefined)(`a program whose disk is full${because(shutOut)}`, () => {
  /** 30 keys, of which a disk of 1 MB holds a few. */
  const fill = `for (let index = 0; index < 30; index++) store.set('key' + index, 'x'.repeat(100_000));`;
  const durable = providerNames.filter((name) => name !== 'memory');
  const opened = (name: string): string => `const store = await persistify(providers[${JSON.stringify(name)}]()).withBatch(seldom).open('a'); await store.setAndSave('small', 1);`;

  it.for(durable)('ends by the signal, and says how many keys were not saved: %s', async (name, test) => {
    const program = startProgram(test, `${opened(name)} flushOnExit(store); store.errors$.subscribe(); ${fill} goOn(); ready();`, smallDisk(test));
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    const { signal, stderr } = await program.ended;
    expect(signal).toBe('SIGTERM');
    expect(stderr).toMatch(/^rx-persistify: 30 keys of store "a" were not saved: .*full.*\n$/);
  });

  it.for(durable)('ends by itself, as the slow probe does not keep it alive, and has said so: %s', async (name, test) => {
    const began = performance.now();
    const { code, signal, stderr } = await startProgram(test, `${opened(name)} ${fill} store.flush().catch(() => undefined);`, smallDisk(test)).ended;
    expect([code, signal]).toEqual([0, null]);
    expect(stderr).toMatch(/^rx-persistify: store "a": .*full.* \(Subscribe to errors\$ to handle this\.\)\n$/);
    expect(performance.now() - began).toBeLessThan(9_000);
  });

  it.for(durable)('ends by itself with flushOnExit, says how many keys were not saved, and fails: %s', async (name, test) => {
    const { code, stderr } = await startProgram(test, `${opened(name)} flushOnExit(store); store.errors$.subscribe(); ${fill} store.flush().catch(() => undefined);`, smallDisk(test)).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^rx-persistify: 30 keys of store "a" were not saved: .*full.*\n$/);
  });
});
