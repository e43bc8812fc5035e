import { persistify, type Change, type Store } from 'rx-persistify';
import { postgres, type PostgresOptions } from 'rx-persistify/postgres';
import { describe, expect, it, onTestFinished } from 'vitest';

import { Process } from '../../support/process.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

/** A store in another process: each line is a program that has `store` and `print`. */
function storeProcess(schema: string, more = ''): Process {
  return new Process(`
    import { createInterface } from 'node:readline';
    import { persistify } from 'rx-persistify';
    import { postgres } from 'rx-persistify/postgres';
    const print = value => process.stdout.write(JSON.stringify(value) + '\\n');
    const store = await persistify(postgres({ connection: ${JSON.stringify(database.url)}, schema: '${schema}' })).withBatch({ intervalMs: 5 })${more}.open('prefs');
    const AsyncFunction = (async () => {}).constructor;
    print('open');
    for await (const line of createInterface({ input: process.stdin })) await new AsyncFunction('store', 'print', line)(store, print);
    await store.close();`);
}

async function openStore(schema: string, options: PostgresOptions = {}): Promise<Store<Record<string, unknown>>> {
  const store = await persistify(postgres({ connection: database.url, schema, ...options })).withBatch({ intervalMs: 5 }).open<Record<string, unknown>>('prefs');
  onTestFinished(() => store.close());
  return store;
}

/** As a server that was restored to the state after the first of two commits. */
async function loseSecondCommit(schema: string): Promise<void> {
    await database.sql(`BEGIN; DELETE FROM ${schema}.rx_persistify_log WHERE version > 1; UPDATE ${schema}.rx_persistify_writers SET number = 1, version = 1; DELETE FROM ${schema}.prefs WHERE version > 1; UPDATE ${schema}.rx_persistify_dictionaries SET head = 1; COMMIT`);
}

function sorted(entries: Iterable<readonly [string, unknown]>): unknown {
  return Object.fromEntries([...entries].sort(([one], [other]) => (one < other ? -1 : 1)));
}

