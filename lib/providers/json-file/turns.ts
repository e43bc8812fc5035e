/** Lets one task run after the other, in the order in which they came. A task that fails holds nobody up. */
export class Turns {
  #last: Promise<unknown> | undefined;

  run<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#last === undefined ? task() : this.#last.then(task);
    const done = turn.then(doNothing, doNothing).then(() => {
      if (this.#last === done) this.#last = undefined;
    });
    this.#last = done;
    return turn;
  }
}

function doNothing(): void {
  // Whoever waits for the task gets its answer and its failure.
}
