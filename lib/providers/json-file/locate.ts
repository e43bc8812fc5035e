import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { ProviderError } from '../../errors.ts';
import { isMissing } from './failure.ts';
import { stemOf, StoreFiles } from './file-names.ts';

/** Where the `.json` file is a link, all files stand beside the one that it leads to: a rename would replace the link. */
export async function locate(storeName: string, directory: string): Promise<StoreFiles> {
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
