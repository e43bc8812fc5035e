import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { CorruptDataError, LoadError, StoreLockedError } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { expect } from 'vitest';

import { storeName } from '../../crash/storage.ts';
import { stampOf } from '../../crash/stamped-value.ts';
import { scratch } from '../../providers/json-file/store.ts';
import { Process } from '../../support/process.ts';
import { Picture } from './damage.ts';
import type { Trial } from './matrix.ts';
import { openingOf, wordsOf } from './opening.ts';
import { freshPlace, imports, providerOf, type Place } from './place.ts';
import type { Storages } from './storages.ts';
import { Subject } from './subject.ts';

/** What makes of the built package one that writes the next format. */
const nextFormat = [
  ['providers/json-file/log-format.js', "'rx-persistify/1'", "'rx-persistify/2'"],
  ['providers/sqlite/migrations.js', 'migrations = []', 'migrations = [() => undefined]'],
  ['providers/postgres/format.js', 'currentFormat = 1', 'currentFormat = 2'],
] as const;

/** A copy of the built package that is a version ahead; gives the address of its files. */
async function newerVersion(): Promise<string> {
  const root = dirname(createRequire(import.meta.url).resolve('rx-persistify/package.json'));
  const directory = await scratch();
  const dist = join(directory, 'dist');
  await cp(join(root, 'dist'), dist, { recursive: true });
  await cp(join(root, 'package.json'), join(directory, 'package.json'));
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  for (const [file, text, replacement] of nextFormat) {
    const source = await readFile(join(dist, file), 'utf8');
    if (!source.includes(text)) throw new Error(`${file} has no ${text} to replace.`);
    await writeFile(join(dist, file), source.replace(text, replacement));
  }
  return pathToFileURL(dist).href;
}

/** Opens a store with the newer version, says what is in it, writes to it, and closes it when it is told. */
const program = (dist: string, place: Place, name: string): string => `${imports(dist)}
try {
  const store = await persistify(providerOf(${JSON.stringify(place)})).open(${JSON.stringify(name)});
  say(JSON.stringify([...store]));
  await store.setAndSave('newer', 'value');
  say('saved');
  process.stdin.once('data', () => store.close().then(() => process.exit()));
} catch (error) {
  say(error.code + ' ' + error.message);
}
`;

/** A store of a newer version is refused, every byte of it kept, whether that was closed, runs, or was killed. */
export const newerFilesRefused: Trial = async (cell) => {
  const dist = await newerVersion();
  const tally = { tried: 0, refused: 0 };
  for (; tally.tried < cell.times(2, 60); tally.tried++) {
    const directory = await scratch();
    const newer = new Process(program(dist, { column: 'json-file', options: { directory } }, storeName));
    expect(await newer.line(1)).toBe('saved');
    const meanwhile = await openingOf(jsonFile({ directory }));
    expect(meanwhile.isRefused && meanwhile.error).toBeInstanceOf(StoreLockedError);
    if (tally.tried % 2 === 0) await newer.kill();
    else {
      newer.say('close');
      await newer.ended;
    }
    const isOfTheStore = (name: string): boolean => !name.endsWith('.lock');
    const before = await Picture.of(directory, isOfTheStore);
    for (const readOnly of [true, false]) {
      const opening = await openingOf(jsonFile({ directory, readOnly }));
      expect(opening.isRefused && opening.error).toBeInstanceOf(CorruptDataError);
      expect(wordsOf(opening)).toContain('newer version');
      tally.refused++;
    }
    expect((await Picture.of(directory, isOfTheStore)).files).toEqual(before.files);
  }
  return tally;
};

/** A newer version opens a database, and so migrates it, while this one writes to it: this one stops, says why, and has lost nothing. */
export function migratedMeanwhile(storages: Storages): Trial {
  return async (cell) => {
    const dist = await newerVersion();
    const tally = { tried: 0, acknowledged: 0 };
    for (; tally.tried < cell.times(2, 60); tally.tried++) {
      const place = freshPlace({ ...cell, directory: await scratch() }, storages);
      const subject = await Subject.open({ provider: providerOf(place), random: cell.random });
      await subject.live(60);
      const living = subject.live(cell.random.whole(50, 500));
      const newer = await openNewer(dist, place, storages);
      await living;
      subject.set('later');
      expect(await subject.flush()).toBe(false);
      expect(subject.failures.filter(({ fatal }) => fatal).map(({ error }) => error.message).join('\n')).toMatch(/later version|migrated/);
      const opening = await openingOf(providerOf(place));
      expect(opening.isRefused && opening.error).toBeInstanceOf(LoadError);
      expect(wordsOf(opening)).toContain('later version');
      tally.acknowledged += subject.expectRight(newer.entries).acknowledged;
      await newer.process.kill();
    }
    return tally;
  };
}

async function openNewer(dist: string, place: Place, storages: Storages): Promise<{ readonly process: Process; readonly entries: ReadonlyMap<string, string> }> {
  // PostgreSQL has no migration yet to which one could be added: what one would do is done here.
  if (place.column === 'postgres') await storages.server.sql(`UPDATE ${place.options.schema ?? ''}.rx_persistify_dictionaries SET format = 2`);
  const newer = new Process(program(dist, place, storeName));
  const found = JSON.parse(await newer.line(0)) as readonly (readonly [string, unknown])[]; // what the program above says
  expect(await newer.line(1)).toBe('saved');
  return { process: newer, entries: new Map(found.map(([key, value]) => [key, stampOf(value)])) };
}
