import { readdirSync, readlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { type Change, persistify } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { describe, expect, it, onTestFinished } from 'vitest';

import { Process } from '../../support/process.ts';
import { Reader, sorted, type Shown } from './reader.ts';
import { filesIn, mebibyte, scratch, Store, textsIn } from './store.ts';

/**
 * Opens the store, and commits without end, each commit on what it found: the n-th sets `n` and a key that goes round, and removes
 * another one. Prints `n pid` when a commit is acknowledged. It ends when it is told to, or has lost the store.
 */
function owner(directory: string, { padding = 0, takeOver = false, pauseMs = 0, clears = true } = {}): Process {
  return new Process(`
    import { createInterface } from 'node:readline';
    import { jsonFile } from 'rx-persistify/json-file';
    const writer = String(process.pid);
    const session = await jsonFile({ directory: ${JSON.stringify(directory)}, logBytes: ${mebibyte}, takeOver: ${takeOver} }).open('prefs', { writer, report() {} });
    let n = 0;
    for await (const { entries } of session.load()) for (const { key, json } of entries) if (key === 'n') n = Number(JSON.parse(json).split(' ')[0]);
    let isOver = false;
    createInterface({ input: process.stdin }).on('line', () => (isOver = true));
    for (let number = 1; !isOver; number++) {
      n++;
      const json = JSON.stringify(n + ' ' + writer + ' ' + 'x'.repeat(${padding}));
      const mutations = [{ type: 'set', key: 'n', json }, { type: 'set', key: 'key ' + n % 31, json }, { type: 'delete', key: 'key ' + (n + 7) % 31 }];
      if (${clears} && n % 500 === 0) mutations.unshift({ type: 'clear' });
      try {
        await session.write({ number, writer, mutations }, { signal: new AbortController().signal });
      } catch (error) {
        process.stdout.write('lost ' + error.message + '\\n');
        break;
      }
      process.stdout.write(n + ' ' + writer + '\\n');
      if (${pauseMs} > 0) await new Promise(resolve => setTimeout(resolve, ${pauseMs}));
      else await new Promise(resolve => setImmediate(resolve));
    }
    await session.close();
    process.exit();`);
}

/** What there is after the n-th commit, for all that the keys tell of who made it. */
function numbersAfter(n: number): Readonly<Record<string, number>> {
  const texts = new Map<string, number>();
  // A key that goes round is removed before it comes again, so that only the last rounds count.
  const from = Math.max(1, n - 40, n - (n % 500));
  for (let at = from; at <= n; at += 1) {
    if (at % 500 === 0) texts.clear();
    texts.set('n', at).set(`key ${at % 31}`, at);
    texts.delete(`key ${(at + 7) % 31}`);
  }
  return Object.fromEntries(texts);
}

function commitOf(json = '"0"'): { readonly n: number; readonly writer: string } {
  const [n = '', writer = ''] = (JSON.parse(json) as string).split(' ');
  return { n: Number(n), writer };
}

/** Checks that everything that was shown is one of the owners' states, in their order, and, where `acknowledged` knows, those that they acknowledged. */
function check(shown: readonly Shown[], acknowledged: ReadonlyMap<number, string>): void {
  let last = 0;
  for (const { texts, version } of shown) {
    const { n, writer } = commitOf(texts['n']);
    if (n < last) throw new Error(`commit ${n} was shown after ${last}, as version ${version}`);
    last = n;
    const numbers = Object.fromEntries(Object.entries(texts).map(([key, json]) => [key, String(commitOf(json).n)]));
    const expected = Object.fromEntries(Object.entries(numbersAfter(n)).map(([key, number]) => [key, String(number)]));
    if (sorted(numbers) !== sorted(expected)) throw new Error(`commit ${n} was shown as ${sorted(numbers)} instead of ${sorted(expected)}`);
    const known = acknowledged.get(n);
    if (known !== undefined && known !== writer) throw new Error(`commit ${n} was shown as of ${writer}, and acknowledged to ${known}`);
  }
}

function acknowledgedBy(owners: readonly Process[]): ReadonlyMap<number, string> {
  return new Map(owners.flatMap(({ lines }) => lines.filter(line => /^\d/.test(line)).map(line => [Number(line.split(' ')[0]), line.split(' ')[1] ?? ''] as const)));
}

async function settlesAt(reader: Reader, directory: string): Promise<void> {
  const stored = sorted(await textsIn(directory));
  await reader.until(texts => sorted(texts) === stored, `what is stored, ${stored.slice(0, 300)}`);
}

describe('a reader in another process than the owner', () => {
  it('shows each of his thousands of commits, through folds under load', async () => {
    const directory = await scratch();
    const reader = await Reader.open(directory);
    const busy = owner(directory, { padding: 800 });
    await busy.line(3_999);
    busy.say('enough');
    await busy.ended;
    await settlesAt(reader, directory);
    check(reader.shown, acknowledgedBy([busy]));
    expect(await filesIn(directory)).toEqual(['prefs.json']);
    expect(reader.reports).toEqual([]);
    // A reader that was held up for the time of a whole fold reads anew, and then has not seen what came meanwhile.
    expect(reader.commits.length).toBeGreaterThan(3_000);
  });

  it('shows what owners committed that are killed in the middle of it, over and over', async () => {
    const directory = await scratch();
    const reader = await Reader.open(directory);
    const owners: Process[] = [];
    for (let round = 0; round < 9; round += 1) {
      const each = owner(directory, { padding: round % 3 === 0 ? 20_000 : 100 });
      owners.push(each);
      await each.line(20 + Math.floor(Math.random() * 150));
      await each.kill();
      const late = await Reader.open(directory);
      check(late.shown, acknowledgedBy(owners));
      expect(commitOf(late.texts['n']).n).toBeGreaterThanOrEqual(Math.max(...acknowledgedBy(owners).keys()));
      await late.close();
    }
    await settlesAt(reader, directory);
    check(reader.shown, acknowledgedBy(owners));
    expect(reader.reports).toEqual([]);
  });

  it('shows nothing that a displaced owner wrote and did not acknowledge, whatever the moment of the takeover', async () => {
    const directory = await scratch();
    const [reader, other] = [await Reader.open(directory), await Reader.open(directory, { pollMs: 10 })];
    const owners = [owner(directory)];
    for (let round = 0; round < 6; round += 1) {
      await owners.at(-1)?.line(30 + Math.floor(Math.random() * 30));
      owners.push(owner(directory, { takeOver: true }));
      await owners.at(-1)?.line(0);
    }
    await owners.at(-1)?.line(50);
    owners.at(-1)?.say('enough');
    await Promise.all(owners.map(({ ended }) => ended));
    expect(owners.filter(({ lines }) => lines.some(line => line.startsWith('lost')))).toHaveLength(6);
    for (const each of [reader, other]) {
      await settlesAt(each, directory);
      check(each.shown, acknowledgedBy(owners));
      expect(each.reports).toEqual([]);
    }
  });

  it('shows what comes of opening, writing and closing in quick succession', async () => {
    const directory = await scratch();
    const reader = await Reader.open(directory);
    const quick = new Process(`
      import { jsonFile } from 'rx-persistify/json-file';
      const writer = 'quick';
      for (let n = 1; n <= 60; n++) {
        const session = await jsonFile({ directory: ${JSON.stringify(directory)} }).open('prefs', { writer, report() {} });
        for (let part = 0; part < n % 4; part++) await session.write({ writer, number: n * 10 + part, mutations: [{ type: 'set', key: 'n', json: JSON.stringify(n + ' ' + part) }] }, { signal: new AbortController().signal });
        await session.close();
        if (n % 5 === 0) await new Promise(resolve => setTimeout(resolve, n % 20));
      }`);
    expect(await quick.ended).toEqual({ code: 0, signal: null });
    await settlesAt(reader, directory);
    const seen = reader.shown.map(({ texts }) => commitOf(texts['n']).n);
    expect(seen).toEqual([...seen].sort((one, another) => one - another));
    expect(reader.reports).toEqual([]);
  });

  it('shows edits by hand in their place between commits', async () => {
    const directory = await scratch();
    await writeFile(join(directory, 'prefs.json'), '{"edit":0}');
    const reader = await Reader.open(directory);
    const busy = owner(directory, { pauseMs: 3, clears: false });
    for (let round = 1; round <= 5; round += 1) {
      await busy.line(busy.lines.length + 20);
      await writeFile(join(directory, 'prefs.json'), `{"edit":${round}}`);
      await reader.until(texts => texts['edit'] === String(round), `edit ${round}`);
    }
    busy.say('enough');
    await busy.ended;
    await settlesAt(reader, directory);
    const seen = reader.shown.map(({ texts }) => [commitOf(texts['n']).n, Number(texts['edit'])] as const);
    for (const [index, [n, round]] of seen.entries()) {
      const [before = 0, roundBefore = 0] = seen[index - 1] ?? [];
      // What stands in the logs stays; what is folded already, an edit takes away, the count too.
      if (n < before && round === roundBefore) throw new Error(`commit ${n} was shown after ${before} in round ${round}`);
      expect(round).toBeGreaterThanOrEqual(roundBefore);
    }
  });
});

describe('a store that is read only', () => {
  it('shows the whole of its owner in another process, as remote changes, and its entries end', async () => {
    const directory = await scratch();
    const store = await persistify(jsonFile({ directory, readOnly: true })).open<Record<string, string>>('prefs');
    onTestFinished(() => store.close());
    const changes: Change[] = [];
    store.changes$.subscribe(change => changes.push(change));
    const other = new Process(`
      import { persistify } from 'rx-persistify';
      import { jsonFile } from 'rx-persistify/json-file';
      const store = await persistify(jsonFile({ directory: ${JSON.stringify(directory)} })).withBatch({ intervalMs: 1 }).withTtl({ ms: 400, mode: 'sliding' }).open('prefs');
      store.set('for ever', 'a', { ttlMs: Infinity });
      store.set('short', 'b', { ttlMs: 600 });
      store.set('kept', 'c');
      await store.flush();
      console.log(store.expiresAt('kept'));
      for (let round = 0; round < 30; round++) {
        await new Promise(resolve => setTimeout(resolve, 30));
        store.get('kept');
      }
      console.log('kept');
      await new Promise(resolve => setTimeout(resolve, 1_000));
      await store.close();`);
    const firstEnd = Number(await other.line(0));
    await expect.poll(() => store.size, { interval: 5 }).toBe(3);
    await other.line(1);
    expect(Date.now()).toBeGreaterThan(firstEnd);
    expect(store.get('kept')).toBe('c'); // its owner used it, and it lives longer
    expect(await other.ended).toEqual({ code: 0, signal: null });
    await expect.poll(() => [...store]).toEqual([['for ever', 'a']]);
    expect(changes.filter(({ type }) => type === 'expire' || type === 'delete').map(change => ('key' in change ? change.key : ''))).toEqual(['short', 'kept']);
    expect(changes.every(({ type, origin }) => origin === (type === 'expire' ? 'local' : 'remote'))).toBe(true);
    expect(await filesIn(directory)).toEqual(['prefs.json']);
  });

  it('equals storage and never goes back, while owners come, go and are killed', async () => {
    const directory = await scratch();
    const store = await persistify(jsonFile({ directory, readOnly: true })).open<Record<string, string>>('prefs');
    onTestFinished(() => store.close());
    const seen: number[] = [];
    store.get$('n').subscribe(value => seen.push(Number(value?.split(' ')[0] ?? 0)));
    for (let round = 0; round < 6; round += 1) {
      const each = owner(directory, { padding: 2_000 });
      await each.line(100);
      if (round % 2 === 0) await each.kill();
      else each.say('enough');
      await each.ended;
      if (round % 3 === 0) await store.reload();
    }
    const stored = await textsIn(directory);
    await expect.poll(() => sorted(Object.fromEntries([...store].map(([key, value]) => [key, JSON.stringify(value)])))).toBe(sorted(stored));
    // A commit that has a clear is told key by key, the count among them.
    const went = seen.filter((n, index) => n !== 0 && n < (seen[index - 1] ?? 0));
    expect(went).toEqual([]);
  });
});

describe('a process with a store that is read only', () => {
  it.each([
    ['that nobody has open', false],
    ['whose owner writes', true],
  ])('%s ends by itself', async (_, isBusy) => {
    const directory = await scratch();
    const store = await Store.open(directory);
    const other = new Process(`
      import { persistify } from 'rx-persistify';
      import { jsonFile } from 'rx-persistify/json-file';
      const store = await persistify(jsonFile({ directory: ${JSON.stringify(directory)}, readOnly: true })).open('prefs');
      console.log('open');
      ${isBusy ? 'await new Promise(resolve => setTimeout(resolve, 300));' : ''}`);
    await other.line(0);
    for (let round = 0; other.process.exitCode === null; round += 1) {
      if (isBusy) await store.set('key', String(round));
      await delay(1);
    }
    expect(await other.ended).toEqual({ code: 0, signal: null });
  });

  it('costs next to nothing while nothing happens', async () => {
    const directory = await scratch();
    const store = await Store.open(directory);
    await store.set('a', '1');
    const idle = new Process(`
      import { setTimeout as delay } from 'node:timers/promises';
      import { persistify } from 'rx-persistify';
      import { jsonFile } from 'rx-persistify/json-file';
      const store = await persistify(jsonFile({ directory: ${JSON.stringify(directory)}, readOnly: true })).open('prefs');
      await delay(2_000);
      const before = process.cpuUsage();
      await delay(3_000);
      const { user, system } = process.cpuUsage(before);
      console.log((user + system) / 1_000);
      await store.close();`);
    expect(Number(await idle.line(0))).toBeLessThan(100);
    await idle.ended;
  });

  it.skipIf(process.platform !== 'linux')('leaves nothing behind when it is closed, whatever it was doing', async () => {
    const directory = await scratch();
    const busy = owner(directory, { padding: 500 });
    await busy.line(20);
    const open = (): readonly string[] => readdirSync('/proc/self/fd').flatMap(name => {
      try {
        const target = readlinkSync(`/proc/self/fd/${name}`);
        return target.startsWith(directory) ? [target] : [];
      } catch {
        return []; // the one that reads the directory
      }
    });
    for (let round = 0; round < 15; round += 1) {
      const reader = await Reader.open(directory);
      await delay(round * 5);
      expect(open().length).toBeLessThanOrEqual(6);
      await reader.close();
      expect(open()).toEqual([]);
    }
    await busy.kill();
  });

  it('follows large commits without holding the event loop', async () => {
    const directory = await scratch();
    const store = await Store.open(directory);
    const commits = Array.from({ length: 5 }, (_, round) => Array.from({ length: 50_000 }, (_each, index) => ({ type: 'set', key: `key ${index}`, json: `{"round":${round},"index":${index}}` }) as const));
    const measuring = new Process(`
      import { monitorEventLoopDelay } from 'node:perf_hooks';
      import { jsonFile } from 'rx-persistify/json-file';
      const session = await jsonFile({ directory: ${JSON.stringify(directory)}, readOnly: true }).open('prefs', { writer: 'reader', report: console.error });
      let version;
      for await (const page of session.load()) version = page.version;
      let longest = 0;
      let last = performance.now();
      let cpu = process.cpuUsage();
      const ticker = setInterval(() => {
        const used = process.cpuUsage(cpu);
        longest = Math.max(longest, Math.min(performance.now() - last, (used.user + used.system) / 1_000));
        last = performance.now();
        cpu = process.cpuUsage();
      }, 0);
      const holds = [];
      session.watch({ version }).subscribe(async commit => {
        await new Promise((resolve) => setTimeout(resolve, 50)); // until the ticker has seen how long it took
        holds.push(longest);
        longest = 0;
        if (holds.length < ${commits.length}) return;
        clearInterval(ticker);
        await session.close();
        console.log(commit.entries.length, Math.min(...holds));
      });
      console.log('open');`);
    await measuring.line(0);
    for (const mutations of commits) {
      await store.write(...mutations);
      await delay(300);
    }
    // The least of several: a garbage collection that falls into one lengthens it, and nothing shortens what is done in one go.
    const [count, longest] = (await measuring.line(1)).split(' ').map(Number);
    expect(count).toBe(50_000);
    expect(longest).toBeLessThan(30);
  });
});
