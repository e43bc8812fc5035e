import { inject } from 'vitest';

import { DirectoryGround } from '../../crash/ground.ts';
import { TestServer } from '../../providers/postgres/server.ts';
import { campaign } from '../cells/campaign.ts';
import { absent, fault, row, type Trial } from '../cells/matrix.ts';
import { ServerGround } from '../cells/server-ground.ts';

const server = inject('form').columns.includes('postgres') ? new TestServer() : undefined;

const inFiles = (provider: 'json-file' | 'sqlite'): Trial => (cell) => campaign(cell, 'killed', new DirectoryGround(provider, cell.directory), cell.times(40, 10_000));

row(1, 'kill -9 at a random moment', () => {
  fault('the process that writes is killed', {
    memory: absent('it lives and ends with its process, and says so'),
    'json-file': inFiles('json-file'),
    sqlite: inFiles('sqlite'),
    postgres: (cell) => {
      if (server === undefined) throw new Error('There is no server.');
      return campaign(cell, 'killed', new ServerGround(server), cell.times(20, 2_000));
    },
  });
});
