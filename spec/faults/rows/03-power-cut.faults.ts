import { afterAll } from 'vitest';

import type { Ground } from '../../crash/ground.ts';
import type { Tally } from '../form.ts';
import { campaign } from '../cells/campaign.ts';
import { CourseTrial } from '../cells/course-trial.ts';
import { DiskGround } from '../cells/disk-ground.ts';
import { DiskServer } from '../cells/disk-server.ts';
import { Disk } from '../cells/disk.ts';
import { everyCall, unflushed } from '../cells/every-call.ts';
import { absent, fault, row, type Cell, type Trial } from '../cells/matrix.ts';
import { CutServerGround } from '../cells/cut-server-ground.ts';

const needs = ['Linux', 'root', 'mkfs.ext4', 'loop devices', 'perl'] as const;
const what = 'power-cut';
const inMemory = absent('it lives and ends with its process, and says so');

/** As soon as the first change is acknowledged. */
const first = { signal: 'a', times: 1, afterMs: 0 };

let server: Promise<DiskServer> | undefined;
afterAll(async () => {
  await (await server)?.remove();
});

type OnGround<Kind extends Ground> = (cell: Cell, ground: Kind) => Promise<Tally>;

function onDisk(provider: 'json-file' | 'sqlite', trial: OnGround<DiskGround>): Trial {
  return async (cell) => {
    const disk = await Disk.make(cell.directory, 256, cell.random.chance(0.5) ? 'ordered' : 'loose');
    try {
      return await trial(cell, new DiskGround(provider, disk));
    } finally {
      await disk.remove();
    }
  };
}

function onServer(trial: OnGround<CutServerGround>): Trial {
  return async (cell) => trial(cell, new CutServerGround(await (server ??= DiskServer.start())));
}

const firstWrites: OnGround<Ground> = async (cell, ground) => {
  const trial = new CourseTrial(cell, ground, what);
  const cuts = cell.times(3, 20);
  let acknowledged = 0;
  try {
    for (let count = 0; count < cuts; count++) {
      const attempt = await trial.strikeAt(first);
      if (attempt.acknowledged === 0) throw new Error('Nothing was acknowledged, so nothing was tried.');
      acknowledged += attempt.acknowledged;
    }
  } finally {
    await trial.end();
  }
  return { cuts, acknowledged };
};
const afterLooks: OnGround<DiskGround> = (cell, ground) => unflushed(cell, { what, ground, subject: ground.subject, most: cell.times(6, Infinity), rounds: cell.times(1, 3) });
const atCalls: OnGround<DiskGround> = (cell, ground) => everyCall(cell, { what, ground, subject: ground.subject, most: cell.times(10, Infinity), rounds: cell.times(1, 5) });

row(3, 'the power is cut', () => {
  fault('after the first acknowledgement of a new store', {
    memory: inMemory,
    'json-file': onDisk('json-file', firstWrites),
    sqlite: onDisk('sqlite', firstWrites),
    postgres: onServer(firstWrites),
  }, { needs });

  fault('after the k-th system call, of first open, growth, compaction, close and the same again', {
    memory: inMemory,
    'json-file': onDisk('json-file', atCalls),
    sqlite: onDisk('sqlite', atCalls),
    postgres: absent('the server makes them, and its checkpoints are the next line'),
  }, { needs: [...needs, 'strace'] });

  fault('after an opening has shown what a killed process had written and not flushed', {
    memory: inMemory,
    'json-file': onDisk('json-file', afterLooks),
    sqlite: onDisk('sqlite', afterLooks),
    postgres: absent('the server shows only what it has flushed'),
  }, { needs: [...needs, 'strace'] });

  fault('at a random moment', {
    memory: inMemory,
    'json-file': onDisk('json-file', (cell, ground) => campaign(cell, what, ground, cell.times(6, 100))),
    sqlite: onDisk('sqlite', (cell, ground) => campaign(cell, what, ground, cell.times(6, 100))),
    postgres: onServer((cell, ground) => campaign(cell, what, ground, cell.times(4, 100))),
  }, { needs });
});
