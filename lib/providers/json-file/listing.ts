import { readdir, stat } from 'node:fs/promises';

import { isMissing } from './failure.ts';
import type { StoreFiles } from './file-names.ts';

/** File systems count modification times in steps of up to some ten milliseconds: what comes within one does not move it. */
const stepMs = 100;

/** The generations of the logs that are there, ascending. A directory without any that is not there has none. */
export async function listedGenerations(files: StoreFiles): Promise<readonly number[]> {
  try {
    const generations = (await readdir(files.directory)).map(name => files.generationOf(name));
    return generations.filter(generation => generation !== undefined).sort((a, b) => a - b);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** The same again and again, without reading a directory in which no name has come or gone. */
export class Listing {
  #generations: readonly number[] = [];
  #stamp: string | undefined;
  /** When this stamp was seen first. */
  #since = 0;
  #isSettled = false;

  async generations(files: StoreFiles): Promise<readonly number[]> {
    const stamp = await directoryStamp(files.directory);
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      this.#since = performance.now();
      this.#isSettled = false;
    }
    if (this.#isSettled) return this.#generations;
    this.#isSettled = performance.now() - this.#since > stepMs;
    this.#generations = await listedGenerations(files);
    return this.#generations;
  }
}

async function directoryStamp(directory: string): Promise<string> {
  try {
    const { ino, mtimeNs } = await stat(directory, { bigint: true });
    return `${ino} ${mtimeNs}`;
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}
