import { ProviderError, type Batch, type LeftOut, type Mutation } from 'rx-persistify';
import { changed, file, isRefused, strict, writeWithout } from '../models.ts';
import { losing, provider, rewriting, session, telling, without, write, type Fault } from './fault.ts';

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
  answering('does not name expires that do not come true', 'names each expire that does not come true, with the reason, and no other', (leftOut, { mutations }) =>
    leftOut.filter(({ index }) => mutations[index]?.type !== 'expire'),
  ),
  answering('names expires that come true', 'ends an entry whose deadline has passed', (leftOut, { mutations }) => [
    ...leftOut.filter(({ index }) => mutations[index]?.type !== 'expire'),
    ...mutations.flatMap((mutation, index) => (mutation.type === 'expire' ? [unmet(index)] : [])),
  ]),
  session('forgets in a retry which expires did not come true', 'answers the same expires that did not come true when a batch comes again', inner => {
    let last = 0;
    return {
      ...inner,
      write: async (batch, context) => {
        const { version, leftOut } = await inner.write(batch, context);
        const isRetry = batch.number <= last;
        last = batch.number;
        return { version, leftOut: isRetry ? leftOut.filter(({ index }) => batch.mutations[index]?.type !== 'expire') : leftOut };
      },
    };
  }),
  session('decides expires anew in a retry', 'answers the same expires that did not come true when a batch comes again', inner => {
    let last = 0;
    return {
      ...inner,
      write: async (batch, context) => {
        const isRetry = batch.number <= last;
        last = batch.number;
        const { version, leftOut } = await inner.write(batch, context);
        if (!isRetry) return { version, leftOut };
        const anew = batch.mutations.flatMap((mutation, index) => (mutation.type === 'expire' ? [unmet(index)] : [])); // none is there any more
        return { version, leftOut: [...leftOut.filter(({ index }) => batch.mutations[index]?.type !== 'expire'), ...anew] };
      },
    };
  }),
  answering('refuses expires that do not come true', 'does not end an entry that was set again', (leftOut, { mutations }) =>
    leftOut.map(one => (mutations[one.index]?.type === 'expire' ? { ...one, reason: 'refused' } : one)),
  ),
  session('does not name the expire of a key that was touched', 'does not end an entry whose deadline was moved on', inner => {
    const touched = new Set<string>();
    return {
      ...inner,
      write: async (batch, context) => {
        const { version, leftOut } = await inner.write(batch, context);
        for (const mutation of batch.mutations) if (mutation.type === 'touch') touched.add(mutation.key);
        const isTouched = (mutation: Mutation | undefined): boolean => mutation?.type === 'expire' && touched.has(mutation.key);
        return { version, leftOut: leftOut.filter(({ index }) => !isTouched(batch.mutations[index])) };
      },
    };
  }),
  answering('does not say why an expire does not come true', 'names each expire that does not come true, with the reason, and no other', leftOut =>
    leftOut.map(one => ({ ...one, message: '' })),
  ),
  answering('names no more than a thousand expires', 'ends every other of 5,000 entries, and names the rest', leftOut => leftOut.slice(0, 1_000)),
  answering('takes the clear of a batch for the end that an expire wanted', 'leaves out an expire behind a clear, which has left it nothing', (leftOut, { mutations }) =>
    (leftOut.length === 1 && mutations[0]?.type === 'clear' ? [] : leftOut),
  ),
  write('makes a version of expires that do not come true', 'makes no version of expires that do not come true', async (inner, batch, context) => {
    const { version, leftOut } = await inner.write(batch, context);
    if (leftOut.length < batch.mutations.length || !batch.mutations.some(({ type }) => type === 'expire')) return { version, leftOut };
    const beside = { ...batch, writer: `${batch.writer} again`, mutations: [{ type: 'set', key: 'beside', json: '1' } as const] };
    return { version: (await inner.write(beside, context)).version, leftOut };
  }),
  write('leaves transactions out for an expire', 'stores transactions beside an expire that does not come true', async (inner, batch, context) => {
    const hasExpire = batch.mutations.some(({ type }) => type === 'expire');
    const isHeld = (mutation: Mutation): boolean => hasExpire && 'transaction' in mutation;
    const { version, leftOut } = await writeWithout(inner, batch, context, isHeld);
    const held = batch.mutations.flatMap((mutation, index) => (isHeld(mutation) ? [unmet(index)] : []));
    return { version, leftOut: [...leftOut, ...held] };
  }),
  session('judges an expire by what the session itself has done', 'leaves out the expire of what the other session keeps alive, or has ended', inner => {
    const passed = new Set<string>();
    return {
      ...inner,
      write: async (batch, context) => {
        const { version, leftOut } = await inner.write(batch, context);
        for (const mutation of batch.mutations) if (mutation.type === 'set' && (mutation.expiresAt ?? Infinity) < Date.now()) passed.add(mutation.key);
        const isBelieved = (mutation: Mutation | undefined): boolean => mutation?.type === 'expire' && passed.has(mutation.key);
        return { version, leftOut: leftOut.filter(({ index }) => !isBelieved(batch.mutations[index])) };
      },
    };
  }),
  provider('loses the touches of a later run', 'keeps what becomes of deadlines in a later run', inner => {
    let runs = 0;
    return changed(inner, whole => {
      const isFirst = runs++ === 0;
      return { ...whole, write: (batch, context) => writeWithout(whole, batch, context, ({ type }) => type === 'touch' && !isFirst) };
    });
  }, file),

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

type Answer = (leftOut: readonly LeftOut[], batch: Batch) => readonly LeftOut[];

/** Does what is right, and tells something else. */
function answering(name: string, red: string, answer: Answer): Fault {
  return write(name, red, async (inner, batch, context) => {
    const { version, leftOut } = await inner.write(batch, context);
    return { version, leftOut: answer(leftOut, batch) };
  });
}

function unmet(index: number): LeftOut {
  return { index, reason: 'conflict', message: 'It did not come true.' };
}
