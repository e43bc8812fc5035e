import { databaseBackedUp, databaseCopiedByFile, directoryCopied, schemaDumped } from '../cells/backups.ts';
import { absent, fault, row } from '../cells/matrix.ts';
import { oneOfThreeOpeners, pidUsedAgain, threeFirstOpeners } from '../cells/openers.ts';
import { displacedWhileStopped, manyWrite, namespaceKeptOut, namespacesWrite, secondKeptOut, stoppedAmongOthers } from '../cells/owners.ts';
import { Storages } from '../cells/storages.ts';
import { migratedMeanwhile, newerFilesRefused } from '../cells/versions.ts';

const storages = new Storages();

const noOther = absent('no other process sees it');
const noPid = absent('it knows processes by their locks, not by their pids');
const notCopied = absent('its files are the server\'s own');

row(8, 'others use the same storage', () => {
  fault('a second process', { memory: noOther, 'json-file': secondKeptOut, sqlite: manyWrite(storages), postgres: manyWrite(storages) });
  fault('a stopped owner, displaced, and resumed in the middle of a write', { memory: noOther, 'json-file': displacedWhileStopped, sqlite: stoppedAmongOthers(storages), postgres: stoppedAmongOthers(storages) });
  fault('three openers at once, of a stale lock or of nothing', { memory: noOther, 'json-file': oneOfThreeOpeners, sqlite: threeFirstOpeners(storages), postgres: threeFirstOpeners(storages) });
  fault('a pid that is used again', { memory: noOther, 'json-file': pidUsedAgain, sqlite: noPid, postgres: noPid });
  fault('another pid namespace', { memory: noOther, 'json-file': namespaceKeptOut, sqlite: namespacesWrite(storages), postgres: namespacesWrite(storages) }, { needs: ['root', 'unshare'] });
  fault('a backup: a copy that opens, VACUUM INTO and backup, a dump in a snapshot', { memory: noOther, 'json-file': directoryCopied('at once'), sqlite: databaseBackedUp, postgres: schemaDumped(storages) });
  fault('its files copied slowly, in any order', { memory: noOther, 'json-file': directoryCopied('slowly'), sqlite: databaseCopiedByFile, postgres: notCopied });
  fault('a newer version of the library', { memory: noOther, 'json-file': newerFilesRefused, sqlite: migratedMeanwhile(storages), postgres: migratedMeanwhile(storages) });
});
