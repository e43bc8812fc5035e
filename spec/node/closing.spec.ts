import { describe, expect, it } from 'vitest';

import { startProgram } from './program.ts';

describe('a deadline that passes', () => {
  const line = 'rx-persistify: 1 key of store "a" was not saved: The deadline of 300 ms passed.\n';

  it.for([
    ['a write that never settles', 'persistify(hanging())', '', line],
    ['attempts without end', `persistify(faulty(() => ({ write: () => Promise.reject(new ProviderError('busy', { kind: 'retry' })) }))).withRetry({ maxAttempts: 1_000, delayMs: 10_000 })`, '', line],
    ['a close that never settles', 'persistify(faulty(() => ({ close: () => never })))', '', 'rx-persistify: store "a" is saved, but did not close as it should: The deadline of 300 ms passed.\n'],
    ['a scheduler whose time stands still', 'persistify(hanging()).withScheduler({ now: () => 0, schedule: () => new Subscription() })', '', line],
    ['a closing by the program that has a longer one', 'persistify(hanging())', 'store.close({ deadlineMs: 50_000 }).catch(() => undefined);', line],
    ['a reload that hangs', 'persistify(faulty((session) => ({ load: () => (loads++ === 0 ? session.load() : (async function* () { yield await never; })()) })))', 'store.reload().catch(() => undefined);', line],
  ] as const)('ends the program, and what is left is told: %s', async ([, stores, more, expected], test) => {
    const code = `
      import { Subscription } from 'rxjs';
      let loads = 0;
      const store = await ${stores}.open('a');
      const other = await persistify(memory()).withBatch(seldom).open('other');
      other.saves$.subscribe(() => console.log('the other one is saved'));
      flushOnExit([store, other], { deadlineMs: 300 });
      store.errors$.subscribe();
      store.set('a', 1);
      other.set('a', 1);
      ${more}
      goOn();
      ready();`;
    const program = startProgram(test, code);
    await program.printed(/ready/);
    const began = performance.now();
    program.process.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ code: null, signal: 'SIGTERM', stdout: 'ready\nthe other one is saved\n', stderr: expected });
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('of 0 ms ends it without waiting', async (test) => {
    const program = startProgram(test, `const store = await persistify(hanging()).open('a'); flushOnExit(store, { deadlineMs: 0 }); store.set('a', 1); goOn(); ready();`);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ signal: 'SIGTERM', stderr: 'rx-persistify: 1 key of store "a" was not saved: The deadline of 0 ms passed.\n' });
  });
});

describe('report', () => {
  it('gets what each store left: its name, how many keys, which, and why', async (test) => {
    const code = `
      const stores = await Promise.all([persistify(broken()).open('broken'), persistify(memory()).open('fine'), persistify(faulty(() => ({ close: () => Promise.reject(new Error('no')) }))).open('not closing')]);
      const refusing = await persistify(faulty(() => ({ write: () => Promise.reject(new ProviderError('never', { kind: 'refuse' })) }))).withBatch(seldom).open('refusing');
      for (const store of [...stores, refusing]) {
        store.errors$.subscribe();
        store.set('a', 1);
      }
      stores[0].set('b', 1);
      flushOnExit([...stores, refusing], { report: (unsaved) => console.log(JSON.stringify(unsaved.map(({ error, ...facts }) => ({ ...facts, error: error.message, code: error.code, cause: error.cause?.message })))) });
      goOn();
      ready();`;
    const program = startProgram(test, code);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    const { signal, stdout, stderr } = await program.ended;
    expect([signal, stderr]).toEqual(['SIGTERM', '']);
    expect(JSON.parse(stdout.replace('ready\n', ''))).toMatchObject([
      { store: 'broken', unsaved: 2, keys: ['a', 'b'], error: '2 keys are not saved: "a", "b".', code: 'SAVE_FAILED' },
      { store: 'not closing', unsaved: 0, keys: [], error: 'no' },
      { store: 'refusing', unsaved: 1, keys: ['a'], code: 'SAVE_FAILED' },
    ]);
  });

  it('that throws does not keep the program from ending', async (test) => {
    const code = `
      const store = await persistify(broken()).open('a');
      store.errors$.subscribe();
      store.set('a', 1);
      flushOnExit(store, { report: () => { throw new Error('of the report'); } });
      goOn();
      ready();`;
    const program = startProgram(test, code);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    const { signal, stderr } = await program.ended;
    expect(signal).toBe('SIGTERM');
    expect(stderr).toMatch(/^Error: of the report/);
  });

  it('has what turns out to be no store, and the others are saved', async (test) => {
    const code = `
      const store = await persistify(memory()).withBatch(seldom).open('a');
      store.saves$.subscribe(() => console.log('saved'));
      store.set('a', 1);
      const stores = new Set([store]);
      flushOnExit(stores);
      stores.add(persistify(memory()).open('b'));
      goOn();
      ready();`;
    const program = startProgram(test, code);
    await program.printed(/ready/);
    program.process.kill('SIGTERM');
    const { signal, stdout, stderr } = await program.ended;
    expect([signal, stdout]).toEqual(['SIGTERM', 'ready\nsaved\n']);
    expect(stderr).toMatch(/each store must be an object with name, unsaved and close, as open\(\) resolves to, not a promise \(await it first\)\.\n$/);
  });
});
