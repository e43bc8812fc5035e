import { join } from 'node:path';

import { inject } from 'vitest';

import { DirectoryGround } from '../../crash/ground.ts';
import { TestServer } from '../../providers/postgres/server.ts';
import { everyCall } from '../cells/every-call.ts';
import { absent, fault, row, type Trial } from '../cells/matrix.ts';
import { ServerGround } from '../cells/server-ground.ts';

const server = inject('form').columns.includes('postgres') ? new TestServer() : undefined;

const inFiles = (provider: 'json-file' | 'sqlite', worker: boolean): Trial => (cell) =>
  everyCall(cell, {
    what: 'killed-at-a-call',
    ground: new DirectoryGround(provider, cell.directory, worker),
    subject: join(cell.directory, 'store'),
    most: cell.times(12, Infinity),
  });

row(2, 'kill -9 after the k-th system call, of first open, growth, compaction, close and the same again', () => {
  fault('after a call that writes, flushes, makes, renames or removes', {
    memory: absent('it makes no system calls'),
    'json-file': inFiles('json-file', false),
    sqlite: inFiles('sqlite', true),
    postgres: (cell) => {
      if (server === undefined) throw new Error('There is no server.');
      return everyCall(cell, { what: 'killed-at-a-call', ground: new ServerGround(server), subject: `->127.0.0.1:${server.server.port}]`, most: cell.times(10, Infinity) });
    },
  }, { needs: ['Linux', 'root', 'strace'] });

  fault('the same on the main thread', {
    memory: absent('it makes no system calls'),
    'json-file': absent('it has no other'),
    sqlite: inFiles('sqlite', false),
    postgres: absent('it has no other'),
  }, { needs: ['Linux', 'root', 'strace'] });
});
