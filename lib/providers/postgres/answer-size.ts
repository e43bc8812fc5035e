/** So much text is asked for at once. More of it may take longer, over a slow line, than an answer is waited for. */
const wantedText = 2_000_000;
const mostKeys = 5_000;
const growth = 8;

/**
 * How many entries an answer may have. What they hold is known only when they have come: so one is asked for at first, and then as
 * many as have room if they are like the last ones. Who failed for asking too much begins anew, and so comes past any commit.
 */
export class AnswerSize {
  #keys = 1;

  get keys(): number {
    return this.#keys;
  }

  /** So many have come, and had so much text. */
  came(keys: number, text: number): void {
    if (keys === 0) return;
    const fitting = Math.floor((wantedText * keys) / Math.max(text, 1));
    this.#keys = Math.max(1, Math.min(fitting, this.#keys * growth, mostKeys));
  }
}
