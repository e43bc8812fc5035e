/** What the open dictionaries of one provider have in common: it is opened with the first, and let go of with the last. */
export class SharedAccess<T> {
  readonly #open: () => Promise<T>;
  readonly #close: (access: T) => Promise<void>;
  #users = 0;
  #access: Promise<T> | undefined;
  #closing: Promise<void> = Promise.resolve();

  constructor(open: () => Promise<T>, close: (access: T) => Promise<void>) {
    this.#open = open;
    this.#close = close;
  }

  /** Each one is to be given back by `release`, unless it rejects. */
  async acquire(): Promise<T> {
    this.#users++;
    this.#access ??= this.#closing.then(this.#open); // what closes is not opened beside
    try {
      return await this.#access;
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  async release(): Promise<void> {
    if (--this.#users > 0) return;
    const access = this.#access;
    this.#access = undefined;
    this.#closing = this.#letGo(access);
    await this.#closing;
  }

  async #letGo(access: Promise<T> | undefined): Promise<void> {
    const opened = await access?.catch(() => undefined);
    if (opened !== undefined) await this.#close(opened);
  }
}
