import { readFile, stat } from 'node:fs/promises';

import { isMissing } from './failure.ts';
import type { StoreFiles } from './file-names.ts';
import { judge, ownerFrom } from './owner.ts';

/** What a lock tells to one who does not want it. */
export interface LockView {
  readonly id: string;
  /** Whether its owner displaced another one, who may still be writing. */
  readonly tookOver: boolean;
  /** Since when it is there, in milliseconds since 1970. */
  readonly sinceMs: number;
  readonly isAlive: () => boolean;
}

/** @returns undefined if there is none. One that may not be read, or is none, counts as a living owner's. */
export async function viewLock(files: StoreFiles): Promise<LockView | undefined> {
  try {
    const { mtimeMs: sinceMs } = await stat(files.lock);
    const owner = ownerFrom(await readFile(files.lock, 'utf8').catch((error: unknown) => {
      if (isMissing(error)) throw error;
      return '';
    }));
    return { id: owner?.id ?? '', tookOver: owner?.tookOver === true, sinceMs, isAlive: () => owner === undefined || judge(owner) !== 'dead' };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
