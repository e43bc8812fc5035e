import { afterAll } from 'vitest';

import type { Ground } from '../../crash/ground.ts';
import type { Tally } from '../form.ts';
import { campaign } from '../cells/campaign.ts';
import { CourseTrial } from '../cells/course-trial.ts';
import { DiskGround } from '../cells/disk-ground.ts';
import { DiskServer } from '../cells/disk-server.ts';
import { Disk } from '../cells/disk.ts';
import { everyCall } from '../cells/every-call.ts';
import { absent, fault, row, type Cell, type Trial } from '../cells/matrix.ts';
import { CutServerGround } from '../cells/cut-server-ground.ts';

const needs = ['Linux', 'root', 'mkfs.ext4', 'loop devices', 'perl'] as const;
const what = 'power-cut';
const inMemory = absent('it lives and ends with its process, and says so');

/** As soon as the first change is acknowledged. */
const first = { signal: 'a', times: 1, afterMs: 0 };
/** System calls that come before the first that stores anything: directories, locks, headers. */
const callsOfOpening = 6;

let server: Promise<DiskServer> | undefined;
afterAll(async () => {
  await (await server)?.remove();
});

type OnGround<Kind extends Ground> = (cell: Cell, ground: Kind) => Promise<Tally>;

function onDisk(provider: 'json-file' | 'sqlite', trial: OnGround<DiskGround>): Trial {
  return async (cell) => {
    const disk = await Disk.make(cell.directory, 256);
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

/** Writers, each from nothing, whose power is cut by `strike`. */
async function strikes(cell: Cell, ground: Ground, count: number, strike: (trial: CourseTrial, index: number) => Promise<{ readonly acknowledged: number }>): Promise<Tally> {
  const trial = new CourseTrial(cell, ground, what);
  let acknowledged = 0;
  try {
    for (let index = 0; index < count; index++) {
      const attempt = await strike(trial, index);
      if (attempt.acknowledged === 0) throw new Error('Nothing was acknowledged, so nothing was tried.');
      acknowledged += attempt.acknowledged;
    }
  } finally {
    await trial.end();
  }
  return { cuts: count, acknowledged };
}

const firstWrites: OnGround<Ground> = (cell, ground) => strikes(cell, ground, cell.times(3, 20), (trial) => trial.strikeAt(first));
const behindKilled: OnGround<DiskGround> = (cell, ground) => strikes(cell, ground, cell.times(callsOfOpening, 20 * callsOfOpening), (trial, index) => trial.strikeBehind(1 + (index % callsOfOpening), ground.subject, first));
const atCalls: OnGround<DiskGround> = (cell, ground) => everyCall(cell, { what, ground, subject: ground.subject, most: cell.times(10, Infinity), rounds: cell.times(1, 3) });

row(3, 'the power is cut', () => {
  fault('after the first acknowledgement of a new store', {
    memory: inMemory,
    'json-file': onDisk('json-file', firstWrites),
    sqlite: onDisk('sqlite', firstWrites),
    postgres: onServer(firstWrites),
  }, { needs });

  fault('the same, after another process was killed in its first opening', {
    memory: inMemory,
    'json-file': onDisk('json-file', behindKilled),
    sqlite: onDisk('sqlite', behindKilled),
    postgres: absent('what a client leaves half done, the server takes back'),
  }, { needs: [...needs, 'strace'] });

  fault('after the k-th system call, of first open, growth, compaction, close and the same again', {
    memory: inMemory,
    'json-file': onDisk('json-file', atCalls),
    sqlite: onDisk('sqlite', atCalls),
    postgres: absent('the server makes them, and its checkpoints are the next line'),
  }, { needs: [...needs, 'strace'] });

  fault('at a random moment', {
    memory: inMemory,
    'json-file': onDisk('json-file', (cell, ground) => campaign(cell, what, ground, cell.times(6, 100))),
    sqlite: onDisk('sqlite', (cell, ground) => campaign(cell, what, ground, cell.times(6, 100))),
    postgres: onServer((cell, ground) => campaign(cell, what, ground, cell.times(4, 100))),
  }, { needs });
});
