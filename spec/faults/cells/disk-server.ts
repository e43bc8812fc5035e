import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import pg from 'pg';

import { EmbeddedServer } from '../../../demos/support/embedded-server.ts';
import { Disk } from './disk.ts';
import type { AskedServer } from './server-ground.ts';

/** A PostgreSQL that flushes what it commits, with its data on a disk whose power is cut. */
export class DiskServer implements AskedServer {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #server: EmbeddedServer;

  static async start(): Promise<DiskServer> {
    const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-fault-'));
    const disk = await Disk.make(directory, 512);
    try {
      const server = await EmbeddedServer.start({ parent: disk.path });
      await disk.flush(); // initdb did not
      return new DiskServer(directory, disk, server);
    } catch (error) {
      await disk.remove();
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(directory: string, disk: Disk, server: EmbeddedServer) {
    this.#directory = directory;
    this.#disk = disk;
    this.#server = server;
  }

  get url(): string {
    return this.#server.url();
  }

  async sql(text: string, values: readonly unknown[] = []): Promise<unknown> {
    const client = new pg.Client(this.url);
    client.on('error', () => undefined); // what is under way fails by itself
    try {
      await client.connect();
      return (await client.query({ text, values: [...values], rowMode: 'array' })).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async cut(): Promise<void> {
    await this.#server.perish(() => this.#disk.cut());
  }

  async restore(): Promise<void> {
    await this.#disk.restore();
    await this.#server.start();
  }

  async remove(): Promise<void> {
    await this.#server.remove();
    await this.#disk.remove();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
