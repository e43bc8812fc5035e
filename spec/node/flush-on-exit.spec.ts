import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

import { persistify } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { sqlite } from 'rx-persistify/sqlite';
import { describe, expect, it } from 'vitest';

import { temporaryDirectory } from '../demos/run-demo.ts';
import { because, endedBy, noNamespaces, startAsFirstProcess, startProgram, stored } from './program.ts';

describe('a signal in the middle of many writes', () => {
  for (const [signal, name, make] of [
    ['SIGTERM', 'json-file', (directory: string) => jsonFile({ directory })],
    ['SIGINT', 'json-file', (directory: string) => jsonFile({ directory })],
    ['SIGTERM', 'sqlite in a worker', (directory: string) => sqlite({ file: `${directory}/data.sqlite` })],
    ['SIGINT', 'sqlite on the main thread', (directory: string) => sqlite({ file: `${directory}/data.sqlite` })],
  ] as const) {
    it(`${signal} with ${name}: every applied write is on disk, and the program ends by the signal`, async (test) => {
      const directory = await temporaryDirectory(test);
      const code = `
        const store = await persistify(providers[${JSON.stringify(name)}]()).withBatch(seldom).open('a');
        flushOnExit(store);
        let applied = 0;
        store.changes$.subscribe({ complete: () => console.log('applied', applied) });
        (function write() {
          if (applied === 5_000) ready();
          try {
            for (let count = 0; count < 100; count++) {
              store.set('key' + applied, applied);
              applied++;
            }
          } catch (error) {
            if (error.code === 'STORE_CLOSED') return;
            throw error;
          }
          setTimeout(write, 1);
        })();`;
      const program = startProgram(test, code, directory);
      await program.printed(/ready/);
      program.process.kill(signal);
      const outcome = await program.ended;
      expect(outcome).toMatchObject(endedBy(signal));
      const applied = Number(/applied (\d+)/.exec(outcome.stdout)?.[1]);
      expect(applied).toBeGreaterThan(5_000);
      expect(await stored(make(directory))).toEqual(Object.fromEntries(Array.from({ length: applied }, (_, index) => [`key${index}`, index])));
    });
  }
});

