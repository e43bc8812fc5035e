import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import { endedBy, secondCopy, startProgram } from './program.ts';

/** Each copy has a store of its own, which takes so long to save. */
const opening = (saveMs: number, otherSaveMs: number): string => `
  const other = { ...(await import(directory + '/dist/index.js')), ...(await import(directory + '/dist/node/index.js')) };
  const takingTime = (ms) => faulty((session) => ({ write: async (batch, context) => { await new Promise((resolve) => setTimeout(resolve, ms)); return session.write(batch, context); } }));
  const store = await persistify(takingTime(${saveMs})).withBatch(seldom).open('a');
  const otherStore = await other.persistify(takingTime(${otherSaveMs})).withBatch(seldom).open('b');
  flushOnExit(store);
  other.flushOnExit(otherStore);
  for (const { name, set, saves$ } of [store, otherStore].map((each) => ({ name: each.name, set: () => each.set('a', 1), saves$: each.saves$ }))) {
    saves$.subscribe(() => console.log('saved', name));
    set();
  }
  const work = setTimeout(() => process.exit(7), 10_000);
`;

describe('two copies of the package in one program', () => {
  it.for([
    ['the first takes longer', 600, 0, 'saved b\nsaved a\n'],
    ['the second takes longer', 0, 600, 'saved a\nsaved b\n'],
  ] as const)('save at a signal what is theirs, and the last to be done ends the program by it: %s', async ([, saveMs, otherSaveMs, saved], test) => {
    const program = startProgram(test, `${opening(saveMs, otherSaveMs)} ready();`, await secondCopy(test));
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toEqual({ ...endedBy('SIGTERM'), stdout: `ready\n${saved}` });
  });

  it('leave the end to what else listens for the signal', async (test) => {
    const program = startProgram(test, `${opening(0, 300)} process.on('SIGTERM', () => setTimeout(() => { clearTimeout(work); process.exitCode = 3; }, 600)); ready();`, await secondCopy(test));
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toEqual({ code: 3, signal: null, stdout: 'ready\nsaved a\nsaved b\n', stderr: '' });
  });

  it('are not ended by a write to a store of either that comes too late', async (test) => {
    const program = startProgram(test, `${opening(300, 600)} for (const each of [store, otherStore]) setInterval(() => each.set('late', 1), 10); setTimeout(ready, 0);`, await secondCopy(test));
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toEqual({ ...endedBy('SIGTERM'), stdout: 'ready\nsaved a\nsaved b\n' });
  });

  it('are ended by another uncaught error as ever', async (test) => {
    const program = startProgram(test, `${opening(2_000, 2_000)} process.once('SIGUSR2', () => { throw new TypeError('of the program'); }); ready();`, await secondCopy(test));
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    await delay(300);
    program.process.kill('SIGUSR2');
    const { code, signal, stdout, stderr } = await program.ended;
    expect([code, signal, stdout]).toEqual([1, null, 'ready\n']);
    expect(stderr).toMatch(/^Uncaught TypeError: of the program\n +at /);
  });
});
