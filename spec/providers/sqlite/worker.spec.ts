import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { describe, expect, it, vi } from 'vitest';

import { inspect, modes, numberedSets, open, openerOf, set, temporaryFile } from './bench.ts';

/** The workers that are asked something from now on. */
function watchWorkers(): readonly Worker[] {
  const workers: Worker[] = [];
  const post = Reflect.get(Worker.prototype, 'postMessage') as (this: Worker, ...message: readonly unknown[]) => void;
  vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker, ...message) {
    if (!workers.includes(this)) workers.push(this);
    post.apply(this, message);
  });
  return workers;
}

describe('a worker', () => {
  it.each([0, 5, 15, 40, 80])('that dies %i ms into a write leaves a batch that is settled by its retry', async afterMs => {
    const dictionary = await open({ file: temporaryFile() });
    await dictionary.write(set('before'));
    const workers = watchWorkers();
    const batch = dictionary.batch(...numberedSets(10_000));
    const writing = dictionary.send(batch).catch((error: unknown) => error);
    await delay(afterMs);
    await workers[0]?.terminate();
    const outcome = await writing;
    if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'PROVIDER', kind: 'retry', outcomeUnknown: true });
    else expect(outcome).toEqual({ version: 2, leftOut: [] });
    expect(await dictionary.send(batch)).toEqual({ version: 2, leftOut: [] });
    expect((await dictionary.texts()).size).toBe(10_001);
    expect(workers).toHaveLength(2);
  });

  it('that dies while idle is replaced at the next write', async () => {
    const dictionary = await open({ file: temporaryFile() });
    const workers = watchWorkers();
    await dictionary.write(set('a'));
    await workers[0]?.terminate();
    expect(await dictionary.write(set('b'))).toEqual({ version: 2, leftOut: [] });
    await dictionary.close();
  });

  it('is one for all dictionaries of a provider, and ends with the last', async () => {
    const openAt = openerOf({ file: temporaryFile() });
    const workers = watchWorkers();
    const [first, second] = [await openAt('first'), await openAt('second')];
    const exited = new Promise(resolve => workers[0]?.once('exit', resolve));
    await first.write(set('a'));
    await second.write(set('a'));
    await first.close();
    expect(workers).toHaveLength(1);
    expect(workers[0]?.threadId).toBeGreaterThan(0);
    await second.close();
    await exited;
  });

  it('ends when nothing could be opened', async () => {
    const file = temporaryFile();
    inspect(file).exec('CREATE TABLE prefs (a)');
    const workers = watchWorkers();
    await expect(open({ file })).rejects.toThrow('it has no column');
    expect(workers[0]?.threadId).toBe(-1);
  });
});

describe.each(modes)('a process, $mode', ({ worker }) => {
  it.each([
    ['ends by itself while a store is idle', 'await write(1);', 0],
    ['stays alive while a write is under way', 'void write(20_000).then(() => console.log("saved"));', 0],
    ['ends by itself when it is done', 'await write(1); await session.close();', 0],
  ])('%s', async (_, body) => {
    const file = temporaryFile();
    const program = `
      import { sqlite } from 'rx-persistify/sqlite';
      const session = await sqlite({ file: ${JSON.stringify(file)}, worker: ${worker} }).open('prefs', { writer: 'w', report() {} });
      const write = count => session.write(
        { number: 1, writer: 'w', mutations: Array.from({ length: count }, (_, index) => ({ type: 'set', key: 'key ' + index, json: '1' })) },
        { signal: new AbortController().signal },
      );
      ${body}`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'], timeout: 10_000 });
    let output = '';
    child.stdout.on('data', (text: Buffer) => (output += text.toString()));
    expect(await once(child, 'exit')).toEqual([0, null]);
    if (body.includes('saved')) expect(output).toBe('saved\n');
    const dictionary = await open({ file, worker: false });
    expect((await dictionary.texts()).size).toBe(body.includes('saved') ? 20_000 : 1);
  });
});

describe.each(modes)('an aborted write, $mode', ({ worker }) => {
  it('settles soon, and tells the truth', async () => {
    const dictionary = await open({ file: temporaryFile(), worker, durability: 'normal' });
    for (const afterMs of [0, 1, 5, 20, 60]) {
      const controller = new AbortController();
      const batch = dictionary.batch({ type: 'clear' }, ...numberedSets(50_000, String(afterMs)));
      const before = await dictionary.texts();
      const writing = dictionary.send(batch, controller.signal).catch((error: unknown) => error);
      await delay(afterMs);
      const aborted = performance.now();
      controller.abort();
      const outcome = await writing;
      expect(performance.now() - aborted).toBeLessThan(1_500);
      if (afterMs <= 1) expect(outcome).toBeInstanceOf(Error); // 50,000 rows take longer
      const after = await dictionary.texts();
      if (outcome instanceof Error) {
        expect(outcome).toMatchObject({ code: 'PROVIDER', kind: 'retry', outcomeUnknown: false });
        expect(after).toEqual(before);
      } else expect(after.get('key 000000')).toBe(String(afterMs));
    }
  });

  it('that waits for another dictionary is not begun', async () => {
    const openAt = openerOf({ file: temporaryFile(), worker });
    const [busy, waiting] = [await openAt('busy'), await openAt('waiting')];
    const first = busy.write(...numberedSets(20_000));
    const controller = new AbortController();
    const second = waiting.send(waiting.batch(set('a')), controller.signal);
    controller.abort();
    await expect(second).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: false });
    expect(await first).toEqual({ version: 1, leftOut: [] });
    expect(await waiting.entries()).toEqual([]);
  });

  it('leaves no listener behind when it is done', async () => {
    const dictionary = await open({ file: temporaryFile(), worker });
    const controller = new AbortController();
    const added = vi.spyOn(controller.signal, 'addEventListener');
    const removed = vi.spyOn(controller.signal, 'removeEventListener');
    await dictionary.send(dictionary.batch(set('a')), controller.signal);
    expect(removed.mock.calls.length).toBe(added.mock.calls.length);
  });
});
