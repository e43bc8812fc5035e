import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { copy } from 'fs-extra/esm';

import { placeIn, type Ground } from '../../crash/ground.ts';
import { providerAt, type Place } from '../../crash/place.ts';
import type { Random } from '../../crash/random.ts';
import { inspect, type Inspection } from '../../crash/storage.ts';
import type { Disk } from './disk.ts';

/** Files on a disk whose power is cut, in directories that the store itself has to make. */
export class DiskGround implements Ground {
  readonly #provider: 'json-file' | 'sqlite';
  readonly #disk: Disk;
  #directory: string;
  #count = 0;
  #isCut = false;

  constructor(provider: 'json-file' | 'sqlite', disk: Disk) {
    this.#provider = provider;
    this.#disk = disk;
    this.#directory = disk.path;
  }

  get subject(): string {
    return this.#disk.path;
  }

  place(random: Random): Place {
    return placeIn(this.#store, this.#provider, random.chance(0.5));
  }

  async clear(): Promise<void> {
    if (this.#count > 0) await rm(this.#directory, { recursive: true, force: true });
    this.#directory = join(this.#disk.path, `made by store ${++this.#count}`);
  }

  readonly strike = async (): Promise<void> => {
    await this.#disk.cut();
    this.#isCut = true;
  };

  async examine(): Promise<Inspection> {
    await this.#restore();
    const inspection = await inspect(providerAt(placeIn(this.#store, this.#provider, false)));
    // This process outlives the cut, as in truth none does: were its lock there again, it would count as one that is held.
    await this.#disk.flush();
    return inspection;
  }

  async keep(directory: string): Promise<void> {
    await this.#restore();
    await copy(this.#directory, join(directory, 'store'), { preserveTimestamps: true });
  }

  async #restore(): Promise<void> {
    if (this.#isCut) await this.#disk.restore();
    this.#isCut = false;
  }

  get #store(): string {
    return join(this.#directory, 'in its turn');
  }
}
