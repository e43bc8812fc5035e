import { ProviderError, type Mutation } from 'rx-persistify';
import { file, isRefused, strict, writeWithout } from '../models.ts';
import { losing, rewriting, session, telling, without, write, type Fault } from './fault.ts';

/** Defects of deadlines, and of refusing. */
export const ending: readonly Fault[] = [
  telling('keeps deadlines in seconds', 'gives back deadlines to the millisecond', entry => [
    entry.expiresAt === undefined ? entry : { ...entry, expiresAt: Math.floor(entry.expiresAt / 1_000) * 1_000 },
  ]),
  rewriting('keeps the deadline on a plain set', 'takes a deadline away with a set that has none', (mutation, stored) =>
    mutation.type === 'set' && mutation.expiresAt === undefined && stored?.expiresAt !== undefined ? { ...mutation, expiresAt: stored.expiresAt } : mutation,
  ),
  rewriting('never moves a deadline back', 'replaces a deadline with an earlier one by a set', (mutation, stored) =>
    mutation.type === 'set' && mutation.expiresAt !== undefined ? { ...mutation, expiresAt: Math.max(mutation.expiresAt, stored?.expiresAt ?? 0) } : mutation,
  ),
  losing('loses a touch', 'moves a deadline on by a touch, never back', ({ type }) => type === 'touch'),
  rewriting('touches by setting', 'leaves the version of a key alone by a touch', (mutation, stored) =>
    mutation.type === 'touch' && stored !== undefined ? { type: 'set', key: mutation.key, json: stored.json, expiresAt: mutation.expiresAt } : mutation,
  ),
  rewriting('makes an entry by a touch', 'makes no entry by a touch', (mutation, stored) =>
    mutation.type === 'touch' && stored === undefined ? { type: 'set', key: mutation.key, json: 'null', expiresAt: mutation.expiresAt } : mutation,
  ),
  losing('loses an expire', 'ends an entry whose deadline has passed', ({ type }) => type === 'expire'),
  losing('loses expires beyond a limit', 'ends 5,000 entries in one batch', ({ type }, index) => type === 'expire' && index >= 1_000),
  session(
    'does not know the deadlines of the last run',
    'ends an entry of the last run',
    inner => ({
      ...inner,
      write: (batch, context) => writeWithout(inner, batch, context, ({ type }) => type === 'expire' && batch.number === 1),
    }),
    file,
  ),
  rewriting('deletes on expire', 'does not end an entry before its deadline, or without one', mutation =>
    (mutation.type === 'expire' ? { type: 'delete', key: mutation.key } : mutation),
  ),
  rewriting('expires whatever version', 'does not end an entry that was set again', (mutation, stored) =>
    mutation.type === 'expire' ? { ...mutation, version: stored?.version ?? 0 } : mutation,
  ),
  session('expires by the deadline of the set', 'does not end an entry whose deadline was moved on', inner => {
    const passed = new Set<string>();
    return {
      ...inner,
      write: (batch, context) => {
        for (const mutation of batch.mutations) if (mutation.type === 'set' && (mutation.expiresAt ?? Infinity) < Date.now()) passed.add(mutation.key);
        const mutations = batch.mutations.map((mutation): Mutation => {
          return mutation.type === 'expire' && passed.has(mutation.key) ? { type: 'delete', key: mutation.key } : mutation;
        });
        return inner.write({ ...batch, mutations }, context);
      },
    };
  }),

  write('refuses the whole batch for one', 'leaves out the one of a thousand that can never be stored, and says why', async (inner, batch, context) => {
    if (batch.mutations.some(isRefused)) throw new ProviderError('It is against the rules.', { kind: 'refuse' });
    return inner.write(batch, context);
  }, strict),
  write('does not say why it refuses', 'leaves out the one of a thousand that can never be stored, and says why', async (inner, batch, context) => {
    const { version, leftOut } = await inner.write(batch, context);
    return { version, leftOut: leftOut.map(one => ({ ...one, message: '' })) };
  }, strict),
  losing('drops what it refuses without a word', 'goes on after a refusal, and answers it the same again', isRefused, strict),
  rewriting(
    'refuses a part of a transaction alone',
    'leaves out the transaction of what can never be stored',
    mutation => (isRefused(mutation) ? without(mutation, 'transaction') : mutation),
    strict,
  ),

  rewriting('gives a deadline to what has none by a touch', 'gives no deadline to an entry that has none, since it ends later than any', (mutation, stored) =>
    mutation.type === 'touch' && stored !== undefined && stored.expiresAt === undefined
      ? { type: 'set', key: mutation.key, json: stored.json, expiresAt: mutation.expiresAt }
      : mutation,
  ),
];
