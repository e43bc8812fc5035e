import { readFile, rm } from 'node:fs/promises';

import { expect } from 'vitest';

import { providerAt } from '../../crash/place.ts';
import { sceneOf, type Scene } from '../cells/disk-faults.ts';
import { fault, inColumns, row, type Cell, type Trial } from '../cells/matrix.ts';
import { RemoteSubjects, type RemoteSubject } from '../cells/remote-subject.ts';
import { limit, longestFile } from '../cells/resource-limits.ts';
import { durableServer, serverFailsForEver, serverFailsOnce } from '../cells/server-disk-errors.ts';
import { Storages } from '../cells/storages.ts';
import { failCalls, type Failing, type Injection } from '../cells/system-calls.ts';

const subjects = new RemoteSubjects();

const storages = new Storages(durableServer);

const onFiles = { memory: 'it has no files' };

row(4, 'the disk fails', () => {
  const needs = ['Linux', 'root', 'strace'] as const;
  const flushes = ['fsync', 'fdatasync'];
  const writes = ['pwrite64'];
  const files = ['json-file', 'sqlite'] as const;
  fault('fsync fails once', { ...inColumns(files, failNowAndThen(flushes), onFiles), postgres: serverFailsOnce(storages, flushes) }, { needs });
  fault('fsync fails for ever', { ...inColumns(files, failForEver(flushes), onFiles), postgres: serverFailsForEver(storages, flushes) }, { needs });
  fault('a write fails once', { ...inColumns(files, failNowAndThen(writes), onFiles), postgres: serverFailsOnce(storages, writes) }, { needs });
  fault('writes fail for ever', { ...inColumns(files, failForEver(writes), onFiles), postgres: serverFailsForEver(storages, writes) }, { needs });
  fault('writes are cut short', inColumns(files, cutShort, { ...onFiles, postgres: 'a short write is taken up by the server; of a disk that is full see below' }), { needs: ['Linux', 'prlimit'] });
  fault('writes take a part of what they are given, and no error follows', inColumns(['json-file'], inParts, { ...onFiles, sqlite: 'it cannot be had from outside; where an error follows, see above', postgres: 'the server writes' }));
});

/** As write(2) may, of any length and on any file; here in place of what Node calls. */
const takeParts = `
import fs from 'node:fs';
import { open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
const part = (length) => Math.max(1, Math.floor(length * Math.random()));
const { writeSync } = fs;
fs.writeSync = (file, bytes, offset, length, position) => writeSync(file, bytes, offset, typeof position === 'number' ? part(length) : length, position);
syncBuiltinESMExports();
const sample = await open('/dev/null', 'r');
const prototype = Object.getPrototypeOf(sample);
await sample.close();
const { write } = prototype;
prototype.write = function (bytes, offset, length, position) { return write.call(this, bytes, offset, part(length), position); };`;

/** Nobody hears of it, and nothing is amiss. */
async function inParts(cell: Cell) {
  const subject = await subjects.start({ preload: takeParts });
  const tally = { cycles: 0, acknowledged: 0 };
  for (; tally.cycles < cell.times(8, 400); tally.cycles++) {
    const scene = await sceneOf(cell);
    expect(await subject.open(scene)).toBeUndefined();
    await subject.live(scene.actions);
    tally.acknowledged += (await closedWhole(subject, scene)).acknowledged;
    expect(subject.told).toEqual([]);
  }
  return tally;
}

/** One call of many fails, each time in another place: the store tries again, tells of it, and needs nobody. */
function failNowAndThen(calls: Failing['calls']): Trial {
  return async (cell) => {
    const subject = await subjects.start();
    const tally = { 'calls failed': 0, cycles: 0, 'opens refused': 0, acknowledged: 0 };
    for (; tally.cycles < cell.times(8, 400); tally.cycles++) {
      const scene = await sceneOf(cell);
      const isEarly = tally.cycles % 3 === 0;
      if (!isEarly) expect(await subject.open(scene)).toBeUndefined();
      const injection = await failCalls(subject.pid, scene.log, { calls, error: 'EIO', when: whenOf(scene, cell, calls, isEarly ? tally.cycles / 3 : undefined) });
      if (isEarly && !(await openedInTheEnd(subject, scene, injection))) tally['opens refused']++;
      await expectLog(scene);
      await subject.live(scene.actions);
      await subject.recover();
      // The last fold or checkpoint may fail as well: what was acknowledged needs neither.
      const isClosedFirst = cell.random.chance(0.5);
      if (isClosedFirst) await subject.close();
      tally['calls failed'] += await injection.heal();
      expect(subject.toldOfSaving.filter(({ willRetry, kind }) => !willRetry || kind !== 'retry')).toEqual([]);
      tally.acknowledged += (await (isClosedFirst ? foundWhole(subject, scene) : closedWhole(subject, scene))).acknowledged;
    }
    expect(tally['calls failed']).toBeGreaterThan(tally.cycles / 4);
    return tally;
  };
}

