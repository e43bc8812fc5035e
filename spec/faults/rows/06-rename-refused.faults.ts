import { readdir, rm } from 'node:fs/promises';

import { expect } from 'vitest';

import { providerAt } from '../../crash/place.ts';
import { sceneOf, type Scene } from '../cells/disk-faults.ts';
import { fault, inColumns, row, type Cell } from '../cells/matrix.ts';
import { RemoteSubjects, type RemoteSubject } from '../cells/remote-subject.ts';
import { failCalls } from '../cells/system-calls.ts';

const subjects = new RemoteSubjects();

const calls = ['rename', 'renameat', 'renameat2'];

const reasons = {
  memory: 'it has no files',
  sqlite: 'SQLite renames nothing: the log is written, copied into the file and truncated',
  postgres: 'no commit waits for a rename; those of the server are of files that it makes ready or recycles',
};

row(6, 'rename is refused', () => {
  const needs = ['Linux', 'root', 'strace'] as const;
  fault('rename is refused three times, then allowed', inColumns(['json-file'], refusedThreeTimes, reasons), { needs });
  fault('rename is refused for ever', inColumns(['json-file'], refusedForEver, reasons), { needs });
  fault('rename is refused to the one who takes the place of a dead owner', inColumns(['json-file'], refusedToAnHeir, reasons), { needs });
  fault('rename and unlink are refused for a while, as Windows does', inColumns(['json-file'], refusedAsOnWindows, reasons), { needs });
});

/** A fold does not come to its end, and is tried again; commits, which go to the log, notice nothing. */
async function refusedThreeTimes(cell: Cell) {
  const subject = await subjects.start();
  const tally = { 'renames refused': 0, cycles: 0, acknowledged: 0 };
  for (; tally.cycles < cell.times(1, 40); tally.cycles++) {
    const scene = await openedIn(cell, subject);
    const injection = await failCalls(subject.pid, scene.log, { calls, error: cell.random.chance(0.5) ? 'EACCES' : 'EBUSY', when: '1..3' });
    await subject.live(scene.actions);
    await subject.recover();
    expect(subject.toldOfSaving).toEqual([]);
    // It is tried again after 1, 2 and 4 seconds.
    await expect.poll(() => filesOf(scene), { timeout: 30_000, interval: 100 }).toEqual(['survivor.json', 'survivor.json.lock']);
    const refused = await injection.heal();
    expect(refused).toBe(3);
    tally['renames refused'] += refused;
    expectFoldTold(subject);
    tally.acknowledged += await closedWhole(subject, scene);
  }
  return tally;
}

/** Everything is saved all the same, in the logs; the next one who may fold does. */
async function refusedForEver(cell: Cell) {
  const subject = await subjects.start();
  const tally = { 'renames refused': 0, cycles: 0, acknowledged: 0 };
  for (; tally.cycles < cell.times(6, 200); tally.cycles++) {
    const scene = await openedIn(cell, subject);
    const injection = await failCalls(subject.pid, scene.log, { calls, error: cell.random.chance(0.5) ? 'EACCES' : 'EPERM', when: '1+' });
    await subject.live(scene.actions);
    await subject.recover();
    expect(subject.toldOfSaving).toEqual([]);
    await subject.close();
    const refused = await injection.heal();
    expect(refused).toBeGreaterThan(0);
    tally['renames refused'] += refused;
    const left = await filesOf(scene);
    expect(left.some((name) => name.endsWith('.log')), 'whether what could not be folded is there').toBe(true);
    expect(left.filter((name) => name.endsWith('.tmp') || name.endsWith('.lock'))).toEqual([]);
    tally.acknowledged += (await subject.expectKept(providerAt(scene.place), { isWhole: true })).acknowledged;
    expect(await filesOf(scene)).toEqual(['survivor.json']);
    await rm(scene.directory, { recursive: true });
  }
  return tally;
}

/** The lock of an owner that was killed is replaced by a rename: opening fails in so many words, leaves it as it is, and succeeds later. */
async function refusedToAnHeir(cell: Cell) {
  const subject = await subjects.start();
  const tally = { cycles: 0, acknowledged: 0 };
  for (; tally.cycles < cell.times(4, 100); tally.cycles++) {
    const owner = await subjects.start();
    const scene = await openedIn(cell, owner);
    await owner.live(scene.actions);
    await owner.kill();
    const left = await filesOf(scene);
    const injection = await failCalls(subject.pid, scene.log, { calls, error: 'EACCES', when: '1+' });
    expect(await subject.open(scene)).toMatchObject({ code: 'LOAD_FAILED', kind: 'halt', message: expect.stringContaining('no permission') as string });
    expect(await injection.heal()).toBeGreaterThan(0);
    expect((await filesOf(scene)).filter((name) => !left.includes(name)), 'what the refused one left').toEqual([]);
    expect(await subject.open(scene)).toBeUndefined();
    await subject.close();
    tally.acknowledged += (await owner.expectKept(providerAt(scene.place))).acknowledged;
    await rm(scene.directory, { recursive: true });
  }
  return tally;
}

/** A process that takes its system for Windows, where files that a scanner has open are held for a while: nobody need hear of it. */
async function refusedAsOnWindows(cell: Cell) {
  const subject = await subjects.start({ preload: "Object.defineProperty(process, 'platform', { value: 'win32' })" });
  const held = [...calls, 'unlink', 'unlinkat'];
  const tally = { 'calls refused': 0, cycles: 0, acknowledged: 0 };
  for (; tally.cycles < cell.times(6, 200); tally.cycles++) {
    const scene = await openedIn(cell, subject);
    const error = cell.random.chance(0.5) ? 'EACCES' : 'EBUSY';
    const injection = await failCalls(subject.pid, scene.log, { calls: held, error, when: '1..3' });
    await subject.live(scene.actions);
    expect(await subject.flush()).toBe(true);
    await subject.close();
    expect(subject.told).toEqual([]);
    tally['calls refused'] += await injection.heal();
    expect(await filesOf(scene)).toEqual(['survivor.json']);
    tally.acknowledged += (await subject.expectKept(providerAt(scene.place), { isWhole: true })).acknowledged;
    await rm(scene.directory, { recursive: true });
  }
  expect(tally['calls refused']).toBeGreaterThanOrEqual(tally.cycles * 3);
  return tally;
}

async function openedIn(cell: Cell, subject: RemoteSubject): Promise<Scene> {
  const scene = await sceneOf(cell);
  expect(await subject.open(scene)).toBeUndefined();
  return scene;
}

/** Once, however often it fails. */
function expectFoldTold({ told }: RemoteSubject): void {
  expect(told.filter(({ operation }) => operation === 'provider')).toEqual([expect.objectContaining({ code: 'PROVIDER', message: expect.stringContaining('fold the logs') as string })]);
}

async function closedWhole(subject: RemoteSubject, scene: Scene): Promise<number> {
  await subject.live(5);
  await subject.close();
  const { acknowledged } = await subject.expectKept(providerAt(scene.place), { isWhole: true });
  await rm(scene.directory, { recursive: true });
  return acknowledged;
}

async function filesOf({ directory }: Scene): Promise<readonly string[]> {
  return (await readdir(directory)).sort();
}
