import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, link, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ProviderError, StoreLockedError } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { describe, expect, it, vi } from 'vitest';

import { Child } from './child.ts';
import { failLinks, failRenames, failUnlinks } from './faults.ts';
import { filesIn, scratch, stateOf, Store, textsIn } from './store.ts';

describe('the lock', () => {
  it('keeps a second provider of the same process out, and names who holds it and what to do', async () => {
    const store = await Store.open(await scratch());
    const error: unknown = await Store.open(store.directory).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreLockedError);
    expect(String(error)).toContain(`pid ${process.pid}`);
    expect(String(error)).toContain(join(store.directory, 'prefs.json.lock'));
    expect(String(error)).toContain('takeOver: true');
    await store.set('a', '1');
  });

  it('keeps another process out, until the owner closes', async () => {
    const [owner, other, directory] = [await Child.start(), await Child.start(), await scratch()];
    expect(await owner.tell('open', { directory })).toBe('opened');
    expect(await other.tell('open', { directory })).toContain(`the process with pid ${owner.pid}`);
    await owner.tell('close');
    expect(await other.tell('open', { directory })).toBe('opened');
  });

  it('is given back by an open that fails', async () => {
    const directory = await scratch();
    await writeFile(join(directory, 'prefs.json'), 'no JSON');
    await expect(Store.open(directory)).rejects.toThrow('damaged');
    await writeFile(join(directory, 'prefs.json'), '{"a":1}');
    expect(await textsIn(directory)).toEqual({ a: '1' });
  });

  it('that cannot be given back is told as such, and keeps nobody of this process out for that', async () => {
    const directory = await scratch();
    const open = () => jsonFile({ directory }).open('prefs', { writer: 'w', report: () => undefined });
    const session = await open();
    const heal = failLinks('EACCES');
    const error: unknown = await session.close().catch((reason: unknown) => reason);
    heal();
    expect(error).toBeInstanceOf(ProviderError);
    expect(String(error)).toContain(`give back the lock ${join(directory, 'prefs.json.lock')}`);
    await (await open()).close();
    expect(await filesIn(directory)).toEqual(['prefs.json']);
  });

  it('of which only the claim was made in giving it back keeps nobody of this process out', async () => {
    const directory = await scratch();
    const open = () => jsonFile({ directory }).open('prefs', { writer: 'w', report: () => undefined });
    const session = await open();
    const heal = failUnlinks('EIO', path => path.endsWith('.lock'));
    await expect(session.close()).rejects.toThrow(ProviderError);
    heal();
    await (await open()).close();
    expect(await filesIn(directory)).toEqual(['prefs.json']);
  });

  it('does not hide, when it cannot be given back, why an open failed', async () => {
    const directory = await scratch();
    await writeFile(join(directory, 'prefs.json'), 'no JSON');
    const heal = failUnlinks('EIO', path => path.endsWith('.lock'));
    await expect(Store.open(directory)).rejects.toThrow('damaged');
    heal();
    await writeFile(join(directory, 'prefs.json'), '{"a":1}');
    expect(await textsIn(directory)).toEqual({ a: '1' });
  });

  it('is given back by an open that runs out of descriptors, wherever it does', async context => {
    if (spawnSync('prlimit', ['-V']).status !== 0) context.skip('there is no prlimit here');
    const [child, directory] = [await Child.start(), await scratch()];
    const limit = (most: number): void => void execFileSync('prlimit', ['--pid', String(child.pid), `--nofile=${most}:`]);
    const taken = readdirSync(`/proc/${child.pid}/fd`).length;
    let failed = 0;
    for (let spare = 0; ; spare += 1) {
      limit(taken + spare);
      const answer = await child.tell('open', { directory });
      limit(1_024);
      if (answer === 'opened') break;
      expect(answer).toContain('EMFILE');
      failed += 1;
      expect(await child.tell('open', { directory })).toBe('opened');
      await child.tell('close');
    }
    expect(failed).toBeGreaterThan(1);
    await child.tell('close');
    expect(await filesIn(directory)).not.toContain('prefs.json.lock');
  });

  it('of a dead owner does no harm', async () => {
    const [child, directory] = [await Child.start(), await scratch()];
    await child.tell('open', { directory });
    await child.tell('set', { key: 'a', json: '1' });
    await child.kill();
    expect(await filesIn(directory)).toContain('prefs.json.lock');
    const store = await Store.open(directory);
    expect(await store.texts()).toEqual({ a: '1' });
    expect(await filesIn(directory)).toEqual(['prefs.json.1.log', 'prefs.json.lock']);
  });

  it('of a dead owner goes to exactly one of three processes that open at once', async () => {
    const directory = await scratch();
    const stale = await Child.start();
    await stale.tell('open', { directory });
    await stale.kill();
    const left = await readFile(join(directory, 'prefs.json.lock'));
    const children = await Promise.all([Child.start(), Child.start(), Child.start()]);
    for (let round = 0; round < 15; round += 1) {
      const answers = await Promise.all(children.map(child => child.tell('open', { directory })));
      expect(answers.filter(answer => answer === 'opened')).toHaveLength(1);
      expect(answers.filter(answer => answer.startsWith('STORE_LOCKED'))).toHaveLength(2);
      const winner = children[answers.indexOf('opened')];
      expect(await winner?.tell('set', { key: 'round', json: `${round}` })).toBe('stored');
      await winner?.tell('close');
      expect(await filesIn(directory)).toEqual(['prefs.json']);
      await writeFile(join(directory, 'prefs.json.lock'), left);
    }
  });

  it('of an owner on another machine, or in another container, counts as that of a living one', async () => {
    const directory = await scratch();
    const store = await Store.open(directory);
    const own: unknown = JSON.parse(await readFile(join(directory, 'prefs.json.lock'), 'utf8'));
    await store.close();
    const lockedBy = async (changes: object): Promise<string> => {
      await writeFile(join(directory, 'prefs.json.lock'), JSON.stringify({ ...(own as object), pid: 999_999_999, ...changes }));
      return Store.open(directory).then(async opened => {
        await opened.close();
        return 'opened';
      }, String);
    };
    expect(await lockedBy({ hostname: 'elsewhere', bootId: 'other' })).toContain('on host elsewhere, of which this machine or container cannot see');
    expect(await lockedBy({ pidNamespace: 'pid:[1]' })).toContain('StoreLockedError');
    expect(await lockedBy({})).toBe('opened');
    const machineId = existsSync('/etc/machine-id') ? readFileSync('/etc/machine-id', 'utf8').trim() : '';
    const reboot = { hostname: hostname(), bootId: 'before the reboot', pid: process.pid };
    expect(own).toHaveProperty('machineId', machineId);
    if (machineId !== '') expect(await lockedBy(reboot)).toBe('opened');
    expect(await lockedBy({ ...reboot, machineId: 'another of the same name' })).toContain('cannot see');
    expect(await lockedBy({ ...reboot, machineId: '' })).toContain('cannot see');
    expect(await lockedBy({ ...reboot, machineId: undefined })).toContain('cannot see');
    expect(await lockedBy({ pid: process.pid, startedAt: '1' })).toBe('opened');
    expect(await lockedBy({ pid: 1, startedAt: '1' })).toBe('opened');
  });

  it('that cannot be read counts as that of a living owner', async () => {
    const directory = await scratch();
    await writeFile(join(directory, 'prefs.json.lock'), '');
    await expect(Store.open(directory)).rejects.toThrow(/no lock that can be read.*remove the file/);
  });

  it('survives that a claimant died before he put his own in place', async () => {
    const directory = await scratch();
    const stale = await Child.start();
    await stale.tell('open', { directory });
    await stale.kill();
    const path = join(directory, 'prefs.json.lock');
    const root = JSON.parse(await readFile(path, 'utf8')) as { id: string };
    await writeFile(join(directory, `prefs.json.${root.id}.lock`), JSON.stringify({ ...root, id: 'feedfeedfeedfeed' }));
    const store = await Store.open(directory);
    await store.set('a', '1');
    expect(await filesIn(directory)).toEqual(['prefs.json.1.log', 'prefs.json.lock']);
  });

  it('survives that its owner died while he gave it back', async () => {
    const directory = await scratch();
    const stale = await Child.start();
    await stale.tell('open', { directory });
    await stale.kill();
    const path = join(directory, 'prefs.json.lock');
    const { id } = JSON.parse(await readFile(path, 'utf8')) as { id: string };
    await link(path, join(directory, `prefs.json.${id}.lock`));
    const openers = await Promise.allSettled([1, 2, 3].map(() => Store.open(directory)));
    expect(openers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(await filesIn(directory)).toEqual(['prefs.json.lock']);
  });

  it('is waited for while its claimant lives, and is his if he does not come to it', async () => {
    const directory = await scratch();
    const [stale, claimant] = [await Child.start(), await Child.start()];
    await stale.tell('open', { directory });
    await stale.kill();
    const root = JSON.parse(await readFile(join(directory, 'prefs.json.lock'), 'utf8')) as { id: string };
    const elsewhere = await scratch();
    await claimant.tell('open', { directory: elsewhere });
    await copyFile(join(elsewhere, 'prefs.json.lock'), join(directory, `prefs.json.${root.id}.lock`));
    await expect(Store.open(directory, { takeOver: true })).rejects.toThrow(`pid ${claimant.pid}`);
  });
});

