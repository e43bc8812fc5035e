import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Random } from '../../crash/random.ts';
import type { Cell } from './matrix.ts';

/** The files of a store as they were at one moment, to be put into a directory again and again. */
export class Picture {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly #times: ReadonlyMap<string, Date>;

  static async of(directory: string, isWanted: (name: string) => boolean = () => true): Promise<Picture> {
    const files = new Map<string, Buffer>();
    const times = new Map<string, Date>();
    for (const name of (await readdir(directory)).filter(isWanted).sort()) {
      files.set(name, await readFile(join(directory, name)));
      times.set(name, (await stat(join(directory, name))).mtime);
    }
    return new Picture(files, times);
  }

  private constructor(files: ReadonlyMap<string, Buffer>, times: ReadonlyMap<string, Date>) {
    this.files = files;
    this.#times = times;
  }

  bytesOf(name: string): Buffer {
    const bytes = this.files.get(name);
    if (bytes === undefined) throw new Error(`There is no ${name} among ${[...this.files.keys()].join(', ')}.`);
    return bytes;
  }

  /** Lays the files out, and nothing else, with other bytes in the place of some. They keep their times, as those of a disk that rots do. */
  async layOut(directory: string, changed: ReadonlyMap<string, Buffer>, { isEdit = false }: { readonly isEdit?: boolean } = {}): Promise<void> {
    for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true });
    for (const [name, bytes] of this.files) {
      const path = join(directory, name);
      await writeFile(path, changed.get(name) ?? bytes);
      const time = this.#times.get(name);
      if (time !== undefined && !(isEdit && changed.has(name))) await utimes(path, time, time);
    }
  }
}

/** The places in a file of this length: all of them in the long form, in the short one `most`, one in each of as many equal stretches. */
export function places(length: number, cell: Cell, most: number): readonly number[] {
  const count = cell.times(Math.min(most, length), length);
  const step = length / count;
  return Array.from({ length: count }, (_, index) => Math.min(length - 1, Math.floor((index + (count < length ? cell.random.next() : 0)) * step)));
}

/** The bits to flip in a byte: all in the long form, in the short one any. */
export function bits(cell: Cell): readonly number[] {
  return cell.times(1, 8) === 8 ? [0, 1, 2, 3, 4, 5, 6, 7] : [cell.random.whole(0, 7)];
}

export function withFlippedBit(bytes: Buffer, at: number, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << bit), at);
  return flipped;
}

/** One of them, at random. */
export function oneOf<T>(items: readonly T[], random: Random): T {
  const item = items[random.whole(0, items.length - 1)];
  if (item === undefined) throw new Error('There is none to choose from.');
  return item;
}
