/** One direction of a connection: what is sent is delivered in order, each after its delay. */
export class DelayLine {
  readonly #due: { readonly at: number; readonly deliver: () => void }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  send(delayMs: number, deliver: () => void): void {
    if (delayMs === 0 && this.#due.length === 0) deliver();
    else {
      this.#due.push({ at: performance.now() + delayMs, deliver });
      this.#wait();
    }
  }

  /** Delivers nothing of what is under way. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due.length = 0;
  }

  #wait(): void {
    const [next] = this.#due;
    if (next === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#due.shift();
      next.deliver();
      this.#wait();
    }, Math.max(0, next.at - performance.now()));
  }
}
