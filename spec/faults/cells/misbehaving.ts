import type { Batch, Provider, ProviderSession } from 'rx-persistify';

import type { Random } from '../../crash/random.ts';

/** What is done in the place of a write. It may throw, answer anything, or nothing; `real` is what would have been done. */
export type Misdeed = (real: () => Promise<unknown>, batch: Batch) => unknown;

/** A real provider that does not always keep to the contract, as one of a user's own may not. */
export class Misbehaving implements Provider {
  readonly name = 'misbehaving';
  /** Undefined: it behaves. */
  misdeed: Misdeed | undefined;
  /** How many writes there were, and in how many of them it misbehaved. */
  writes = 0;
  misdeeds = 0;
  readonly #real: Provider;
  readonly #random: Random;
  readonly #likelihood: number;

  constructor(real: Provider, random: Random, likelihood = 0.2) {
    this.#real = real;
    this.#random = random;
    this.#likelihood = likelihood;
  }

  async open(...[name, context]: Parameters<Provider['open']>): Promise<ProviderSession> {
    const session = await this.#real.open(name, context);
    return changed(session, {
      write: (batch, writeContext) => {
        this.writes++;
        const real = (): ReturnType<ProviderSession['write']> => session.write(batch, writeContext);
        if (this.misdeed === undefined || !this.#random.chance(this.#likelihood)) return real();
        this.misdeeds++;
        return this.misdeed(real, batch) as ReturnType<ProviderSession['write']>; // which it may well not be
      },
    });
  }
}

/** The session with other methods in the place of some. */
export function changed(session: ProviderSession, change: Partial<ProviderSession>): ProviderSession {
  return {
    capabilities: session.capabilities,
    load: () => session.load(),
    write: (batch, context) => session.write(batch, context),
    close: () => session.close(),
    ...(session.read !== undefined && { read: session.read.bind(session) }),
    ...(session.watch !== undefined && { watch: session.watch.bind(session) }),
    ...change,
  };
}
