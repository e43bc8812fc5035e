import { setTimeout as delay } from 'node:timers/promises';

import type { Ground } from '../../crash/ground.ts';
import type { Place } from '../../crash/place.ts';
import type { Random } from '../../crash/random.ts';
import type { Inspection } from '../../crash/storage.ts';
import type { DiskServer } from './disk-server.ts';
import { ServerGround } from './server-ground.ts';

/** A schema of a server whose power is cut, every other time while it makes a checkpoint. */
export class CutServerGround implements Ground {
  readonly #server: DiskServer;
  readonly #ground: ServerGround;
  #cuts = 0;
  #checkpointMs = 0;
  #isCut = false;

  constructor(server: DiskServer) {
    this.#server = server;
    this.#ground = new ServerGround(server);
  }

  place(random: Random): Place {
    this.#checkpointMs = random.next() * 30;
    return this.#ground.place();
  }

  clear(): Promise<void> {
    return this.#ground.clear();
  }

  readonly strike = async (): Promise<void> => {
    this.#isCut = true;
    const checkpoint = this.#cuts++ % 2 === 0 ? undefined : this.#server.sql('CHECKPOINT').catch(() => undefined);
    if (checkpoint !== undefined) await delay(this.#checkpointMs);
    await this.#server.cut();
    await checkpoint;
  };

  async examine(): Promise<Inspection> {
    await this.#restore();
    return this.#ground.examine();
  }

  async keep(directory: string): Promise<void> {
    await this.#restore();
    await this.#ground.keep(directory);
  }

  async #restore(): Promise<void> {
    if (this.#isCut) await this.#server.restore();
    this.#isCut = false;
  }
}
