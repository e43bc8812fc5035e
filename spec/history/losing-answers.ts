import { ProviderError, type Provider, type ProviderSession } from 'rx-persistify';

/** A provider of which the answer to a commit can be lost: it is stored, and nobody is told. */
export interface LosingProvider extends Provider {
  /** Loses the answer to the next commit. */
  loseNext(): void;
}

/** For storage that is in the process itself, where there is no connection to cut. */
export function losingAnswers(provider: Provider): LosingProvider {
  let isNextLost = false;
  return {
    name: provider.name,
    loseNext: () => void (isNextLost = true),
    async open(name, context) {
      const session = await provider.open(name, context);
      const write: ProviderSession['write'] = async (batch, writeContext) => {
        const result = await session.write(batch, writeContext);
        if (!isNextLost) return result;
        isNextLost = false;
        throw new ProviderError('The answer to the commit was lost.', { kind: 'retry', outcomeUnknown: true });
      };
      return {
        capabilities: session.capabilities,
        load: () => session.load(),
        write,
        close: () => session.close(),
        ...(session.read === undefined ? {} : { read: session.read.bind(session) }),
        ...(session.watch === undefined ? {} : { watch: session.watch.bind(session) }),
      };
    },
  };
}
