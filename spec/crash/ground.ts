import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { copy } from 'fs-extra/esm';

import { providerAt, type Place } from './place.ts';
import type { Random } from './random.ts';
import { copyDirectory, inspect, type Inspection } from './storage.ts';

/** What lies under the writers of a campaign, and outlives them. */
export interface Ground {
  /** Where the next writer opens its dictionary. */
  place(random: Random): Place;
  /** Begins anew, with nothing stored. */
  clear(): Promise<void>;
  /** What happens besides the kill, just before it, while the writer stands still. */
  readonly strike?: () => Promise<void>;
  /** Looks at what there is when the writer is dead. */
  examine(random: Random): Promise<Inspection>;
  /** Keeps what there is for whoever looks into a violation. */
  keep(directory: string): Promise<void>;
}

export function placeIn(directory: string, provider: 'json-file' | 'sqlite', worker: boolean): Place {
  return provider === 'json-file' ? { provider, directory } : { provider, file: join(directory, 'survivor.sqlite'), worker };
}

/** A directory of files, that is not there at first. */
export class DirectoryGround implements Ground {
  readonly #provider: 'json-file' | 'sqlite';
  readonly #store: string;
  readonly #spare: string;
  readonly #worker: boolean | undefined;
  /** The directory that is as the kill left it. */
  #untouched: string;

  /** @param worker whether sqlite commits in a worker; none: by chance. */
  constructor(provider: 'json-file' | 'sqlite', directory: string, worker?: boolean) {
    this.#provider = provider;
    this.#worker = worker;
    this.#store = join(directory, 'store');
    this.#spare = join(directory, 'spare');
    this.#untouched = this.#store;
  }

  place(random: Random): Place {
    this.#untouched = this.#store;
    return placeIn(this.#store, this.#provider, this.#worker ?? random.chance(0.5));
  }

  async clear(): Promise<void> {
    await rm(this.#store, { recursive: true, force: true });
  }

  /** Half of the time looks at a copy, so that the next writer finds what the kill left, and not what looking at it made. */
  async examine(random: Random): Promise<Inspection> {
    await copyDirectory(this.#store, this.#spare);
    const isCopyExamined = random.chance(0.5);
    this.#untouched = isCopyExamined ? this.#store : this.#spare;
    return inspect(providerAt(placeIn(isCopyExamined ? this.#spare : this.#store, this.#provider, false)));
  }

  async keep(directory: string): Promise<void> {
    await copy(this.#untouched, join(directory, 'store'), { preserveTimestamps: true });
  }
}
