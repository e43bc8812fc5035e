import { execFile, spawnSync } from 'node:child_process';
import { chmod, mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { onProcessEnd } from '../../../demos/support/exit-hooks.ts';

const run = promisify(execFile);

/** FS_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH (linux/fs/ext4/ioctl.c): from now on nothing reaches the disk, not even the journal. */
const cutPower = `open(my $root, '<', $ARGV[0]) or die "open: $!"; my $flags = pack('L', 2); defined ioctl($root, 0x8004587d, $flags) or die "ioctl: $!";`;

/**
 * Mounts that keep what is not flushed from the disk for as long as they can: they commit once in five minutes, and do not flush
 * by themselves a file that is renamed over another. `loose`: names and sizes may be there without the data, which then are NUL.
 */
const mounts = {
  ordered: 'loop,noatime,commit=300,noauto_da_alloc',
  loose: 'loop,noatime,commit=300,noauto_da_alloc,nodelalloc,data=writeback',
} as const;

/** An ext4 file system of its own, whose power can be cut. */
export class Disk {
  /** Where it is mounted. */
  readonly path: string;
  readonly #image: string;
  readonly #options: string;
  /** Is unmounted no more when the process ends. */
  readonly #takeBack: () => void;

  /** @param directory empty; the disk is to be removed before it is. */
  static async make(directory: string, megabytes: number, mount: keyof typeof mounts = 'ordered'): Promise<Disk> {
    const disk = new Disk(directory, mounts[mount]);
    await mkdir(disk.path);
    await chmod(directory, 0o755); // also servers that run as somebody else must come through
    await writeFile(disk.#image, '');
    await truncate(disk.#image, megabytes * 1024 * 1024);
    await run('mkfs.ext4', ['-q', disk.#image]);
    try {
      await disk.#mount();
    } catch (error) {
      await disk.remove();
      throw error;
    }
    return disk;
  }

  private constructor(directory: string, options: string) {
    this.#options = options;
    this.path = join(directory, 'disk');
    this.#image = join(directory, 'disk.image');
    this.#takeBack = onProcessEnd(() => void spawnSync('umount', ['--lazy', this.path], { stdio: 'ignore' }));
  }

  /** All that was written so far is on the disk. */
  async flush(): Promise<void> {
    await run('sync', ['--file-system', this.path]);
  }

  /** Everything that is not on the disk at this moment never will be; whoever writes or flushes gets an error. */
  async cut(): Promise<void> {
    await run('perl', ['-e', cutPower, this.path]);
  }

  /** What is left is there again. Nobody may have a file of it open. */
  async restore(): Promise<void> {
    await this.#unmount();
    await this.#mount();
  }

  async remove(): Promise<void> {
    await run('umount', ['--lazy', this.path]).catch(() => undefined); // it may not be mounted
    this.#takeBack();
  }

  async #mount(): Promise<void> {
    await run('mount', ['-o', this.#options, this.#image, this.path]);
  }

  /** The processes that were killed may still be on their way. */
  async #unmount(): Promise<void> {
    for (let patience = 100; ; patience--) {
      try {
        await run('umount', [this.path]);
        return;
      } catch (error) {
        if (patience === 0) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}
