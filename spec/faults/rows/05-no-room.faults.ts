import { chmod, chown, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { Provider } from 'rx-persistify';
import { expect } from 'vitest';

import { fullWithItsLog } from '../cells/full-server.ts';
import { givenBack, recovered } from '../cells/given-back.ts';
import { absent, fault, inColumns, row, type Cell } from '../cells/matrix.ts';
import { tooManyOpenFiles, tooManyOpenFilesAtServer } from '../cells/open-files.ts';
import { RemoteSubjects } from '../cells/remote-subject.ts';
import { SmallDisk } from '../cells/small-disk.ts';
import { Storages } from '../cells/storages.ts';
import { Subject } from '../cells/subject.ts';
import { awayAndBack, immutable, readOnlyMount } from '../cells/withdrawals.ts';

const storages = new Storages();
const subjects = new RemoteSubjects();

const onFiles = { memory: 'it has no files', postgres: 'its files are the server\'s, which ends without them, as it does in rows 4 and 10' };

row(5, 'no room, no files, no permission', () => {
  const files = ['json-file', 'sqlite'] as const;
  fault('the disk is full, then has space again', { ...inColumns(files, fullOnFiles, onFiles), postgres: fullAtServer }, { needs: ['Linux', 'root'] });
  fault('the disk of a server is full, its log included', inColumns(['postgres'], fullWithItsLog, { memory: 'it has no disk', 'json-file': 'it has no server; see above', sqlite: 'it has no server; see above' }), { needs: ['Linux', 'root'] });
  fault('too many open files', { memory: absent('it opens none'), 'json-file': tooManyOpenFiles(subjects), sqlite: tooManyOpenFiles(subjects), postgres: tooManyOpenFilesAtServer(subjects, storages) }, { needs: ['Linux', 'prlimit'] });
  fault('the directory is taken away, and given back', inColumns(files, givenBack(storages, awayAndBack), onFiles));
  fault('the directory is made read-only, and writable again', inColumns(files, givenBack(storages, readOnlyMount), onFiles), { needs: ['Linux', 'root'] });
  fault('the files are made immutable, and mutable again', inColumns(files, givenBack(storages, immutable), onFiles), { needs: ['Linux', 'root', 'chattr'] });
});

const moods = { steady: 2, bulk: 3, growth: 2 } as const;

/** Full to the last byte, or with so much left that a record fits in and a fold or a checkpoint does not. */
async function fullOnFiles(cell: Cell) {
  const tally = { cycles: 0, 'closed while full': 0, 'failures told': 0, acknowledged: 0 };
  for (; tally.cycles < cell.times(5, 300); tally.cycles++) {
    const at = join(cell.directory, `disk-${tally.cycles}`);
    await SmallDisk.with(at, 8 << 20, async (disk) => {
      const storage = storages.fresh({ column: cell.column, directory: join(at, 'store') });
      const mood = cell.random.weighted(moods);
      const subject = await Subject.open({ provider: storage.provider(), random: cell.random, mood });
      await subject.live(mood === 'bulk' ? 10 : 60);
      disk.fill(cell.random.chance(0.5) ? 0 : cell.random.magnitude(4_096, 1 << 20));
      await liveUntilFull(subject, disk);
      expectToldFull(subject);
      tally['failures told'] += subject.failures.length;
      if (cell.random.chance(0.3)) {
        tally.acknowledged += await closedWhileFull(subject, disk, () => storage.provider());
        tally['closed while full']++;
        return;
      }
      disk.empty();
      await recovered(subject);
      await subject.live(20);
      await subject.close();
      tally.acknowledged += (await subject.expectKept(storage.provider(), { isWhole: true })).acknowledged;
    });
  }
  return tally;
}

async function liveUntilFull(subject: Subject, disk: SmallDisk): Promise<void> {
  for (let rounds = 0; rounds < 100 && (await subject.flush()); rounds++) {
    if (rounds === 5) disk.fill(0);
    await subject.live(40);
  }
}

/** That somebody has to free some space: trying again does not help, so all attempts are spent at once. */
function expectToldFull({ failures }: Subject): void {
  const fatal = failures.filter((failure) => failure.operation === 'save' && failure.fatal);
  expect(fatal.length).toBeGreaterThan(0);
  for (const { error, willRetry } of fatal) {
    expect(error).toMatchObject({ code: 'PROVIDER', kind: 'halt', message: expect.stringContaining('the disk is full') as string });
    expect(willRetry).toBe(false);
  }
}

/** What is left unsaved is named, and the next one finds everything that was acknowledged. */
async function closedWhileFull(subject: Subject, disk: SmallDisk, provider: () => Provider): Promise<number> {
  disk.fill(0);
  await expect(subject.close()).rejects.toMatchObject({ code: 'SAVE_FAILED', keys: subject.store.unsaved });
  disk.empty();
  return (await subject.expectKept(provider())).acknowledged;
}

/** The tables lie on a disk of their own, which fills up. */
async function fullAtServer(cell: Cell) {
  const { server } = storages;
  const at = join(cell.directory, 'disk');
  await chmod(cell.directory, 0o755); // the server's user must come through
  return SmallDisk.with(at, 24 << 20, async (disk) => {
    const tally = { cycles: 0, 'failures told': 0, acknowledged: 0 };
    await mkdir(join(at, 'tables'));
    const [row] = await server.sql('SHOW data_directory');
    const { uid, gid } = await stat(String(row?.['data_directory'])); // the user that the server runs as
    for (const path of [at, join(at, 'tables')]) await chown(path, uid, gid);
    await server.sql(`CREATE TABLESPACE small LOCATION '${join(at, 'tables')}'`);
    await server.sql('ALTER ROLE CURRENT_USER SET default_tablespace = small');
    for (; tally.cycles < cell.times(2, 60); tally.cycles++) {
      const storage = storages.fresh(cell);
      const subject = await Subject.open({ provider: storage.provider(), random: cell.random, mood: 'bulk' });
      await subject.live(10);
      disk.fill(cell.random.magnitude(1, 100_000));
      for (let left = 50; left > 0 && (await subject.flush()); left--) await subject.live(20);
      expect(subject.failures).toContainEqual(expect.objectContaining({ operation: 'save', fatal: true, willRetry: false }));
      expect(subject.hasTold('53100')).toBe(true);
      expect(subject.hasTold('the disk of the server is full')).toBe(true);
      tally['failures told'] += subject.failures.length;
      disk.empty();
      await recovered(subject);
      await subject.close();
      tally.acknowledged += (await subject.expectKept(storage.provider(), { isWhole: true })).acknowledged;
    }
    await server.sql('ALTER ROLE CURRENT_USER RESET default_tablespace');
    return tally;
  });
}
