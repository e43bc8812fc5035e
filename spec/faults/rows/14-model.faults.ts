import { join } from 'node:path';

import { jsonFile } from 'rx-persistify/json-file';

import { fault, inColumns, row, type Cell } from '../cells/matrix.ts';
import { plans } from '../cells/model-commands.ts';
import { follow, type Storage } from '../cells/model-run.ts';
import { holds } from '../cells/properties.ts';
import { Storages } from '../cells/storages.ts';

const storages = new Storages();

/** Where there is one owner a crash is a takeover, as a process cannot leave itself. */
function storageOf(cell: Cell): Storage {
  const directory = join(cell.directory, 'model');
  if (cell.column === 'json-file') return { provider: (takeOver) => jsonFile({ directory, logBytes: 1 << 20, takeOver }), hasOneOwner: true };
  return { provider: storages.fresh(cell).provider, hasOneOwner: false };
}

row(14, 'a model', () => {
  fault('any calls in any order', inColumns(['memory', 'json-file', 'sqlite', 'postgres'], async (cell) => {
    const storage = storageOf(cell);
    let commands = 0;
    await holds(cell, plans, { short: 40, long: 6_500 }, (plan) => {
      commands += plan.commands.length;
      return follow(storage, plan);
    });
    return { commands };
  }));
});
