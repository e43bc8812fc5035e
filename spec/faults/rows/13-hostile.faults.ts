import { tryNames, tryOneFileForTwo, tryStems } from '../cells/hostile-names.ts';
import { tryArguments, tryOptions, trySql } from '../cells/hostile-options.ts';
import { tryWrites } from '../cells/hostile-writes.ts';
import { tryLogs } from '../cells/log-damage.ts';
import { fault, inColumns, row } from '../cells/matrix.ts';
import { Storages } from '../cells/storages.ts';
import { tryStoredTexts } from '../cells/stored-limits.ts';

const storages = new Storages();
const all = ['memory', 'json-file', 'sqlite', 'postgres'] as const;

row(13, 'hostile keys, values, names and options', () => {
  fault('keys and values', inColumns(all, (cell) => tryWrites(cell, storages.fresh(cell))));

  fault('names of stores that look alike', inColumns(all, (cell) => tryNames(cell, storages)));

  fault('names that a disk does not tell apart', inColumns(['json-file'], tryOneFileForTwo, {
    memory: 'it has no disk',
    sqlite: 'its file is named by an option, not by the store',
    postgres: 'it has no files of its own',
  }));

  fault('file names of stores', inColumns(['json-file'], tryStems, {
    memory: 'it has no files',
    sqlite: 'its file is named by an option, not by the store',
    postgres: 'it has no files of its own',
  }));

  fault('bytes in logs', inColumns(['json-file'], tryLogs, {
    memory: 'it has no log on a disk',
    sqlite: 'its log is SQLite\'s own',
    postgres: 'its log is the server\'s own',
  }));

  fault('options', inColumns(all, tryOptions));

  fault('arguments', inColumns(all, (cell) => tryArguments(cell, storages.fresh(cell).provider())));

  fault('SQL in names', inColumns(['sqlite', 'postgres'], (cell) => trySql(cell, storages), {
    memory: 'it knows no SQL',
    'json-file': 'it knows no SQL',
  }));

  fault('stored too deep, or no value', inColumns(all, (cell) => tryStoredTexts(cell, storages.fresh(cell))));
});
