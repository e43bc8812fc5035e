import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'vitest';

import { providerAt } from '../../crash/place.ts';
import { fault, inColumns, row, type Cell } from '../cells/matrix.ts';
import { notADatabase, ofAnotherVersion } from '../cells/other-files.ts';
import { OtherConnection } from '../cells/other-connection.ts';
import { RemoteSubjects } from '../cells/remote-subject.ts';

const subjects = new RemoteSubjects();

const reasons = { memory: 'it is shared with nobody', 'json-file': 'it has one owner; see row 8', postgres: 'its locks and readers are in row 10' };
const ofFiles = { memory: 'it has no files', 'json-file': 'see row 7', postgres: 'its files are the server\'s' };

row(9, 'SQLite among others', () => {
  fault('another process holds the write lock for ten seconds', inColumns(['sqlite'], lockHeld, reasons));
  fault('a long reader, and thousands of commits', inColumns(['sqlite'], longReader, reasons));
  fault('a log that outgrows its bound for a reader', inColumns(['sqlite'], longLog, reasons));
  fault('a database of another version', inColumns(['sqlite'], ofAnotherVersion, { ...ofFiles, postgres: 'its tables are those of SQLite, and refused alike' }));
  fault('not a database', inColumns(['sqlite'], notADatabase, ofFiles));
});

/** Sets go on in memory, and no turn of the event loop is felt; be it in a worker or on the main thread that SQLite waits. */
async function lockHeld(cell: Cell) {
  const tallies = await Promise.all([true, false].map((worker) => held(cell, worker)));
  const [sum, most] = [(of: (tally: Held) => number) => tallies.map(of).reduce((one, other) => one + other, 0), (of: (tally: Held) => number) => Math.max(...tallies.map(of))];
  return { 'times held': sum(({ cycles }) => cycles), 'longest hold of the event loop in ms': most(({ hold }) => hold), sets: sum(({ sets }) => sets), 'failures told': sum(({ told }) => told), acknowledged: sum(({ acknowledged }) => acknowledged) };
}

interface Held {
  cycles: number;
  hold: number;
  sets: number;
  told: number;
  acknowledged: number;
}

const lockMs = 10_000;
const longestHoldMs = 100;

async function held(cell: Cell, worker: boolean): Promise<Held> {
  const subject = await subjects.start();
  const tally: Held = { cycles: 0, hold: 0, sets: 0, told: 0, acknowledged: 0 };
  for (let longs = 0; tally.cycles < cell.times(1, 20) || longs === tally.cycles; tally.cycles++) {
    const file = join(cell.directory, `${worker ? 'worker' : 'main'}-${tally.cycles}.sqlite`);
    const place = { provider: 'sqlite', file, worker } as const;
    expect(await subject.open({ place, seed: cell.random.whole(0, 2 ** 31), mood: 'growth', isDefault: true })).toBeUndefined();
    await subject.live(40);
    await subject.recover();
    const other = await OtherConnection.in(file, 'BEGIN IMMEDIATE');
    const { numbers } = await subject.obey({ type: 'hurry', perSecond: 5_000, forMs: lockMs });
    const { sets = 0, longestHoldMs: hold = Infinity } = numbers ?? {};
    // A machine that is busy holds a loop now and then; what is ours comes each time.
    if (hold > longestHoldMs) longs++;
    expect(longs, `times that the event loop was held for more than ${longestHoldMs} ms, such as ${hold}, ${worker ? 'with a worker' : 'on the main thread'}`).toBeLessThan(3);
    await other.end();
    await subject.recover();
    expect(subject.toldOfSaving.filter(({ kind, message }) => kind !== 'retry' || !message.includes('another connection holds the lock'))).toEqual([]);
    expect(subject.toldOfSaving).toContainEqual(expect.objectContaining({ willRetry: true, fatal: false }));
    expect(subject.toldOfSaving).toContainEqual(expect.objectContaining({ willRetry: false, fatal: true }));
    await subject.close();
    tally.hold = Math.round(Math.max(tally.hold, hold));
    tally.sets += sets;
    tally.told += subject.told.length;
    tally.acknowledged += (await subject.expectKept(providerAt(place), { isWhole: true })).acknowledged;
  }
  return tally;
}

const read = 'BEGIN;SELECT count(*) FROM survivor';

/** It holds nobody up, and nothing is told. */
async function longReader(cell: Cell) {
  const subject = await subjects.start();
  const tally = { commits: 0, cycles: 0, acknowledged: 0 };
  for (; tally.cycles < cell.times(2, 40); tally.cycles++) {
    const place = { provider: 'sqlite', file: join(cell.directory, `read-${tally.cycles}.sqlite`), worker: tally.cycles % 2 === 0 } as const;
    expect(await subject.open({ place, seed: cell.random.whole(0, 2 ** 31), mood: 'steady' })).toBeUndefined();
    await subject.live(40);
    await subject.recover();
    const reader = await OtherConnection.in(place.file, read);
    while (new Set(subject.journal.flatMap((record) => (record.type === 'acknowledged' ? [record.seq] : []))).size < cell.times(1_000, 5_000)) await subject.live(500);
    await subject.recover();
    expect(subject.told).toEqual([]);
    await reader.end();
    tally.commits += new Set(subject.journal.flatMap((record) => (record.type === 'acknowledged' ? [record.seq] : []))).size;
    await subject.close();
    tally.acknowledged += (await subject.expectKept(providerAt(place), { isWhole: true })).acknowledged;
  }
  return tally;
}

/** To which a log is cut when it begins anew. */
const logBound = 16_000 * 4_096;

/** It cannot be copied beyond what the reader sees, and grows; when the reader is gone it is cut, and gone after a close. */
async function longLog(cell: Cell) {
  const subject = await subjects.start();
  const tally = { cycles: 0, 'most megabytes': 0, acknowledged: 0 };
  for (; tally.cycles < cell.times(1, 20); tally.cycles++) {
    const place = { provider: 'sqlite', file: join(cell.directory, `log-${tally.cycles}.sqlite`), worker: cell.random.chance(0.5) } as const;
    expect(await subject.open({ place, seed: cell.random.whole(0, 2 ** 31), mood: 'heavy' })).toBeUndefined();
    await subject.live(4);
    await subject.recover();
    const log = `${place.file}-wal`;
    const reader = await OtherConnection.in(place.file, read);
    while ((await stat(log)).size < logBound * 1.1) await subject.live(20);
    tally['most megabytes'] = Math.max(tally['most megabytes'], Math.round((await stat(log)).size / 1e6));
    await reader.end();
    for (let left = 20; left > 0 && (await stat(log)).size > logBound + 4_096; left--) await subject.live(10);
    expect((await stat(log)).size).toBeLessThanOrEqual(logBound + 4_096);
    await subject.recover();
    expect(subject.told).toEqual([]);
    await subject.close();
    expect(await stat(log).catch(() => undefined)).toBeUndefined();
    tally.acknowledged += (await subject.expectKept(providerAt(place), { isWhole: true })).acknowledged;
  }
  return tally;
}