describe('stores in two processes', () => {
  it('show what the other changes as remote', async () => {
    const schema = database.freshSchema();
    const store = await openStore(schema);
    const changes: Change[] = [];
    store.changes$.subscribe((change) => changes.push(change));
    const other = storeProcess(schema);
    await other.line(0);
    other.say('store.changes$.subscribe(({ type, key, value, origin }) => print({ type, key, value, origin }))');
    for (const [index, write] of ["set('theirs', 1)", "set('gone', 1)", "delete('gone')"].entries()) {
      other.say(`store.${write}`);
      await expect.poll(() => changes.length).toBe(index + 1);
    }
    expect(changes.map(({ type, origin }) => `${type} ${origin}`)).toEqual(['set remote', 'set remote', 'delete remote']);
    expect(Object.fromEntries(store)).toEqual({ theirs: 1 });
    await store.setAndSave('mine', { deep: [1] });
    await other.line(4); // were it cleared before, there would be nothing of it to tell
    await store.clearAndSave();
    const heard = [1, 2, 3, 4, 5].map((index) => other.line(index));
    expect((await Promise.all(heard)).map((line) => JSON.parse(line) as unknown)).toEqual([
      { type: 'set', key: 'theirs', value: 1, origin: 'local' },
      { type: 'set', key: 'gone', value: 1, origin: 'local' },
      { type: 'delete', key: 'gone', origin: 'local' },
      { type: 'set', key: 'mine', value: { deep: [1] }, origin: 'remote' },
      expect.objectContaining({ origin: 'remote' }),
    ]);
  });

  it('are equal to one another and to storage after random writes in both', async () => {
    const schema = database.freshSchema();
    const watching = await openStore(schema);
    const processes = [storeProcess(schema), storeProcess(schema)];
    for (const [index, other] of processes.entries()) {
      await other.line(0);
      other.say(`store.errors$.subscribe(({ error }) => { if (error.kind !== 'retry') print(error.message) })`);
      other.say(`for (let round = 0; round < 300; round++) {
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
    const stored = sorted([...(await (await database.open({ schema })).texts())].map(([key, json]) => [key, JSON.parse(json) as unknown]));
    await expect.poll(() => sorted(watching)).toEqual(stored);
    for (const other of processes) {
      await expect.poll(async () => {
        const count = other.lines.length;
        other.say('print([...store])');
        return sorted(JSON.parse(await other.line(count)) as readonly (readonly [string, unknown])[]);
      }).toEqual(stored);
    }
  });

  it('and more have one winner of an addAndSave, and count exactly with updateAndSave', async () => {
    const schema = database.freshSchema();
    const store = await openStore(schema);
    const processes = Array.from({ length: 4 }, () => storeProcess(schema));
    for (const other of processes) await other.line(0);
    for (let round = 1; round <= 5; round++) {
      for (const [index, other] of processes.entries()) other.say(`print(await store.addAndSave('lock ${round}', ${index}))`);
      const won = await Promise.all(processes.map(async (other) => JSON.parse(await other.line(round)) as boolean));
      expect(won.filter(Boolean)).toHaveLength(1);
      await expect.poll(() => store.get(`lock ${round}`)).toBe(won.indexOf(true));
      expect(await store.addAndSave(`lock ${round}`, 'late')).toBe(false);
    }
    const counts: unknown[] = [];
    store.changes$.subscribe((change) => counts.push('value' in change ? change.value : undefined));
    const three = processes.slice(0, 3);
    for (const other of three) other.say(`for (let round = 0; round < 30; round++) await store.updateAndSave('count', (count = 0) => count + 1); print('done')`);
    for (const other of three) await other.line(6);
    await expect.poll(() => store.get('count')).toBe(90);
    expect(counts).toEqual([...counts].sort((one, other) => Number(one) - Number(other)));
  });

  it('hear of each other what becomes of a row that another program has made, whatever version it has', async () => {
    const schema = database.freshSchema();
    const store = await openStore(schema);
    await store.setAndSave('first', 1);
    await database.sql(`INSERT INTO ${schema}.prefs VALUES ('changed', '"theirs"', 0, 0, 1000, NULL), ('gone', '"theirs"', 0, 0, 1000, NULL)`);
    await store.reload();
    const other = storeProcess(schema);
    await other.line(0);
    await store.setAndSave('changed', 'ours');
    await store.deleteAndSave('gone');
    await store.setAndSave('last', true);
    other.say("store.get$('last').subscribe((last) => { if (last) print([store.get('changed'), store.has('gone')]); })");
    expect(JSON.parse(await other.line(1))).toEqual(['ours', false]);
    other.say("print(await store.updateAndSave('changed', (value) => value + ' and theirs'))");
    expect(JSON.parse(await other.line(2))).toBe('ours and theirs');
    await expect.poll(() => store.get('changed')).toBe('ours and theirs');
  });

  it('end no entry that the other keeps alive by reading it', async () => {
    const schema = database.freshSchema();
    const ttl = ".withTtl({ ms: 1500, mode: 'sliding' })";
    const [idle, reading] = [storeProcess(schema, ttl), storeProcess(schema, ttl)];
    for (const other of [idle, reading]) {
      await other.line(0);
      other.say(`store.changes$.subscribe(({ type, key, origin }) => { if (type === 'expire' || type === 'delete') print({ type, key }) })`);
    }
    idle.say("await store.setAndSave('kept', 1); await store.setAndSave('left', 1); print('set')");
    await idle.line(1);
    reading.say("const until = Date.now() + 4000; while (Date.now() < until) { store.get('kept'); await new Promise(resolve => setTimeout(resolve, 100)); } print({ kept: store.has('kept'), left: store.has('left') })");
    expect(JSON.parse(await reading.line(1))).toMatchObject({ key: 'left' });
    expect(JSON.parse(await reading.line(2))).toEqual({ kept: true, left: false });
    expect([...(await (await database.open({ schema })).texts()).keys()]).toEqual(['kept']);
    // It has not heard that the other one reads: what it takes for ended it finds to be alive when it ends it.
    await expect.poll(() => {
      idle.say("print({ answer: [store.has('left'), store.get('kept')] })");
      return JSON.parse(idle.lines.at(-1) ?? 'null') as unknown;
    }).toEqual({ answer: [false, 1] });
  });
});

describe('a store', () => {
  it.each<[string, PostgresOptions]>([
    ['its feed has most likely heard of', { pollMs: 20 }],
    ['its feed has not heard of yet', { listen: false, pollMs: 1_000 }],
  ])('tells of commits that were acknowledged, that %s, and that are lost, once, and shows what is there', async (_, options) => {
    const schema = database.freshSchema();
    const store = await openStore(schema, options);
    const told: unknown[] = [];
    store.errors$.subscribe(({ error }) => told.push(error));
    await store.setAndSave('kept', 1);
    await store.setAndSave('lost', 1);
    await loseSecondCommit(schema);
    await expect.poll(() => Object.fromEntries(store)).toEqual({ kept: 1 });
    await store.setAndSave('new', 1);
    expect(told).toMatchObject([{ code: 'DATA_LOST' }]);
    expect(Object.fromEntries(store)).toEqual({ kept: 1, new: 1 });
  });

  it('shows what is there also where a write of its own was the first to find that commits are lost', async () => {
    const schema = database.freshSchema();
    const store = await openStore(schema, { listen: false, pollMs: 1_000 });
    const told: unknown[] = [];
    store.errors$.subscribe(({ error }) => told.push(error));
    await store.setAndSave('kept', 1);
    await store.setAndSave('lost', 1);
    await loseSecondCommit(schema);
    await store.setAndSave('new', 1);
    await expect.poll(() => Object.fromEntries(store)).toEqual({ kept: 1, new: 1 });
    expect(told).toMatchObject([{ code: 'DATA_LOST' }]);
  });

  it('that cannot reach its server fails to open, with host and port', async () => {
    const opening = persistify(postgres({ connection: 'postgres://app:secret@127.0.0.1:1/app' })).open('prefs');
    await expect(opening).rejects.toMatchObject({ code: 'LOAD_FAILED', message: expect.stringContaining('127.0.0.1:1') as string, cause: expect.objectContaining({ kind: 'retry' }) as unknown });
  });
});
