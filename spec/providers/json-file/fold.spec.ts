import { cp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';

import { afterSync, afterUnlink } from './faults.ts';
import { consistentState, filesIn, foldedIn, mebibyte, memory, scratch, stateOf, Store, textOf, textsIn } from './store.ts';

function bulk(from: number, count: number, value = 'x'.repeat(1_000)) {
  return Array.from({ length: count }, (_, index) => ({ type: 'set', key: `key ${from + index}`, json: JSON.stringify(value) }) as const);
}

describe('a fold', () => {
  /** Writes and writes, so that there is no second of idleness, until the `.json` file is another one. @returns how large the log was before. */
  async function logBytesBeforeFold(store: Store, from: number): Promise<number> {
    const inodeOfJson = async () => (await stat(join(store.directory, 'prefs.json')).catch(() => undefined))?.ino;
    const before = await inodeOfJson();
    for (let [round, bytes] = [0, 0]; ; round += 1) {
      const log = (await filesIn(store.directory)).filter(name => name.endsWith('.log')).at(-1);
      const { size } = log === undefined ? { size: 0 } : await stat(join(store.directory, log));
      if (size < bytes) {
        await vi.waitUntil(async () => (await inodeOfJson()) !== before, { timeout: 5_000, interval: 5 });
        return bytes;
      }
      bytes = size;
      await store.write(...bulk(from + round * 50, 50));
    }
  }

  it('comes when the logs exceed so many bytes, and the .json file', async () => {
    const store = await Store.open(await scratch(), { logBytes: mebibyte / 2 });
    expect((await logBytesBeforeFold(store, 0)) / mebibyte).toBeCloseTo(0.5, 0);
    await foldedIn(store.directory);
    const { size } = await stat(join(store.directory, 'prefs.json'));
    expect(size).toBeGreaterThan(mebibyte / 2);
    expect(await logBytesBeforeFold(store, 10_000)).toBeGreaterThan(size - 100_000);
  });

  it('waits for 4 MiB, if nothing else is asked for', async () => {
    const store = await Store.open(await scratch(memory), { logBytes: 'usual' });
    const bytes = await logBytesBeforeFold(store, 0);
    expect(bytes / mebibyte).toBeGreaterThan(3.9);
    expect(bytes / mebibyte).toBeLessThan(5);
  });

  it('comes after a second without a commit, if the logs have half the size of the .json file', async () => {
    const store = await Store.open(await scratch(memory));
    await store.write(...bulk(0, 1_200));
    await store.close();
    const again = await Store.open(store.directory, { logBytes: 16 * mebibyte });
    await again.write(...bulk(0, 400));
    await new Promise(resolve => setTimeout(resolve, 1_500));
    expect((await filesIn(again.directory)).filter(name => name.endsWith('.log'))).toHaveLength(1);
    await again.write(...bulk(0, 400));
    await vi.waitUntil(async () => !(await filesIn(again.directory)).some(name => name.endsWith('.log')), { timeout: 5_000, interval: 20 });
    expect(Object.keys(await again.texts())).toHaveLength(1_200);
  });

  it('gives the file a time that no later edit can have, however coarse the clock of the file system', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    await store.close();
    const { mtimeMs, ctimeMs } = await stat(join(store.directory, 'prefs.json'));
    expect(ctimeMs - mtimeMs).toBeGreaterThan(16);
  });

  it('lets writes go on, which go to the next log', async () => {
    const store = await Store.open(await scratch());
    const expected: Record<string, string> = {};
    for (let round = 0; round < 60; round += 1) {
      const mutations = [...bulk(round * 50, 50), { type: 'set', key: 'round', json: `${round}` } as const, { type: 'delete', key: `key ${round * 50}` } as const];
      await store.write(...mutations.slice(0, -1));
      await store.write(...mutations.slice(-1));
      for (const mutation of mutations) if (mutation.type === 'set') expected[mutation.key] = mutation.json;
      Reflect.deleteProperty(expected, `key ${round * 50}`);
      await new Promise(resolve => setImmediate(resolve));
      if (round % 12 === 11) expect(await textsIn(await consistentState(store.directory))).toEqual(expected);
    }
    expect(await store.texts()).toEqual(expected);
    await store.close();
    expect(await textsIn(store.directory)).toEqual(expected);
  });

  it('holds the event loop for 10 ms at most', async () => {
    const directory = await scratch();
    const filling = await Store.open(directory);
    for (let round = 0; round < 50; round += 1) await filling.write(...bulk(round * 1_000, 1_000, 'value'));
    await filling.close();
    const store = await Store.open(directory);
    await store.write(...bulk(0, 1_000, 'other'));
    let longest = 0;
    let last = performance.now();
    let cpu = process.cpuUsage();
    const ticker = setInterval(() => {
      // What other processes take of the machine is not ours: only time in which this one worked counts.
      const used = process.cpuUsage(cpu);
      longest = Math.max(longest, Math.min(performance.now() - last, (used.user + used.system) / 1_000));
      last = performance.now();
      cpu = process.cpuUsage();
    }, 0);
    await store.close();
    clearInterval(ticker);
    expect(longest).toBeLessThan(25);
  });

  it('copies what it does not know the meaning of, byte for byte', async () => {
    const directory = await scratch();
    await writeFile(join(directory, 'prefs.json'), '{"big":123456789012345678901234567890,"twice":{"a":1,"a":2},"exp":1.50e+10}');
    const store = await Store.open(directory);
    await store.set('a', '1');
    await store.close();
    expect((await textOf(directory)).split('\n').slice(1, 5)).toEqual([
      '"big":123456789012345678901234567890,', '"twice":{"a":1,"a":2},', '"exp":1.50e+10,', '"a":1,',
    ]);
  });

  it('keeps deadlines, the later of two after a touch', async () => {
    const directory = await scratch();
    const first = await Store.open(directory);
    await first.write(...['a', 'b', 'c', 'd', 'e'].map(key => ({ type: 'set', key, json: '1', expiresAt: 5e12 }) as const));
    await first.close();
    const second = await Store.open(directory);
    await second.write(
      { type: 'touch', key: 'a', expiresAt: 6e12 }, { type: 'touch', key: 'b', expiresAt: 4e12 }, { type: 'touch', key: 'absent', expiresAt: 6e12 },
      { type: 'set', key: 'c', json: '2' }, { type: 'delete', key: 'd' },
    );
    await second.write({ type: 'touch', key: 'd', expiresAt: 6e12 }, { type: 'touch', key: 'c', expiresAt: 6e12 });
    const expected = { a: 6e12, b: 5e12, c: undefined, e: 5e12 };
    const deadlinesOf = async (store: Store) => Object.fromEntries((await store.entries()).map(({ key, expiresAt }) => [key, expiresAt]));
    expect(await deadlinesOf(second)).toEqual(expected);
    expect(await deadlinesOf(await Store.open(await stateOf(directory)))).toEqual(expected);
    await second.close();
    expect(await deadlinesOf(await Store.open(directory))).toEqual(expected);
  });
});

