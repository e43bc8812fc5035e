import {
  memory,
  StoreLockedError,
  type Batch,
  type BatchResult,
  type Mutation,
  type OpenContext,
  type Provider,
  type ProviderSession,
  type WriteContext,
} from 'rx-persistify';
import type { ConformanceOptions } from 'rx-persistify/conformance';

/** A right provider of some kind, with its manifest. All are made of `memory()`. */
export interface Model extends Omit<ConformanceOptions, 'runner' | 'name' | 'createStorage'> {
  /** Makes the storage. All its providers are this one, unless it is new each time. */
  readonly make: () => Provider;
}

/** Like a database: shared, lasting, with reads and a feed. */
export const database: Model = {
  make: memory,
  capabilities: { shared: true, durability: 'memory', persistent: true, read: true, watch: true },
};

/** Like a file: one owner, lasting, without reads of single keys and without a feed. */
export const file: Model = {
  make: () => owned(memory()),
  capabilities: { shared: false, durability: 'memory', persistent: true, read: false, watch: false },
};

/** Like a cache: what nobody has open is gone. */
export const cache: Model = {
  make: () => forgetful(memory()),
  capabilities: { shared: true, durability: 'memory', persistent: false, read: true, watch: true },
};

/** Like a server that has rules: one entry is refused for ever. */
export const strict: Model = {
  ...database,
  make: () => refusing(memory()),
  refusable: { key: 'refused', json: '"refused"' },
};

export function storageOf({ make }: Model): ConformanceOptions['createStorage'] {
  return () => {
    const provider = make();
    return Promise.resolve({ provider: () => provider, remove: () => Promise.resolve() });
  };
}

/** What is known of a session when it is changed. */
export interface Opened {
  readonly storeName: string;
  readonly context: OpenContext;
}

/** Makes of a session, a plain object whose members can be spread, another one. */
export type Change = (session: ProviderSession, opened: Opened) => ProviderSession;

export function changed(provider: Provider, change: Change): Provider {
  return {
    name: provider.name,
    open: async (storeName, context) => change(plain(await provider.open(storeName, context)), { storeName, context }),
  };
}

function plain(session: ProviderSession): ProviderSession {
  return {
    capabilities: session.capabilities,
    load: () => session.load(),
    write: (batch, context) => session.write(batch, context),
    close: () => session.close(),
    ...(session.read && { read: session.read.bind(session) }),
    ...(session.watch && { watch: session.watch.bind(session) }),
  };
}

/** Writes a batch without some of its mutations; the places in the answer are those of the whole batch. */
export async function writeWithout(session: ProviderSession, batch: Batch, context: WriteContext, isLeftOut: (mutation: Mutation) => boolean): Promise<BatchResult> {
  const places = batch.mutations.flatMap((mutation, index) => (isLeftOut(mutation) ? [] : [index]));
  const { version, leftOut } = await session.write({ ...batch, mutations: batch.mutations.filter(mutation => !isLeftOut(mutation)) }, context);
  return { version, leftOut: leftOut.map(one => ({ ...one, index: places[one.index] ?? -1 })) };
}

export function transactionOf(mutation: Mutation): number | undefined {
  return 'transaction' in mutation ? mutation.transaction : undefined;
}

function owned(provider: Provider): Provider {
  const owners = new Set<string>();
  const withOwner = changed(provider, (session, { storeName }) => ({
    capabilities: { shared: false, durability: 'memory' },
    load: () => session.load(),
    write: (batch, context) => session.write(batch, context),
    close: async () => {
      await session.close();
      owners.delete(storeName);
    },
  }));
  return {
    ...withOwner,
    open: (storeName, context) => {
      if (owners.has(storeName)) return Promise.reject(new StoreLockedError(`'${storeName}' is open already.`));
      owners.add(storeName);
      return withOwner.open(storeName, context);
    },
  };
}

function forgetful(provider: Provider): Provider {
  const open = new Map<string, number>();
  return changed(provider, (session, { storeName, context: { writer } }) => {
    open.set(storeName, (open.get(storeName) ?? 0) + 1);
    return {
      ...session,
      close: async () => {
        const left = (open.get(storeName) ?? 0) - 1;
        open.set(storeName, left);
        const signal = new AbortController().signal;
        if (left === 0) await session.write({ writer: `${writer} closing`, number: 1, mutations: [{ type: 'clear' }] }, { signal });
        await session.close();
      },
    };
  });
}

function refusing(provider: Provider): Provider {
  return changed(provider, session => ({
    ...session,
    write: async (batch, context) => {
      const transactions = new Set(batch.mutations.filter(isRefused).map(transactionOf));
      transactions.delete(undefined);
      const isLeftOut = (mutation: Mutation): boolean => isRefused(mutation) || transactions.has(transactionOf(mutation));
      const { version, leftOut } = await writeWithout(session, batch, context, isLeftOut);
      const refused = batch.mutations.flatMap((mutation, index) => {
        return isLeftOut(mutation) ? [{ index, reason: 'refused', message: 'It is against the rules.' } as const] : [];
      });
      return { version, leftOut: [...leftOut, ...refused] };
    },
  }));
}

export function isRefused(mutation: Mutation): boolean {
  return mutation.type === 'set' && mutation.key === 'refused';
}
