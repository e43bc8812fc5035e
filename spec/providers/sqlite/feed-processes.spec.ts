import { persistify, type Change, type Store } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';

import { modes, open, temporaryFile } from './bench.ts';
import { Process } from '../../support/process.ts';
import { Told } from '../../support/told.ts';

/** Commits without end, and prints the version of each commit once it is acknowledged. */
function endlessWriter(file: string, worker: boolean): Process {
  return new Process(`
    import { sqlite } from 'rx-persistify/sqlite';
    const writer = String(process.pid);
    const session = await sqlite({ file: ${JSON.stringify(file)}, worker: ${worker}, durability: 'normal' }).open('prefs', { writer, report() {} });
    for (let number = 1; ; number++) {
      const mutations = [{ type: 'set', key: 'key ' + number % 97, json: JSON.stringify(writer + ' ' + number) }];
      if (number % 5 === 0) mutations.push({ type: 'delete', key: 'key ' + (number + 1) % 97 });
      const { version } = await session.write({ number, writer, mutations }, { signal: new AbortController().signal });
      process.stdout.write(version + '\\n');
    }`);
}

describe.each(modes)('the feed of another process, $mode', ({ worker }) => {
  it('tells every commit in order, over 2,000 of writers that are killed', async () => {
    const file = temporaryFile();
    const watcher = await open({ file });
    const told = new Told(watcher);
    const acknowledged: number[] = [];
    while ((acknowledged.at(-1) ?? 0) < 2_000) {
      const writer = endlessWriter(file, worker);
      await writer.line(299 + Math.floor(Math.random() * 300));
      await writer.kill();
      acknowledged.push(...writer.lines.map(Number));
    }
    const head = (await watcher.pages())[0]?.version ?? 0;
    await told.reaches(head);
    expect(told.versions).toEqual(Array.from({ length: head }, (_, index) => index + 1));
    expect(head).toBeGreaterThanOrEqual(acknowledged.at(-1) ?? 0);
    const known = new Map<string, string>();
    for (const { entries, deleted } of told.commits) {
      for (const key of deleted) known.delete(key);
      for (const { key, json } of entries) known.set(key, json);
    }
    expect(known).toEqual(await watcher.texts());
  });
});

/** A store in another process: each line is a program that has `store` and `print`. */
function storeProcess(file: string, intervalMs = 5): Process {
  return new Process(`
    import { createInterface } from 'node:readline';
    import { persistify } from 'rx-persistify';
    import { sqlite } from 'rx-persistify/sqlite';
    const print = value => process.stdout.write(JSON.stringify(value) + '\\n');
    const store = await persistify(sqlite({ file: ${JSON.stringify(file)} })).withBatch({ intervalMs: ${intervalMs} }).open('prefs');
    const AsyncFunction = (async () => {}).constructor;
    print('open');
    for await (const line of createInterface({ input: process.stdin })) await new AsyncFunction('store', 'print', line)(store, print);
    await store.close();`);
}

async function openStore(file: string): Promise<Store<Record<string, unknown>>> {
  const store = await persistify(sqlite({ file })).withBatch({ intervalMs: 5 }).open<Record<string, unknown>>('prefs');
  onTestFinished(() => store.close());
  return store;
}

function sorted(entries: Iterable<readonly [string, unknown]>): unknown {
  return Object.fromEntries([...entries].sort(([one], [other]) => (one < other ? -1 : 1)));
}