describe('a takeover', () => {
  it('that fails and leaves its claim behind keeps nobody out, but does not open the way to the living owner either', async () => {
    const store = await Store.open(await scratch());
    const heals = [failRenames('EIO'), failUnlinks('EIO', path => path.endsWith('.lock'))];
    await expect(Store.open(store.directory, { takeOver: true })).rejects.toThrow('EIO');
    for (const heal of heals.reverse()) heal();
    await expect(Store.open(store.directory)).rejects.toThrow(StoreLockedError);
    const taker = await Store.open(store.directory, { takeOver: true });
    await expect(store.set('a', '"lost"')).rejects.toThrow('taken over');
    await store.close();
    await taker.set('a', '1');
    await taker.close();
    expect(await filesIn(store.directory)).toEqual(['prefs.json']);
  });

  it('displaces a living owner, whose next write fails before it is acknowledged', async () => {
    const [owner, directory] = [await Child.start(), await scratch()];
    await owner.tell('open', { directory });
    await owner.tell('set', { key: 'a', json: '1' });
    const store = await Store.open(directory, { takeOver: true });
    expect(await owner.tell('set', { key: 'a', json: '"lost"' })).toMatch(/^PROVIDER halt .*taken over/);
    expect(await owner.tell('set', { key: 'b', json: '"lost"' })).toMatch(/^PROVIDER halt .*taken over/);
    await store.set('c', '3');
    expect(await store.texts()).toEqual({ a: '1', c: '3' });
    expect(await textsIn(await stateOf(directory))).toEqual({ a: '1', c: '3' });
    expect(await owner.tell('close')).toBe('closed');
    await store.set('d', '4');
    await store.close();
    expect(await textsIn(directory)).toEqual({ a: '1', c: '3', d: '4' });
  });

  it('begins a log at once, so that what the displaced one still appends is ignored', async () => {
    const directory = await scratch();
    const owner = await Store.open(directory);
    await owner.set('a', '1');
    const taker = await Store.open(directory, { takeOver: true });
    expect(await filesIn(directory)).toEqual(['prefs.json.1.log', 'prefs.json.2.log', 'prefs.json.lock']);
    await expect(owner.set('a', '"lost"')).rejects.toMatchObject({ kind: 'halt', outcomeUnknown: true });
    expect(await textsIn(await stateOf(directory))).toEqual({ a: '1' });
    await owner.close();
    expect(await filesIn(directory)).toEqual(['prefs.json.1.log', 'prefs.json.2.log', 'prefs.json.lock']);
    await taker.set('b', '2');
    expect(await textsIn(await stateOf(directory))).toEqual({ a: '1', b: '2' });
  });

  it('removes the temporary files of the displaced one, so that he cannot put them in place', async () => {
    const directory = await scratch();
    await Store.open(directory);
    await writeFile(join(directory, 'prefs.json.00112233aabbccdd.tmp'), 'a fold under way');
    await writeFile(join(directory, 'other.json.00112233aabbccdd.tmp'), 'of another store');
    await Store.open(directory, { takeOver: true });
    expect((await filesIn(directory)).filter(name => name.endsWith('.tmp'))).toEqual(['other.json.00112233aabbccdd.tmp']);
  });

  it('of several at once is one owner after the other, and the last one writes', async () => {
    const directory = await scratch();
    const first = await Store.open(directory);
    await first.set('a', '1');
    const takers = await Promise.allSettled([1, 2, 3].map(() => Store.open(directory, { takeOver: true })));
    const opened = takers.flatMap(taker => (taker.status === 'fulfilled' ? [taker.value] : []));
    const writes = await Promise.allSettled(opened.map((store, index) => store.set(`taker ${index}`, '1')));
    expect(writes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await Promise.all([first, ...opened].map(store => store.close()));
    expect(Object.keys(await textsIn(directory))).toEqual(['a', expect.stringContaining('taker')]);
  });
});

describe('a lock that is gone', () => {
  it('stops its owner from writing', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    await rm(join(store.directory, 'prefs.json.lock'));
    await expect(store.set('a', '2')).rejects.toThrow(/was removed while this process .* had the store open/);
  });

  it('is not given back once it is another one', async () => {
    const store = await Store.open(await scratch());
    const path = join(store.directory, 'prefs.json.lock');
    await link(path, join(store.directory, 'kept'));
    await rm(path);
    await writeFile(path, (await readFile(join(store.directory, 'kept'), 'utf8')).replace(/"id":"[0-9a-f]+"/, '"id":"0123456789abcdef"'));
    await store.close();
    await vi.waitFor(async () => expect(await filesIn(store.directory)).toContain('prefs.json.lock'));
  });
});
