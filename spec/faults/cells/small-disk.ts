import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A file system of its own in memory, with little space. */
export class SmallDisk {
  readonly directory: string;

  /** Has it mounted while `work` is done. */
  static async with<T>(at: string, bytes: number, work: (disk: SmallDisk) => Promise<T>): Promise<T> {
    mkdirSync(at, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', at]);
    chmodSync(at, 0o700);
    try {
      return await work(new SmallDisk(at));
    } finally {
      execFileSync('umount', ['--lazy', at]); // a store that failed may have files open yet
    }
  }

  private constructor(directory: string) {
    this.directory = directory;
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.directory);
    return bavail * bsize;
  }

  get #filler(): string {
    return join(this.directory, 'filler');
  }

  /** Takes all space but so many bytes. */
  fill(left: number): void {
    const file = openSync(this.#filler, 'a');
    try {
      const block = Buffer.alloc(4_096);
      while (this.freeBytes >= left + block.length) writeSync(file, block);
    } finally {
      closeSync(file);
    }
  }

  /** Gives back what `fill` took. */
  empty(): void {
    rmSync(this.#filler, { force: true });
  }
}
