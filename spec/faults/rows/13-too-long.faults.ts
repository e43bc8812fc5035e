import { fault, inColumns, row } from '../cells/matrix.ts';
import { Storages } from '../cells/storages.ts';
import { tryTooLong } from '../cells/stored-limits.ts';

const storages = new Storages();

// Beside the others of this row, as it takes long to make half a gigabyte.
row(13, 'hostile keys, values, names and options', () => {
  fault('stored too long for a string', inColumns(['json-file', 'sqlite', 'postgres'], (cell) => tryTooLong(cell, storages), {
    memory: 'its texts are strings',
  }));
});
