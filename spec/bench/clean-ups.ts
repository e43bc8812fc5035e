/** What is to be done in the end, the last one first; each even if another one fails. */
export class CleanUps {
  readonly #all: (() => unknown)[] = [];

  readonly defer = (cleanUp: () => unknown): void => {
    this.#all.unshift(cleanUp);
  };

  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (const cleanUp of this.#all.splice(0)) {
      try {
        await cleanUp();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'What was begun could not be ended.');
  }
}
