import { ProviderError, type Mutation } from 'rx-persistify';
import { file, transactionOf, writeWithout } from '../models.ts';
import { entriesOf, losing, pagesOf, rewriting, session, telling, without, write, type Fault } from './fault.ts';

/** Defects of batches, conditions and transactions. */
export const writing: readonly Fault[] = [
  losing('loses a delete', 'stores sets, deletes and overwrites of one batch together', ({ type }) => type === 'delete'),
  losing('loses a clear', 'clears everything', ({ type }) => type === 'clear'),
  losing('loses what a lone batch sets', 'stores a batch of 1 as one commit', (_, __, { mutations }) => mutations.length === 1),
  losing('loses what stands beyond a limit', 'stores a batch of 20000 as one commit', (_, index) => index >= 16_000),
  losing('loses a set after a clear', 'keeps what a batch sets after its clear, and nothing from before', ({ type }, _, { mutations }) =>
    type === 'set' && mutations[0]?.type === 'clear',
  ),
  write('clears last', 'keeps what a batch sets after its clear, and nothing from before', (inner, batch, context) =>
    inner.write({ ...batch, mutations: batch.mutations.toReversed() }, context),
  ),
  write('divides a batch', 'stores a batch of 1000 as one commit', async (inner, batch, context) => {
    const half = Math.ceil(batch.mutations.length / 2);
    await inner.write({ ...batch, number: batch.number * 2, mutations: batch.mutations.slice(0, half) }, context);
    return inner.write({ ...batch, number: batch.number * 2 + 1, mutations: batch.mutations.slice(half) }, context);
  }),
  write('sorts the batch that it was given', 'stores a batch of 1000 as one commit', (inner, batch, context) => {
    Array.prototype.sort.call(batch.mutations, () => -1);
    return inner.write(batch, context);
  }),
  write('fails at deleting what is absent', 'deletes what is absent without complaint', async (inner, batch, context) => {
    const stored = await entriesOf(inner);
    const isAbsent = (mutation: Mutation): boolean => mutation.type === 'delete' && !stored.has(mutation.key);
    if (batch.mutations.some(isAbsent)) throw new ProviderError('There is no such key.', { kind: 'halt' });
    return inner.write(batch, context);
  }),
  write('fails at clearing what is empty', 'clears an empty dictionary', async (inner, batch, context) => {
    if (batch.mutations.some(({ type }) => type === 'clear') && (await entriesOf(inner)).size === 0) throw new ProviderError('There is nothing.', { kind: 'halt' });
    return inner.write(batch, context);
  }),
  session('never takes a deleted key again', 'stores again under a key that was deleted', inner => {
    const deleted = new Set<string>();
    return {
      ...inner,
      write: (batch, context) => {
        for (const mutation of batch.mutations) if (mutation.type === 'delete') deleted.add(mutation.key);
        return writeWithout(inner, batch, context, mutation => mutation.type === 'set' && deleted.has(mutation.key));
      },
    };
  }),

  write('answers the version before', 'gives each commit a higher version than the one before', async (inner, batch, context) => {
    const { version, leftOut } = await inner.write(batch, context);
    return { version: version - 1, leftOut };
  }),
  write('counts from zero after a clear', 'never lowers the version, whatever a commit does', async (inner, batch, context) => {
    const { version, leftOut } = await inner.write(batch, context);
    return { version: batch.mutations.some(({ type }) => type === 'clear') ? 0 : version, leftOut };
  }),
  write('answers version 0 when nothing is left', 'answers with the current version when nothing is left to commit', async (inner, batch, context) => {
    const { version, leftOut } = await inner.write(batch, context);
    return { version: leftOut.length === batch.mutations.length ? 0 : version, leftOut };
  }),
  telling(
    'tells the version of the load for each entry',
    'compares with the version that `load` tells of the key',
    (entry, page) => [{ ...entry, version: page?.version ?? entry.version }],
    file,
  ),
  telling('tells another version by `read`', 'compares with the version that `read` tells of the key', (entry, page) =>
    [{ ...entry, version: entry.version + (page === undefined ? 1 : 0) }],
  ),
  session(
    'begins with version 1 in the next run',
    'compares with versions of before the last run',
    inner => {
      let isNew = true;
      return {
        ...inner,
        load: () => pagesOf(inner, page => (isNew ? { version: page.version, entries: page.entries.map(entry => ({ ...entry, version: 1 })) } : page)),
        write: (batch, context) => {
          if (batch.number > 1) isNew = false;
          return inner.write(batch, context);
        },
      };
    },
    file,
  ),

  rewriting('ignores expect', 'loses no increment of two sessions that count one key up by condition', mutation => without(mutation, 'expect')),
  rewriting('ignores the expectation of absence', 'leaves out what expects an absent key where it is present', mutation =>
    'expect' in mutation && mutation.expect === 0 ? without(mutation, 'expect') : mutation,
  ),
  rewriting('takes every key for present', 'stores what expects an absent key where it is absent', mutation =>
    'expect' in mutation && mutation.expect === 0 ? { ...mutation, expect: -1 } : mutation,
  ),
  rewriting('compares only whether the key is present', 'compares with the version of the commit that set the key', (mutation, stored) =>
    'expect' in mutation && mutation.expect !== 0 && stored !== undefined ? without(mutation, 'expect') : mutation,
  ),
  rewriting('takes an absent key for any version', 'leaves out what expects a version of an absent key', (mutation, stored) =>
    stored === undefined ? without(mutation, 'expect') : mutation,
  ),
  session('compares texts and not versions', 'does not take a key that was deleted and set again for the one before', inner => {
    const texts = new Map<number, string>();
    return {
      ...inner,
      write: async (batch, context) => {
        const stored = await entriesOf(inner);
        const mutations = batch.mutations.map(mutation => {
          const isSame = 'expect' in mutation && texts.get(mutation.expect ?? 0) === stored.get(mutation.key)?.json;
          return isSame ? without(mutation, 'expect') : mutation;
        });
        const result = await inner.write({ ...batch, mutations }, context);
        for (const mutation of mutations) if (mutation.type === 'set') texts.set(result.version, mutation.json);
        return result;
      },
    };
  }),
  rewriting('leaves out the whole batch for one conflict', 'leaves out only what is in conflict', mutation =>
    mutation.type === 'set' || mutation.type === 'delete' ? { ...mutation, transaction: 1 } : mutation,
  ),

  rewriting('stores the parts of a transaction by themselves', 'leaves a transaction out whole when one part is in conflict, and stores the others', mutation =>
    without(mutation, 'transaction'),
  ),
  rewriting('stores the first part of a transaction by itself', 'leaves out a transaction whose first part holds and whose last does not', (mutation, stored) =>
    stored === undefined ? mutation : without(mutation, 'transaction'),
  ),
  losing("drops a transaction's member", 'stores a transaction whole', (mutation, index) => index === 2 && transactionOf(mutation) !== undefined),
  rewriting('clears though the transaction is in conflict', 'leaves out the clear of a transaction in conflict', mutation =>
    (mutation.type === 'clear' ? without(mutation, 'transaction') : mutation),
  ),
  losing('loses the clear of a transaction', 'stores a transaction that clears', mutation =>
    mutation.type === 'clear' && transactionOf(mutation) !== undefined,
  ),
  rewriting('mistakes one transaction for another', 'decides each of 500 transactions by itself', mutation =>
    'transaction' in mutation ? { ...mutation, transaction: (mutation.transaction ?? 0) % 99 } : mutation,
  ),
];
