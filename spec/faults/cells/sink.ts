import { ProviderError, type Provider, type ProviderSession } from 'rx-persistify';

/** How a sink is away. `silent`: no attempt is answered, until it is back; then each ends without an answer. */
export type Absence = 'retry' | 'halt' | 'silent';

/** A provider whose writes fail while it is away; whatever it does else, it does. */
export class Sink implements Provider {
  readonly name: string;
  /** When attempts were made while it was away, as the clock of the store tells it. */
  readonly attemptedAt: number[] = [];
  /** Told of a batch that is attempted for the first time. */
  onBatch: (number: number) => void = () => undefined;
  readonly #provider: Provider;
  readonly #now: () => number;
  #absence: Absence | undefined;
  /** So many batches are let through before it is away again. */
  #admitted = Infinity;
  #newest = 0;
  #end = (): void => undefined;
  #back = Promise.resolve();

  constructor(provider: Provider, now: () => number) {
    this.name = provider.name;
    this.#provider = provider;
    this.#now = now;
  }

  leave(absence: Absence): void {
    this.#absence = absence;
    this.#admitted = 0;
    this.#back = new Promise((resolve) => (this.#end = resolve));
  }

  /** It is back, for so many batches. */
  comeBack(batches = Infinity): void {
    this.#admitted = batches;
    this.#end();
  }

  async open(storeName: string, context: Parameters<Provider['open']>[1]): Promise<ProviderSession> {
    const session = await this.#provider.open(storeName, context);
    return {
      capabilities: session.capabilities,
      load: () => session.load(),
      write: async (batch, writeContext) => {
        if (batch.number > this.#newest) this.onBatch(batch.number);
        this.#newest = Math.max(this.#newest, batch.number);
        if (this.#admitted === 0) await this.#fail();
        const result = await session.write(batch, writeContext);
        this.#admitted--;
        return result;
      },
      close: () => session.close(),
      ...(session.read === undefined ? {} : { read: session.read.bind(session) }),
      ...(session.watch === undefined ? {} : { watch: session.watch.bind(session) }),
    };
  }

  async #fail(): Promise<never> {
    this.attemptedAt.push(this.#now());
    if (this.#absence === 'halt') throw new ProviderError('The sink has no room.', { kind: 'halt' });
    if (this.#absence === 'silent') await this.#back;
    throw new ProviderError('The sink is away.', { kind: 'retry', outcomeUnknown: this.#absence === 'silent' });
  }
}
