import type { Cursor } from './provider.ts';

/**
 * How far a reader of a dictionary's log has come. Each version has a row there, so that one that is not there was pruned, or
 * belongs to a past that a restored database does not have.
 */
export class LogPlace {
  #cursor: Cursor;
  /** Whether the log is to hold the row of the cursor. It has none of the empty beginning, nor of a table that was taken over. */
  #isLogged: boolean | undefined;

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
  }

  get version(): number {
    return this.#cursor.version;
  }

  moveTo(cursor: Required<Cursor>): void {
    this.#cursor = cursor;
    this.#isLogged = true;
  }

  /**
   * Whether storage still has the past that this place stands for.
   * @param head the version of the last commit.
   * @param found what the log has at this place's version.
   */
  isKept(head: number, found: Required<Cursor> | undefined): boolean {
    const { version, writer, number } = this.#cursor;
    if (found === undefined) {
      const isFirst = this.#isLogged === undefined && writer === undefined && number === undefined && (version === head || version === 0);
      const isKnown = this.#isLogged === false && version <= head;
      this.#isLogged = false;
      return isFirst || isKnown;
    }
    if (this.#isLogged === false || version > head) return false;
    this.moveTo(found); // who wrote it is remembered, were it not known
    return (writer === undefined || writer === found.writer) && (number === undefined || number === found.number);
  }
}
