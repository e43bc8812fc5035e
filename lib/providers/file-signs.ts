import { watch, type FSWatcher } from 'node:fs';

/**
 * When to look again after something was written, in milliseconds from look to look. The directory tells of a commit before it
 * can be seen: it is written, then synced, and only then shown, which on a slow disk takes as long as the last of these.
 */
const lookAgainMs = [1, 2, 4, 8, 16, 32, 64] as const;
/** After so many of them the directory is listened to again: a commit of 1,000 rows tells of itself hundreds of times, which took 4 ms of the event loop (ran). */
const deafLooks = 2;

/**
 * Says when to look whether something was committed to files: when one of them is written in their directory, some times
 * more soon after that, and each so often in any case, which does it alone where no directory can be watched.
 * Keeps no process alive.
 */
export class FileSigns {
  readonly #directory: string;
  readonly #isOne: (fileName: string) => boolean;
  readonly #look: (isPoll: boolean) => void;
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  /** The next one of `lookAgainMs`. */
  #step = 0;

  /** @param isOne whether a file of that name in the directory is one of those that are committed to. */
  constructor(directory: string, isOne: (fileName: string) => boolean, look: (isPoll: boolean) => void) {
    this.#directory = directory;
    this.#isOne = isOne;
    this.#look = look;
  }

  /** Begins, or goes on with another time between two looks at rest. */
  start(pollMs: number): void {
    clearInterval(this.#poll);
    this.#poll = setInterval(() => {
      if (this.#again === undefined) this.#listen(); // it may have failed for a want of watches
      this.#look(true);
    }, pollMs).unref();
    this.#listen();
  }

  stop(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#again);
    this.#again = undefined;
    this.#beDeaf();
  }

  /** Something may just be being committed: looks now, and some times more. */
  soon(): void {
    // While a burst of writes goes on, a look a millisecond is enough.
    if (this.#again !== undefined && this.#step === 0) return;
    clearTimeout(this.#again);
    this.#step = 0;
    this.#lookAgain();
    this.#look(false);
  }

  /** A look was in vain: makes another one after a while. */
  later(): void {
    if (this.#again !== undefined) return;
    this.#step = lookAgainMs.length - 1;
    this.#lookAgain();
  }

  #lookAgain(): void {
    this.#again = setTimeout(() => {
      this.#again = undefined;
      this.#step++;
      if (this.#step < lookAgainMs.length) this.#lookAgain();
      if (this.#step === deafLooks) this.#listen();
      this.#look(false);
    }, lookAgainMs[this.#step]).unref();
  }

  #beDeaf(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** Does nothing where the system has no watches left, or no notion of them. */
  #listen(): void {
    try {
      this.#watcher ??= watch(this.#directory, { persistent: false }, (_, name) => {
        if (name !== null && !this.#isOne(name)) return;
        this.#beDeaf();
        this.soon();
      }).on('error', () => this.#beDeaf());
    } catch {
      // The looks from time to time stand behind it.
    }
  }
}
