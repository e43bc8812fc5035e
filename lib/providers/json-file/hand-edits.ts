import { type FSWatcher, watch } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { ignore } from './durable-file.ts';
import type { StoreFiles } from './file-names.ts';
import { type FileStamp, sameStamp, stampAt } from './json-file.ts';

const pollMs = 500;
const settleMs = 40;

/**
 * Notices that somebody wrote the `.json` file: by watching its directory, and by a look twice a second, as a watch misses things
 * on some file systems. Neither keeps the process alive.
 *
 * It tells only when the file has kept still for a moment, as editors truncate and write, or write in pieces.
 */
export class HandEdits {
  readonly #path: string;
  readonly #isKnown: (stamp: FileStamp | undefined) => boolean;
  readonly #edited: (stamp: FileStamp | undefined) => Promise<void>;
  readonly #timer: NodeJS.Timeout;
  readonly #watcher: FSWatcher | undefined;
  #looking: Promise<void> | undefined;
  readonly #closing = new AbortController();

  /**
   * @param isKnown whether the file with this stamp, or none, is as it should be.
   * @param edited is called when it is something else; not again before it has settled.
   */
  constructor(files: StoreFiles, isKnown: (stamp: FileStamp | undefined) => boolean, edited: (stamp: FileStamp | undefined) => Promise<void>) {
    this.#path = files.json;
    this.#isKnown = isKnown;
    this.#edited = edited;
    this.#timer = setInterval(() => this.look(), pollMs).unref();
    try {
      this.#watcher = watch(files.directory, { persistent: false }, (_event, name) => {
        if (name === files.base || name === null) this.look();
      }).on('error', () => this.#watcher?.close());
    } catch {
      // Out of watches, or a file system that has none: the timer is slower, but does.
    }
  }

  /** Looks at the file, soon. */
  look(): void {
    if (this.#looking !== undefined || this.#closing.signal.aborted) return;
    // If it fails, the next look may do better; a write or a fold tells of a directory that cannot be read.
    this.#looking = this.#look().catch(ignore).finally(() => {
      this.#looking = undefined;
    });
  }

  async #look(): Promise<void> {
    let stamp = await stampAt(this.#path);
    while (!this.#isKnown(stamp)) {
      // Ends at once on close, which would else wait for a timer that does not keep the process alive.
      await delay(settleMs, undefined, { ref: false, signal: this.#closing.signal });
      const later = await stampAt(this.#path);
      if (sameStamp(stamp, later)) {
        await this.#edited(stamp);
        return;
      }
      stamp = later;
    }
  }

  /** Waits for the look that is under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#timer);
    this.#watcher?.close();
    await this.#looking;
  }
}
