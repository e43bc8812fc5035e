import type { FileHandle } from 'node:fs/promises';

/**
 * A file that several read at the same time, closed when the last one lets go. A reader keeps what it began with, even if
 * the file's name has come to mean another one since.
 */
export class SharedHandle {
  readonly file: FileHandle;
  #users = 1;

  constructor(file: FileHandle) {
    this.file = file;
  }

  share(): this {
    this.#users += 1;
    return this;
  }

  async letGo(): Promise<void> {
    this.#users -= 1;
    if (this.#users === 0) await this.file.close();
  }
}
