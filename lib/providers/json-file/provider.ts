import { makeDirectory } from '../make-directory.ts';
import type { OpenContext, Provider, ProviderSession } from '../provider.ts';
import { defaultFileMode, Disk } from './disk.ts';
import { ignore } from './durable-file.ts';
import { failureOf } from './failure.ts';
import type { StoreFiles } from './file-names.ts';
import { locate } from './locate.ts';
import { acquireLock, type Lock } from './lock.ts';
import { checkOptions, type JsonFileOptions, type JsonFileSettings } from './options.ts';
import { ReadOnlySession } from './read-only-session.ts';
import { recover } from './recover.ts';
import { JsonFileSession } from './session.ts';

/**
 * Keeps each dictionary in a JSON file of its own, `<directory>/<name>.json`: an object that people and other programs can read and
 * write. Commits go to a log beside it and are folded into it at leisure, so that a commit costs the same however large the
 * dictionary is; after `close` the one file remains. An acknowledged write outlives a power cut.
 *
 * Edits of the file are noticed within a second while it is open, and at `open`. What was edited counts, also over what was written
 * since the file was brought up to date: after a second of rest, and after five of writing for a file of up to a megabyte, else when the
 * log has outgrown it. Where it cannot be known what was edited, as after a crash, what was written stays, and that is told.
 *
 * With `readOnly` it follows such a file instead, and what its owner commits, and leaves all that is there as it is.
 *
 * @throws OptionsError
 * @example
 * const stores = persistify(jsonFile({ directory: './data' }));
 */
export function jsonFile(options: JsonFileOptions): Provider {
  const settings = checkOptions(options);
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

async function open(storeName: string, context: OpenContext, options: JsonFileSettings): Promise<ProviderSession> {
  if (options.readOnly) return new ReadOnlySession(storeName, options, context.report);
  await makeDirectory(options.directory, options.directoryMode ?? 0o700);
  const files = await locate(storeName, options.directory);
  const lock = await acquireLock(files, {
    storeName,
    fileMode: options.fileMode ?? defaultFileMode,
    takeOver: options.takeOver,
  });
  try {
    return await openLocked(storeName, context, options, files, lock);
  } catch (error) {
    await lock.release().catch(ignore); // the reason of the failure counts
    throw error;
  }
}

async function openLocked(storeName: string, context: OpenContext, options: JsonFileSettings, files: StoreFiles, lock: Lock): Promise<ProviderSession> {
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
  return new JsonFileSession(files, disk, options, context.report);
}
