import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { ProviderError } from '../../errors.ts';
import type { OpenContext, Provider, ProviderSession } from '../provider.ts';
import { defaultFileMode, Disk } from './disk.ts';
import { ensureDirectory } from './durable-file.ts';
import { failureOf, isMissing } from './failure.ts';
import { stemOf, StoreFiles } from './file-names.ts';
import { acquireLock, type Lock } from './lock.ts';
import { checkOptions, type JsonFileOptions } from './options.ts';
import { recover } from './recover.ts';
import { JsonFileSession } from './session.ts';

/**
 * Keeps each dictionary in a JSON file of its own, `<directory>/<name>.json`: an object that people and other programs can read and
 * write. Commits go to a log beside it and are folded into it at leisure, so that a commit costs the same however large the
 * dictionary is; after `close` the one file remains. An acknowledged write outlives a power cut.
 *
 * Edits of the file are noticed within a second while it is open, and at `open`; they replace all that is not in a log.
 *
 * @throws OptionsError
 * @example
 * const stores = persistify(jsonFile({ directory: './data' }));
 */
export function jsonFile(options: JsonFileOptions): Provider {
  const checked = checkOptions(options);
  const settings = { ...checked, directory: resolve(checked.directory) };
  return {
    name: 'json-file',
    async open(storeName, context) {
      try {
        return await open(storeName, context, settings);
      } catch (error) {
        throw failureOf(error, `open ${JSON.stringify(storeName)} in ${settings.directory}`);
      }
    },
  };
}

async function open(storeName: string, context: OpenContext, options: JsonFileOptions): Promise<ProviderSession> {
  await ensureDirectory(options.directory, options.directoryMode ?? 0o700);
  const files = await filesOf(storeName, options.directory);
  const lock = await acquireLock(files, {
    storeName,
    fileMode: options.fileMode ?? defaultFileMode,
    takeOver: options.takeOver ?? false,
  });
  try {
    return await openLocked(storeName, context, options, files, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openLocked(storeName: string, context: OpenContext, options: JsonFileOptions, files: StoreFiles, lock: Lock): Promise<ProviderSession> {
  const found = await recover(files, storeName, context.report);
  const disk = new Disk(files, lock, found, { storeName, indent: options.indent, fileMode: options.fileMode }, context.report);
  try {
    await disk.removeObsolete(found.obsolete);
    // Whom we displaced may be about to append to the last log; the header of a further one ends it here.
    if (lock.tookOver) await disk.journal.begin();
  } catch (error) {
    await disk.letGoOfFiles();
    throw error;
  }
  return new JsonFileSession(files, disk, context.report);
}

/** Where the `.json` file is a link, all files stand beside the one that it leads to: a rename would replace the link. */
async function filesOf(storeName: string, directory: string): Promise<StoreFiles> {
  const path = join(directory, `${stemOf(storeName)}.json`);
  if (!(await isLink(path))) return new StoreFiles(directory, basename(path));
  let target: string;
  try {
    target = await realpath(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new ProviderError(`json-file: ${path} is a link that leads nowhere`, { kind: 'halt', cause: error });
  }
  return new StoreFiles(dirname(target), basename(target));
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