describe('stores in two processes', () => {
  it('show what the other changes as remote', async () => {
    const file = temporaryFile();
    const store = await openStore(file);
    const changes: Change[] = [];
    store.changes$.subscribe(change => changes.push(change));
    const other = storeProcess(file);
    await other.line(0);
    other.say('store.changes$.subscribe(({ type, key, value, origin }) => print({ type, key, value, origin }))');
    for (const [index, write] of ["set('theirs', 1)", "set('gone', 1)", "delete('gone')"].entries()) {
      other.say(`store.${write}`);
      await expect.poll(() => changes.length).toBe(index + 1);
    }
    expect(changes.map(({ type, origin }) => `${type} ${origin}`)).toEqual(['set remote', 'set remote', 'delete remote']);
    expect(Object.fromEntries(store)).toEqual({ theirs: 1 });
    await store.setAndSave('mine', { deep: [1] });
    await other.line(4); // else the other may hear of both as of one, by which nothing of it is there
    await store.clearAndSave();
    const heard = [1, 2, 3, 4, 5].map(index => other.line(index));
    expect((await Promise.all(heard)).map(line => JSON.parse(line) as unknown)).toEqual([
      { type: 'set', key: 'theirs', value: 1, origin: 'local' },
      { type: 'set', key: 'gone', value: 1, origin: 'local' },
      { type: 'delete', key: 'gone', origin: 'local' },
      { type: 'set', key: 'mine', value: { deep: [1] }, origin: 'remote' },
      expect.objectContaining({ origin: 'remote' }),
    ]);
  });

  it('are equal to one another and to storage after random writes in both', async () => {
    const file = temporaryFile();
    const watching = await openStore(file);
    const errors: unknown[] = [];
    watching.errors$.subscribe(error => errors.push(error));
    const processes = [storeProcess(file), storeProcess(file)];
    for (const [index, other] of processes.entries()) {
      await other.line(0);
      other.say(`store.errors$.subscribe(({ error }) => { if (error.kind !== 'retry') print(error.message) })`);
      other.say(`for (let round = 0; round < 400; round++) {
        const key = 'key ' + Math.floor(Math.random() * 30);
        const chance = Math.random();
        if (chance < 0.7) store.set(key, '${index} ' + round);
        else if (chance < 0.95) store.delete(key);
        else if (chance < 0.96) store.clear();
        else await store.flush();
        if (round % 3 === 0) await new Promise(resolve => setTimeout(resolve, Math.random() * 5));
      }
      await store.flush();
      print('done');`.replaceAll('\n', ' '));
    }
    for (const other of processes) expect(JSON.parse(await other.line(1))).toBe('done');
    const stored = sorted([...(await (await open({ file })).texts())].map(([key, json]) => [key, JSON.parse(json) as unknown]));
    await expect.poll(() => sorted(watching)).toEqual(stored);
    for (const other of processes) {
      await expect.poll(async () => {
        const count = other.lines.length;
        other.say('print([...store])');
        return sorted(JSON.parse(await other.line(count)) as readonly (readonly [string, unknown])[]);
      }).toEqual(stored);
    }
    expect(errors).toEqual([]);
  });

  it('and more have one winner of an addAndSave of one key', async () => {
    const file = temporaryFile();
    const store = await openStore(file);
    const processes = Array.from({ length: 4 }, () => storeProcess(file));
    for (const other of processes) await other.line(0);
    for (let round = 1; round <= 5; round++) {
      for (const [index, other] of processes.entries()) other.say(`print(await store.addAndSave('lock ${round}', ${index}))`);
      const won = await Promise.all(processes.map(async other => JSON.parse(await other.line(round)) as boolean));
      expect(won.filter(Boolean)).toHaveLength(1);
      await expect.poll(() => store.get(`lock ${round}`)).toBe(won.indexOf(true));
      expect(await store.addAndSave(`lock ${round}`, 'late')).toBe(false);
    }
  });

  it('and more count exactly with updateAndSave', async () => {
    const file = temporaryFile();
    const store = await openStore(file);
    const processes = Array.from({ length: 3 }, () => storeProcess(file));
    for (const other of processes) await other.line(0);
    for (const other of processes) other.say(`for (let round = 0; round < 40; round++) await store.updateAndSave('count', (count = 0) => count + 1); print('done')`);
    const counts: unknown[] = [];
    store.changes$.subscribe(change => counts.push('value' in change ? change.value : undefined));
    for (const other of processes) await other.line(1);
    await expect.poll(() => store.get('count')).toBe(120);
    expect(counts).toEqual([...counts].sort((one, other) => Number(one) - Number(other)));
  });
});