/** An SQLite file that is open is in WAL mode (sqlite.org/fileformat2.html, 1.3.3): in any other, readers would hold up commits. */
async function expectLog({ place }: Scene): Promise<void> {
  if (place.provider !== 'sqlite') return;
  const header = await readFile(place.file);
  expect([...header.subarray(18, 20)], 'the write and read versions of the file').toEqual([2, 2]);
}

/** `early`: while it opens. A commit of much takes so many writes that each attempt of it would fail if more than one of all did. */
function whenOf({ mood }: Scene, { random }: Cell, calls: Failing['calls'], early: number | undefined): string {
  const isOfFlushes = calls.includes('fsync');
  const first = early === undefined ? random.magnitude(1, isOfFlushes || mood === 'steady' ? 40 : 400) : 1 + (early % 8);
  if (isOfFlushes) return `${first}+${random.whole(15, 40)}`;
  return mood === 'steady' ? `${first}+${random.whole(80, 160)}` : String(first);
}

/** Opening fails in so many words, and succeeds when it is tried again. */
async function openedInTheEnd(subject: RemoteSubject, scene: Scene, injection: Injection): Promise<boolean> {
  const failure = await subject.open(scene);
  if (failure === undefined) return true;
  expect(failure).toMatchObject({ code: 'LOAD_FAILED', kind: 'retry' });
  await injection.heal();
  expect(await subject.open(scene)).toBeUndefined();
  return false;
}

/** From some call on all fail: what waits is rejected, it is told as fatal, and nothing acknowledged is lost, however it ends. */
function failForEver(calls: Failing['calls']): Trial {
  return async (cell) => {
    let subject = await subjects.start();
    const tally = { cycles: 0, 'calls failed': 0, healed: 0, closed: 0, killed: 0, acknowledged: 0 };
    for (; tally.cycles < cell.times(8, 400); tally.cycles++) {
      const scene = await sceneOf(cell);
      expect(await subject.open(scene)).toBeUndefined();
      const injection = await failCalls(subject.pid, scene.log, { calls, error: 'EIO', when: `${cell.random.magnitude(1, 40)}+` });
      await subject.live(scene.actions);
      // Where it was spared until now, it is not for long.
      for (let left = 40; left > 0 && (await subject.flush()); left--) await subject.live(20);
      expectFatal(subject);
      switch (cell.random.weighted({ healed: 2, closed: 1, killed: 1 })) {
        case 'healed':
          tally['calls failed'] += await injection.heal();
          await subject.recover();
          await subject.live(20);
          tally.acknowledged += (await closedWhole(subject, scene)).acknowledged;
          tally.healed++;
          break;
        case 'closed': {
          const { failure } = await subject.obey({ type: 'close' });
          expect(failure).toMatchObject({ code: 'SAVE_FAILED' });
          tally['calls failed'] += await injection.heal();
          tally.acknowledged += (await subject.expectKept(providerAt(scene.place))).acknowledged;
          tally.closed++;
          break;
        }
        case 'killed':
          await subject.kill();
          tally['calls failed'] += await injection.heal();
          tally.acknowledged += (await subject.expectKept(providerAt(scene.place))).acknowledged;
          subject = await subjects.start();
          tally.killed++;
      }
      await rm(scene.directory, { recursive: true, force: true });
    }
    return tally;
  };
}

/** A file may grow only so far: the write that reaches the bound is cut short there, and the next one fails (setrlimit(2)). */
async function cutShort(cell: Cell) {
  const subject = await subjects.start();
  const tally = { cycles: 0, 'failures told': 0, acknowledged: 0 };
  for (; tally.cycles < cell.times(8, 400); tally.cycles++) {
    const scene = await sceneOf(cell);
    expect(await subject.open(scene)).toBeUndefined();
    await subject.live(20);
    await subject.recover();
    limit(subject.pid, 'fsize', (await longestFile(scene.directory)) + cell.random.magnitude(1, 20_000));
    await subject.live(scene.actions);
    if (!(await subject.flush())) expectFatal(subject);
    tally['failures told'] += subject.toldOfSaving.length;
    limit(subject.pid, 'fsize', undefined);
    await subject.recover();
    tally.acknowledged += (await closedWhole(subject, scene)).acknowledged;
  }
  expect(tally['failures told']).toBeGreaterThan(tally.cycles / 4);
  return tally;
}

/** That the attempts are spent was said. */
function expectFatal({ toldOfSaving }: RemoteSubject): void {
  const fatal = toldOfSaving.filter((told) => told.fatal && !told.willRetry && told.code === 'PROVIDER');
  expect(fatal.length, `fatal ones among ${JSON.stringify(toldOfSaving.slice(-5), undefined, 1)}`).toBeGreaterThan(0);
}

async function closedWhole(subject: RemoteSubject, scene: Scene) {
  await subject.live(5);
  expect(await subject.flush()).toBe(true);
  await subject.close();
  return foundWhole(subject, scene);
}

async function foundWhole(subject: RemoteSubject, scene: Scene) {
  const found = await subject.expectKept(providerAt(scene.place), { isWhole: true });
  await rm(scene.directory, { recursive: true, force: true });
  return found;
}
