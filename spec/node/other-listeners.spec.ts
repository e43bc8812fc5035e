import { setTimeout as delay } from 'node:timers/promises';

import { jsonFile } from 'rx-persistify/json-file';
import { describe, expect, it } from 'vitest';

import { temporaryDirectory } from '../demos/run-demo.ts';
import { endedBy, startProgram, stored } from './program.ts';

describe('other listeners for the signal', () => {
  const opening = `const store = await persistify(jsonFile({ directory })).withBatch(seldom).open('a'); store.set('a', 1);`;

  it.for([
    ['on, before', `process.on('SIGTERM', end); flushOnExit(store);`],
    ['on, after', `flushOnExit(store); process.on('SIGTERM', end);`],
    ['once, before', `process.once('SIGTERM', end); flushOnExit(store);`],
    ['once, after', `flushOnExit(store); process.once('SIGTERM', end);`],
  ] as const)('decide how the program ends, and the stores are closed: %s', async ([, listening], test) => {
    const directory = await temporaryDirectory(test);
    const code = `
      ${opening}
      const work = goOn();
      const end = () => setTimeout(() => {
        process.exitCode = 3;
        clearInterval(work);
        console.log('unsaved', store.unsaved.length, store.status.state, process.listenerCount('SIGTERM') - process.listeners('SIGTERM').filter((listener) => listener === end).length);
      }, 500);
      ${listening}
      ready();`;
    const program = startProgram(test, code, directory);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ code: 3, signal: null, stdout: 'ready\nunsaved 0 closed 0\n', stderr: '' });
    expect(await stored(jsonFile({ directory }))).toEqual({ a: 1 });
  });

  it('hear of it once, and of a second one by themselves', async (test) => {
    const code = `
      const store = await persistify(hanging()).open('a');
      store.set('a', 1);
      flushOnExit(store, { deadlineMs: 1_000, report: () => console.log('told') });
      let count = 0;
      const work = goOn();
      process.on('SIGTERM', () => { console.log('heard', ++count); setTimeout(() => clearInterval(work), 1_500); });
      ready();`;
    const program = startProgram(test, code);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    await delay(500);
    program.process.kill('SIGTERM');
    // What nobody else ended has failed, as something is unsaved.
    expect(await program.ended).toMatchObject({ code: 1, signal: null, stdout: 'ready\nheard 1\nheard 2\ntold\n', stderr: '' });
  });

  it('that come while stores are closing are told, and decide', async (test) => {
    const code = `
      const store = await persistify(memory()).open('a');
      flushOnExit(store);
      const work = goOn();
      store.changes$.subscribe({ complete: () => process.once('SIGTERM', () => { console.log('heard'); clearInterval(work); }) });
      ready();`;
    const program = startProgram(test, code);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ code: 0, signal: null, stdout: 'ready\nheard\n', stderr: '' });
  });
});

describe('while stores are closing', () => {
  const slow = `
    const slow = faulty((session) => ({ write: async (batch, context) => { await new Promise((resolve) => setTimeout(resolve, 600)); return session.write(batch, context); } }));
    const store = await persistify(slow).withBatch(seldom).open('a');
    store.saves$.subscribe(({ count }) => console.log('saved', count));
    store.set('a', 1);
    flushOnExit(store);
    flushOnExit(store);`;

  it('a write whose error the program does not catch ends neither the program nor the saving', async (test) => {
    const code = `${slow}
      setInterval(() => store.set('b', 1), 10);
      setInterval(async () => { await store.setAndSave('c', 1); }, 10);
      setTimeout(ready, 0);`;
    const program = startProgram(test, code);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    const outcome = await program.ended;
    expect(outcome).toMatchObject(endedBy('SIGTERM'));
    expect(outcome.stdout).toMatch(/^ready\n(saved \d\n)+$/);
  });

  it('another uncaught error ends the program as ever', async (test) => {
    const program = startProgram(test, `${slow} goOn(); ready(); process.once('SIGUSR2', () => { throw new TypeError('of the program'); });`);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    await delay(100);
    program.process.kill('SIGUSR2');
    const { code, signal, stdout, stderr } = await program.ended;
    expect([code, signal, stdout]).toEqual([1, null, 'ready\n']);
    expect(stderr).toMatch(/^Uncaught TypeError: of the program\n +at /);
  });

  it('another uncaught error is met by who listens for it, and the saving goes on', async (test) => {
    const program = startProgram(test, `${slow} goOn(); ready(); process.once('SIGUSR2', () => { throw new TypeError('of the program'); }); process.on('uncaughtException', (error) => console.log(error.message));`);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    await delay(100);
    program.process.kill('SIGUSR2');
    expect(await program.ended).toMatchObject({ ...endedBy('SIGTERM'), stdout: 'ready\nof the program\nsaved 1\n' });
  });

  it('is the only time that errors are listened for', async (test) => {
    const code = `${slow}
      const count = () => console.log(process.listenerCount('uncaughtException'));
      const work = goOn();
      process.on('SIGTERM', () => { count(); setTimeout(() => { count(); clearInterval(work); }, 1_000); });
      count();
      ready();`;
    const program = startProgram(test, code);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ code: 0, stdout: '0\nready\n2\nsaved 1\n0\n', stderr: '' });
  });
});
