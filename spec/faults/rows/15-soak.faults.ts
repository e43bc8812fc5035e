import { fault, inColumns, row } from '../cells/matrix.ts';
import { soak } from '../cells/soak.ts';
import { Storages } from '../cells/storages.ts';

const storages = new Storages();

row(15, 'a soak', () => {
  fault('open, write, watch, fail, retry, close', inColumns(['memory', 'json-file', 'sqlite', 'postgres'], (cell) => soak(cell, cell.column === 'postgres' ? storages.server.url : '')), { needs: ['Linux'] });
});
