import { isPassing } from './picture.ts';

/** What is wrong for this long is told: a file may be being written, or be being put in the place of another. */
const patienceMs = 1_000;
/** Files that do not come to rest for this long have to be read anew, which tells what is wrong with them. */
const unrestMs = 10_000;

/** What to do about something wrong: to look again soon; to read the files anew; to tell it; to wait, as it was told. */
export type Measure = 'look again' | 'read anew' | 'tell' | 'wait';

/** How one meets what is wrong in files that others are writing: most of it passes, and what does not is told once. */
export class Patience {
  #unrestSince: number | undefined;
  #troubleSince: number | undefined;
  #isTold = false;

  /** What was wrong is not any more. */
  passed(): void {
    this.#unrestSince = undefined;
    this.#troubleSince = undefined;
    this.#isTold = false;
  }

  with(error: unknown): Measure {
    if (isPassing(error)) {
      this.#unrestSince ??= performance.now();
      return performance.now() - this.#unrestSince > unrestMs ? 'read anew' : 'look again';
    }
    this.#troubleSince ??= performance.now();
    if (this.#isTold) return 'wait';
    if (performance.now() - this.#troubleSince < patienceMs) return 'look again';
    this.#isTold = true;
    return 'tell';
  }
}
