import { statSync } from 'node:fs';
import { setImmediate as macrotask } from 'node:timers/promises';

import { describe, expect, it, vi } from 'vitest';

import { inspect, modes, numberedSets, open, openerOf, set, temporaryFile, type OpenDictionary } from './bench.ts';

const options = { worker: false, durability: 'normal' } as const;
/** They take some dozens of milliseconds, which is many slices. */
const many = 30_000;

/** Runs `look` in each macrotask until the write is done; returns how many there were. */
async function atEachTurn(write: Promise<unknown>, look: (turn: number) => unknown = () => undefined): Promise<number> {
  let isDone = false;
  const ended = write.then(
    () => (isDone = true),
    () => (isDone = true),
  );
  let turns = 0;
  for (;;) {
    await macrotask();
    if (isDone as boolean) break;
    await look(turns++);
  }
  await ended;
  return turns;
}

describe('a large batch on the main thread', () => {
  it('lets the event loop go on', async () => {
    const dictionary = await open({ file: temporaryFile(), ...options });
    const touches = Array.from({ length: many }, (_, index) => ({ type: 'touch', key: `touched ${index}`, expiresAt: 1 }) as const);
    const deletes = Array.from({ length: many }, (_, index) => ({ type: 'delete', key: `deleted ${index}` }) as const);
    expect(await atEachTurn(dictionary.write(...numberedSets(many)))).toBeGreaterThan(2);
    expect(await atEachTurn(dictionary.write(...touches))).toBeGreaterThan(2);
    expect(await atEachTurn(dictionary.write(...deletes))).toBeGreaterThan(2);
  });

  it('is seen whole or not at all, also by this process', async () => {
    const file = temporaryFile();
    const openAt = openerOf({ file, ...options });
    const [dictionary, sameProvider, other] = [await openAt(), await openAt(), await open({ file, ...options })];
    await dictionary.write(...numberedSets(many, '"old"'));
    const program = inspect(file).prepare(`SELECT count(*) FROM prefs WHERE value = '"new"'`).pluck();
    const seen = new Set<unknown>();
    const turns = await atEachTurn(dictionary.write(...numberedSets(many, '"new"')), async () => {
      seen.add(program.get());
      for (const { session } of [dictionary, sameProvider, other]) for (const { json } of (await session.read?.(['key 000000'])) ?? []) seen.add(json);
    });
    expect(turns).toBeGreaterThan(2);
    // What is committed may be seen before it is answered.
    const [before, after] = [[0, '"old"'], [many, '"new"']];
    expect([...seen]).toEqual(expect.arrayContaining(before));
    expect([...before, ...after]).toEqual(expect.arrayContaining([...seen]));
    expect(program.get()).toBe(many);
    expect(new Set((await sameProvider.texts()).values())).toEqual(new Set(['"new"']));
  });

  it('is loaded by a store that opens meanwhile as it was before', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, ...options });
    await dictionary.write(...numberedSets(5_000, '"old"'));
    const other = await open({ file, ...options });
    const writing = dictionary.write({ type: 'clear' }, ...numberedSets(many, '"new"'));
    await macrotask();
    const [page] = await other.pages();
    expect(page?.version).toBe(1);
    expect(page?.entries[0]?.json).toBe('"old"');
    expect(await writing).toEqual({ version: 2, leftOut: [] });
  });

  it.each([0, 1, 3])('that is aborted in turn %i leaves nothing, and the next one is stored', async abortedIn => {
    const dictionary = await open({ file: temporaryFile(), ...options });
    await dictionary.write(set('before'));
    const controller = new AbortController();
    const writing = dictionary.send(dictionary.batch({ type: 'clear' }, ...numberedSets(many)), controller.signal);
    const turns = atEachTurn(writing, turn => {
      if (turn === abortedIn) controller.abort();
    });
    await expect(writing).rejects.toMatchObject({ kind: 'retry', outcomeUnknown: false });
    expect(await turns).toBeLessThan(abortedIn + 3);
    expect(await dictionary.texts()).toEqual(new Map([['before', '1']]));
    expect(await dictionary.write(set('next'))).toEqual({ version: 2, leftOut: [] });
  });

  it('is stored before its store is closed', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, ...options });
    const writing = dictionary.write(...numberedSets(many));
    await macrotask();
    await dictionary.close();
    expect(await writing).toEqual({ version: 1, leftOut: [] });
    expect(inspect(file).prepare('SELECT count(*) FROM prefs').pluck().get()).toBe(many);
  });

  it.each(['one provider', 'two providers'])('of one store and one of another of the same file both get on, through %s', async (through) => {
    const file = temporaryFile();
    const openAt = openerOf({ file, ...options });
    const first = await openAt('first');
    const second: OpenDictionary = through === 'one provider' ? await openAt('second') : await open({ file, ...options, busyTimeoutMs: 20_000 }, 'second');
    const both = Promise.all([first.write(...numberedSets(many)), second.write(...numberedSets(many))]);
    expect(await atEachTurn(both)).toBeGreaterThan(2);
    expect(await both).toEqual([
      { version: 1, leftOut: [] },
      { version: 1, leftOut: [] },
    ]);
    expect([(await first.texts()).size, (await second.texts()).size]).toEqual([many, many]);
  });

  it('that fails near its end changes nothing, and is stored by its retry', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, ...options });
    await dictionary.write(...numberedSets(100, '"old"'));
    const other = inspect(file);
    other.exec(`CREATE TRIGGER fails BEFORE INSERT ON prefs WHEN NEW.key = 'key 029990' BEGIN SELECT json('{'); END`);
    const batch = dictionary.batch({ type: 'clear' }, ...numberedSets(many, '"new"'));
    await expect(dictionary.send(batch)).rejects.toThrow('malformed JSON');
    expect(new Set((await dictionary.texts()).values())).toEqual(new Set(['"old"']));
    expect(other.prepare('SELECT count(*) FROM prefs').pluck().get()).toBe(100);
    other.exec('DROP TRIGGER fails');
    expect(await dictionary.send(batch)).toEqual({ version: 2, leftOut: [] });
    expect((await dictionary.texts()).size).toBe(many);
  });
});

describe.each(modes)('a log that has grown long, $mode', ({ worker }) => {
  it('is copied into the file, behind the answer to a write', async () => {
    const file = temporaryFile();
    const dictionary = await open({ file, worker, durability: 'normal' });
    const pages = 18_000;
    const large = JSON.stringify('x'.repeat(4_000));
    for (let start = 0; start < pages; start += 1_000) await dictionary.write(...numberedSets(pages, large).slice(start, start + 1_000));
    await vi.waitFor(() => expect(statSync(file).size).toBeGreaterThan(16_000 * 4_096), 5_000);
    expect((await dictionary.texts()).size).toBe(pages);
  });
});
