import { expect } from 'vitest';

import { providerAt } from '../../crash/place.ts';
import { sceneOf } from './disk-faults.ts';
import type { Trial } from './matrix.ts';
import type { RemoteSubjects } from './remote-subject.ts';
import { limit, openDescriptors } from './resource-limits.ts';
import type { Storages } from './storages.ts';

/** No more files than are open may be opened, or few: new logs, folds, connections and threads fail; what is open goes on. */
export function tooManyOpenFiles(subjects: RemoteSubjects): Trial {
  return async (cell) => {
    const tally = { cycles: 0, 'opens refused': 0, 'failures told': 0, acknowledged: 0 };
    for (; tally.cycles < cell.times(8, 300); tally.cycles++) {
      const subject = await subjects.start(); // what a driver needs is loaded with the first open of a process
      const scene = await sceneOf(cell, cell.random.weighted({ bulk: 2, growth: 1 }));
      if (tally.cycles % 4 < 2) {
        limit(subject.pid, 'nofile', (await openDescriptors(subject.pid)) + (tally.cycles < 4 ? 0 : cell.random.whole(0, 12)));
        const failure = await subject.open(scene);
        limit(subject.pid, 'nofile', undefined);
        if (failure === undefined) await subject.close();
        else {
          expect(failure.code, failure.message).toBe('LOAD_FAILED');
          tally['opens refused']++;
        }
      }
      const failure = await subject.open(scene);
      expect(failure, failure?.message).toBeUndefined();
      await subject.live(10);
      limit(subject.pid, 'nofile', (await openDescriptors(subject.pid)) + cell.random.whole(0, 3));
      await subject.live(scene.actions);
      if (!(await subject.flush())) expect(subject.toldOfSaving).toContainEqual(expect.objectContaining({ code: 'PROVIDER', fatal: true }));
      tally['failures told'] += subject.told.length;
      limit(subject.pid, 'nofile', undefined);
      await subject.recover();
      await subject.live(20);
      await subject.close();
      tally.acknowledged += (await subject.expectKept(providerAt(scene.place), { isWhole: true })).acknowledged;
      await subject.kill();
    }
    expect(tally['opens refused']).toBeGreaterThan(0);
    return tally;
  };
}

/** As many as a pool has by default, and one that listens. */
const connections = 5;

/** No connection can be made for those that the server ends, until there are descriptors again. */
export function tooManyOpenFilesAtServer(subjects: RemoteSubjects, storages: Storages): Trial {
  return async (cell) => {
    const subject = await subjects.start();
    const { server } = storages;
    const tally = { cycles: 0, 'failures told': 0, acknowledged: 0 };
    for (; tally.cycles < cell.times(3, 100); tally.cycles++) {
      const place = { provider: 'postgres', connection: server.url, schema: server.freshSchema() } as const;
      expect(await subject.open({ place, seed: cell.random.whole(0, 2 ** 31), mood: 'steady' })).toBeUndefined();
      await subject.live(40);
      await subject.recover();
      limit(subject.pid, 'nofile', (await openDescriptors(subject.pid)) - 10);
      await server.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = \'client backend\'');
      await subject.live(100);
      const isTold = (): boolean => subject.toldOfSaving.some(({ fatal, message }) => fatal && message.includes('EMFILE'));
      // An attempt on a connection of which it is not known yet that it is dead fails for that.
      for (let left = connections; left >= 0 && !isTold(); left--) expect(await subject.flush()).toBe(false);
      expect(isTold(), 'whether it is told as what it is').toBe(true);
      expect(subject.toldOfSaving.filter(({ code, kind }) => code !== 'PROVIDER' || kind !== 'retry'), 'what is told of saving as anything but a failure that passes').toEqual([]);
      tally['failures told'] += subject.told.length;
      limit(subject.pid, 'nofile', undefined);
      await subject.recover();
      await subject.close();
      tally.acknowledged += (await subject.expectKept(providerAt(place), { isWhole: true })).acknowledged;
    }
    return tally;
  };
}