describe('a fold that is killed', () => {
  /** A store with a `.json` file of generation 2 and a log on it, before and after the fold at its close. */
  async function beforeAndAfter(): Promise<{ before: string; after: string; expected: Readonly<Record<string, string>> }> {
    const directory = await scratch();
    const first = await Store.open(directory);
    await first.write({ type: 'set', key: 'a', json: '1' }, { type: 'set', key: 'b', json: '1' });
    await first.close();
    const second = await Store.open(directory);
    await second.write({ type: 'set', key: 'a', json: '2' }, { type: 'delete', key: 'b' }, { type: 'set', key: 'c', json: '2' });
    const before = await stateOf(directory);
    await second.close();
    return { before, after: await stateOf(directory), expected: { a: '2', c: '2' } };
  }

  it('while it writes its temporary file leaves the old state, and the file is removed', async () => {
    const { before, after, expected } = await beforeAndAfter();
    const whole = await readFile(join(after, 'prefs.json'));
    for (const length of [0, 1, 40, whole.length - 1, whole.length]) {
      const state = await stateOf(before);
      await writeFile(join(state, 'prefs.json.0123456789abcdef.tmp'), whole.subarray(0, length));
      const store = await Store.open(state);
      expect(await store.texts()).toEqual(expected);
      expect(await filesIn(state)).toEqual(['prefs.json', 'prefs.json.2.log', 'prefs.json.lock']);
      expect(store.reports).toEqual([]);
    }
  });

  it('after its rename leaves the new state with an obsolete log, which is removed', async () => {
    const { before, after, expected } = await beforeAndAfter();
    await cp(join(before, 'prefs.json.2.log'), join(after, 'prefs.json.2.log'));
    const store = await Store.open(after);
    expect(await store.texts()).toEqual(expected);
    expect(await filesIn(after)).toEqual(['prefs.json', 'prefs.json.lock']);
    expect(store.reports).toEqual([]);
    await store.set('a', '3');
    expect(await textsIn(await stateOf(after))).toEqual({ ...expected, a: '3' });
  });

  describe('while it unlinks the logs', () => {
    /** Logs 9 and 10, whose names do not sort as their numbers do. */
    async function onTwoLogs(): Promise<Store> {
      const directory = await scratch(memory);
      for (let round = 1; round <= 8; round += 1) {
        const store = await Store.open(directory);
        await store.set('a', `${round}`);
        await store.close();
      }
      const killed = await Store.open(directory);
      await killed.set('b', '9');
      const store = await Store.open(await stateOf(directory, memory));
      await store.set('c', '10');
      expect(await filesIn(store.directory)).toEqual(['prefs.json', 'prefs.json.10.log', 'prefs.json.9.log', 'prefs.json.lock']);
      return store;
    }

    it('leaves the new state with obsolete logs, which are removed', async () => {
      const store = await onTwoLogs();
      const states: string[] = [];
      afterUnlink(async path => {
        if (path.startsWith(store.directory) && path.endsWith('.log')) states.push(await stateOf(store.directory, memory));
      });
      await store.close();
      expect(states).toHaveLength(2);
      for (const state of states) expect(await textsIn(state)).toEqual({ a: '8', b: '9', c: '10' });
    });

    it('removes the last one, which names the others, only when those are gone for good', async () => {
      const store = await onTwoLogs();
      const calls: string[] = [];
      afterUnlink(path => {
        if (path.endsWith('.log')) calls.push(path.slice(-'10.log'.length));
      });
      await afterSync(() => calls.push('flush'));
      await store.close();
      expect(calls.slice(calls.indexOf('.9.log'))).toEqual(['.9.log', 'flush', '10.log']);
    });
  });

  it('at each moment of a busy store leaves every acknowledged write, and no more than one besides', async () => {
    const store = await Store.open(await scratch());
    let acknowledged = 0;
    const writing = (async () => {
      for (let round = 1; round <= 150; round += 1) {
        await store.write({ type: 'set', key: 'round', json: `${round}` }, ...bulk(round % 7, 20));
        acknowledged = round;
        await new Promise(resolve => setImmediate(resolve));
      }
    })();
    while (acknowledged < 150) {
      const before = acknowledged;
      const state = await consistentState(store.directory);
      const found = Number((await textsIn(state))['round'] ?? 0);
      expect(found).toBeGreaterThanOrEqual(before);
      expect(found).toBeLessThanOrEqual(acknowledged + 1);
      await rm(state, { recursive: true });
    }
    await writing;
  });
});

describe('the cost of a commit', () => {
  it('is the same in a store of 100,000 keys as in one of 100', async () => {
    const bytesOf = async (count: number): Promise<number> => {
      const directory = await scratch();
      const filling = await Store.open(directory, { writer: 'w' });
      for (let from = 0; from < count; from += 10_000) await filling.write(...bulk(from, Math.min(count, 10_000), 'v'));
      await filling.close();
      const store = await Store.open(directory, { writer: 'w2' });
      await store.set('key 7', '"new"');
      const log = (await filesIn(directory)).find(name => name.endsWith('.log')) ?? '';
      const before = (await stat(join(directory, log))).size;
      await store.set('key 8', '"new"');
      return (await stat(join(directory, log))).size - before;
    };
    const [small, large] = [await bytesOf(100), await bytesOf(100_000)];
    // The version in the record has a digit more or less.
    expect(Math.abs(large - small)).toBeLessThanOrEqual(2);
    expect(small).toBeLessThan(150);
  });
});
