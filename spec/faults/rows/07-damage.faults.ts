import { cutOff, damagedBeforeValid, flipped } from '../cells/damaged-json.ts';
import { pagesFlipped } from '../cells/damaged-pages.ts';
import { databaseCutOff, databaseFlipped, framesBehindDamage } from '../cells/damaged-sqlite.ts';
import { edited, replaced } from '../cells/edited-json.ts';
import { rowsEdited } from '../cells/edited-rows.ts';
import { databaseReplaced, tableReplaced } from '../cells/foreign-tables.ts';
import { absent, fault, row } from '../cells/matrix.ts';
import { Storages } from '../cells/storages.ts';

const storages = new Storages();

const noStorage = absent('it keeps nothing outside of the process');
const serversFiles = absent('its files are the server\'s own: what is left of them it recovers, or refuses to start on');

row(7, 'what is stored is damaged, or edited', () => {
  fault('a file cut off at every byte', { memory: noStorage, 'json-file': cutOff, sqlite: databaseCutOff, postgres: serversFiles });
  fault('every byte flipped in turn', { memory: noStorage, 'json-file': flipped, sqlite: databaseFlipped, postgres: pagesFlipped(storages) });
  fault('a valid record behind a damaged one', { memory: noStorage, 'json-file': damagedBeforeValid, sqlite: framesBehindDamage, postgres: serversFiles });
  fault('edited by hand: keys twice, layouts, NULs, half a character', { memory: noStorage, 'json-file': edited, sqlite: rowsEdited(storages), postgres: rowsEdited(storages) });
  fault('something else in its place: a directory, a pipe, links, others\' data', { memory: noStorage, 'json-file': replaced, sqlite: databaseReplaced, postgres: tableReplaced(storages) });
});
