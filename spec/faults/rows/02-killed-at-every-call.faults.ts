import { join } from 'node:path';

import { inject } from 'vitest';

import { DirectoryGround } from '../../crash/ground.ts';
import { TestServer } from '../../providers/postgres/server.ts';
import type { Tally } from '../form.ts';
import { everyCall, everyCallOfOpening, type EveryCallOptions } from '../cells/every-call.ts';
import { absent, fault, row, type Cell, type Trial } from '../cells/matrix.ts';
import { ServerGround } from '../cells/server-ground.ts';

const server = inject('form').columns.includes('postgres') ? new TestServer() : undefined;
const needs = ['Linux', 'root', 'strace'] as const;
const noCalls = absent('it makes no system calls');

type Kills = (cell: Cell, options: EveryCallOptions) => Promise<Tally>;

const inFiles = (provider: 'json-file' | 'sqlite', worker: boolean, kills: Kills, most: number): Trial => (cell) =>
  kills(cell, { what: 'killed-at-a-call', ground: new DirectoryGround(provider, cell.directory, worker), subject: join(cell.directory, 'store'), most: cell.times(most, Infinity) });

/** Where the calls of the server are not: what counts is what is sent to it. */
const onServer = (kills: Kills, most: number): Trial => (cell) => {
  if (server === undefined) throw new Error('There is no server.');
  return kills(cell, { what: 'killed-at-a-call', ground: new ServerGround(server), subject: `->127.0.0.1:${server.server.port}]`, most: cell.times(most, Infinity) });
};

row(2, 'kill -9 after the k-th system call', () => {
  fault('of first open, growth, compaction, close and the same again', {
    memory: noCalls,
    'json-file': inFiles('json-file', false, everyCall, 10),
    sqlite: inFiles('sqlite', true, everyCall, 10),
    postgres: onServer(everyCall, 8),
  }, { needs });

  fault('the same on the main thread', {
    memory: noCalls,
    'json-file': absent('it has no other'),
    sqlite: inFiles('sqlite', false, everyCall, 8),
    postgres: absent('it has no other'),
  }, { needs });

  fault('of opening what a killed process left', {
    memory: noCalls,
    'json-file': inFiles('json-file', false, everyCallOfOpening, 3),
    sqlite: inFiles('sqlite', false, everyCallOfOpening, 3),
    postgres: onServer(everyCallOfOpening, 3),
  }, { needs });
});
