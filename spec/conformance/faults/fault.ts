import type { Batch, BatchResult, Entry, Mutation, Page, Provider, ProviderSession, WriteContext } from 'rx-persistify';
import { changed, database, writeWithout, type Change, type Model } from '../models.ts';

/** A defect, and a test that must see it. */
export interface Fault {
  readonly name: string;
  readonly model: Model;
  readonly red: string;
}

/** A defect of the sessions. */
export function session(name: string, red: string, change: Change, model = database): Fault {
  return { name, red, model: { ...model, make: () => changed(model.make(), change) } };
}

/** A defect that sessions have in common. */
export function provider(name: string, red: string, change: (provider: Provider) => Provider, model = database): Fault {
  return { name, red, model: { ...model, make: () => change(model.make()) } };
}

export type Write = (session: ProviderSession, batch: Batch, context: WriteContext) => Promise<BatchResult>;

export function write(name: string, red: string, broken: Write, model = database): Fault {
  return session(name, red, inner => ({ ...inner, write: (batch, context) => broken(inner, batch, context) }), model);
}

type Rewrite = (mutation: Mutation, stored: Entry | undefined) => Mutation;

/** Writes other mutations, as many. */
export function rewriting(name: string, red: string, rewrite: Rewrite, model = database): Fault {
  return write(
    name,
    red,
    async (inner, batch, context) => {
      const stored = await entriesOf(inner);
      const mutations = batch.mutations.map(mutation => rewrite(mutation, 'key' in mutation ? stored.get(mutation.key) : undefined));
      return inner.write({ ...batch, mutations }, context);
    },
    model,
  );
}

/** Loses some mutations and does not say so. */
export function losing(name: string, red: string, isLost: (mutation: Mutation, index: number, batch: Batch) => boolean, model = database): Fault {
  return write(
    name,
    red,
    (inner, batch, context) => writeWithout(inner, batch, context, mutation => isLost(mutation, batch.mutations.indexOf(mutation), batch)),
    model,
  );
}

/** Tells other entries, by `load` and by `read`. */
export function telling(name: string, red: string, tell: (entry: Entry, page: Page | undefined) => readonly Entry[], model = database): Fault {
  return session(
    name,
    red,
    inner => ({
      ...inner,
      load: () => pagesOf(inner, page => ({ ...page, entries: page.entries.flatMap(entry => tell(entry, page)) })),
      ...(inner.read && { read: async keys => ((await inner.read?.(keys)) ?? []).flatMap(entry => tell(entry, undefined)) }),
    }),
    model,
  );
}

export async function* pagesOf(inner: ProviderSession, change: (page: Page, index: number) => Page): AsyncGenerator<Page> {
  let index = 0;
  for await (const page of inner.load()) {
    yield change(page, index);
    index += 1;
  }
}

export async function entriesOf(inner: ProviderSession): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  for await (const page of inner.load()) for (const entry of page.entries) entries.set(entry.key, entry);
  return entries;
}

export function without(mutation: Mutation, member: 'expect' | 'transaction'): Mutation {
  if (mutation.type === 'clear') return member === 'transaction' ? { type: 'clear' } : mutation;
  if (mutation.type !== 'set' && mutation.type !== 'delete') return mutation;
  const { expect, transaction, ...rest } = mutation;
  if (member === 'transaction') return expect === undefined ? rest : { ...rest, expect };
  return transaction === undefined ? rest : { ...rest, transaction };
}

export async function versionOf(inner: ProviderSession): Promise<number> {
  for await (const { version } of inner.load()) return version;
  return 0;
}