describe('a signal', () => {
  it('closes several stores at once, also those that came to a Set later', async (test) => {
    const directory = await temporaryDirectory(test);
    const code = `
      const stores = new Set();
      flushOnExit(stores);
      for (const name of ['a', 'b', 'c']) {
        const store = await persistify(jsonFile({ directory })).withBatch(seldom).open(name);
        stores.add(store);
        store.set('name', name);
      }
      goOn();
      ready();`;
    const program = startProgram(test, code, directory);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toMatchObject(endedBy('SIGTERM'));
    expect((await readdir(directory)).sort()).toEqual(['a.json', 'b.json', 'c.json']);
    for (const name of ['a', 'b', 'c']) {
      const store = await persistify(jsonFile({ directory })).open(name);
      expect([...store]).toEqual([['name', name]]);
      await store.close();
    }
  });

  it('closes a cache as it does a store', async (test) => {
    const directory = await temporaryDirectory(test);
    const program = startProgram(test, `const cache = await persistify(providers['sqlite in a worker']()).withBatch(seldom).openCache('a'); flushOnExit(cache); cache.set('a', 1); goOn(); ready();`, directory);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toMatchObject(endedBy('SIGTERM'));
    expect(await stored(sqlite({ file: `${directory}/data.sqlite` }))).toEqual({ a: 1 });
  });

  it('is met by each flushOnExit for its own stores, and the last to be done raises it', async (test) => {
    const code = `
      for (const ms of [500, 1_000]) {
        const slow = faulty((session) => ({ write: async (batch, context) => { await new Promise((resolve) => setTimeout(resolve, ms)); return session.write(batch, context); } }));
        const store = await persistify(slow).withBatch(seldom).open('takes ' + ms);
        store.saves$.subscribe(({ keys }) => console.log(store.name, keys.join()));
        store.set('a', 1);
        flushOnExit(store);
      }
      goOn();
      ready();`;
    const program = startProgram(test, code);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ ...endedBy('SIGTERM'), stdout: 'ready\ntakes 500 a\ntakes 1000 a\n' });
  });

  it('finds a store closed already, and ends the program all the same', async (test) => {
    const program = startProgram(test, `const store = await persistify(memory()).open('a'); flushOnExit([store]); await store.close(); goOn(); ready();`);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toMatchObject(endedBy('SIGTERM'));
  });

  it('is what it would be without, once it was taken back', async (test) => {
    const directory = await temporaryDirectory(test);
    const code = `
      const store = await persistify(jsonFile({ directory })).withBatch(seldom).open('a');
      const takeBack = flushOnExit(store);
      const listeners = () => ['SIGTERM', 'SIGINT', 'beforeExit'].map((event) => process.listenerCount(event)).join();
      console.log(listeners());
      takeBack();
      takeBack();
      console.log(listeners());
      store.set('a', 1);
      ready();`;
    const program = startProgram(test, code, directory);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ ...endedBy('SIGTERM'), stdout: '1,1,1\n0,0,0\nready\n' });
    expect(await stored(jsonFile({ directory }))).toEqual({});
  });

  it('once it has come, ends the program although it is taken back', async (test) => {
    const code = `
      const store = await persistify(memory()).withBatch(seldom).open('a');
      const takeBack = flushOnExit(store);
      store.saves$.subscribe({ next: ({ keys }) => console.log('saved', keys.join()), complete: takeBack });
      store.set('a', 1);
      goOn();
      ready();`;
    const program = startProgram(test, code);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ ...endedBy('SIGTERM'), stdout: 'ready\nsaved a\n' });
  });

  it.skipIf(noNamespaces())(`ends a program that is the first process of its container${because(noNamespaces())}`, async (test) => {
    // Sent from within, as the parent knows another number; the kernel then delivers it only because it is listened for.
    const program = startAsFirstProcess(test, `const store = await persistify(memory()).withBatch(seldom).open('a'); store.set('a', 1); flushOnExit(store); setInterval(() => store.set('b', 1), 5); console.log(process.pid); process.kill(1, 'SIGTERM');`);
    expect(await program.ended).toMatchObject({ code: 143, stdout: '1\n', stderr: '' });
  });
});

describe('a second signal', () => {
  for (const second of ['SIGTERM', 'SIGINT'] as const) {
    it(`${second} while stores are closing ends the program at once, and what is left is told`, async (test) => {
      const program = startProgram(test, `const store = await persistify(hanging()).open('a'); flushOnExit(store, { deadlineMs: 50_000 }); store.set('a', 1); store.set('b', 1); goOn(); ready();`);
      await program.printed(/ready/);
      program.process.kill('SIGTERM');
      await delay(500);
      const began = performance.now();
      program.process.kill(second);
      const { code, signal, stderr } = await program.ended;
      expect([code, signal]).toEqual([null, second]);
      expect(stderr).toBe(`rx-persistify: 2 keys of store "a" were not saved: A second signal, ${second}, ended the program before.\n`);
      expect(performance.now() - began).toBeLessThan(5_000);
    });
  }

  it('that is the first one, handed on by npm, changes nothing', async (test) => {
    const code = `
      const slow = faulty((session) => ({ write: async (batch, context) => { await new Promise((resolve) => setTimeout(resolve, 600)); return session.write(batch, context); } }));
      const store = await persistify(slow).withBatch(seldom).open('a');
      flushOnExit(store);
      store.saves$.subscribe(({ keys }) => console.log('saved', keys.join()));
      store.set('a', 1);
      goOn();
      ready();`;
    const program = startProgram(test, code);
    await program.printed(/ready/);
    program.process.kill('SIGINT');
    await delay(50);
    program.process.kill('SIGINT');
    expect(await program.ended).toMatchObject({ ...endedBy('SIGINT'), stdout: 'ready\nsaved a\n' });
  });
});
