import { ProviderError, type BatchResult, type Mutation, type ProviderSession } from 'rx-persistify';
import { changed, file } from '../models.ts';
import { entriesOf, pagesOf, provider, session, write, type Fault } from './fault.ts';

/** Defects of retries, aborts, closing and opening again. */
export const settling: readonly Fault[] = [
  session('forgets what it has settled', 'leaves what another session wrote meanwhile when a batch comes again', inner => {
    let number = 0;
    return { ...inner, write: (batch, context) => inner.write({ ...batch, number: ++number }, context) };
  }),
  session('forgets conflicts', 'answers the same conflicts when a batch comes again', inner => {
    let last = 0;
    return {
      ...inner,
      write: async (batch, context) => {
        const result = await inner.write(batch, context);
        const isRetry = batch.number <= last;
        last = batch.number;
        return isRetry ? { ...result, leftOut: [] } : result;
      },
    };
  }),
  session('knows only the last number', 'does not apply an older batch again', inner => {
    let last = 0;
    let lies = 0;
    return {
      ...inner,
      write: (batch, context) => {
        if (batch.number < last) lies += 1_000;
        last = batch.number;
        return inner.write({ ...batch, number: batch.number + lies }, context);
      },
    };
  }),
  session('waits for each number', 'applies batches whose numbers leave gaps', inner => {
    let last = 0;
    return {
      ...inner,
      write: async (batch, context) => {
        if (batch.number > last + 1) return { version: (await entriesOf(inner)).size, leftOut: [] };
        last = batch.number;
        return inner.write(batch, context);
      },
    };
  }),
  provider('settles for all dictionaries together', 'counts the numbers of each dictionary by themselves', inner => {
    let last: { readonly number: number; readonly result: BatchResult } | undefined;
    return changed(inner, whole => ({
      ...whole,
      write: async (batch, context) => {
        if (last !== undefined && batch.number <= last.number) return last.result;
        const result = await whole.write(batch, context);
        last = { number: batch.number, result };
        return result;
      },
    }));
  }),
  write('settles for all writers together', 'counts the numbers of each writer by themselves', (inner, batch, context) =>
    inner.write({ ...batch, writer: 'everyone' }, context),
  ),
  provider('settles for all sessions together', 'applies the first batches of a new session, whose numbers begin again', inner => {
    let last: { readonly number: number; readonly result: BatchResult } | undefined;
    return changed(inner, whole => ({
      ...whole,
      write: async (batch, context) => {
        if (last !== undefined && batch.number <= last.number) return last.result;
        const result = await whole.write(batch, context);
        last = { number: batch.number, result };
        return result;
      },
    }));
  }, file),

  write('never settles what is aborted already', 'settles a write whose signal is aborted already', (inner, batch, context) =>
    context.signal.aborted ? new Promise(() => undefined) : inner.write(batch, context),
  ),
  write('stores what it says it has not stored', 'settles a write that is aborted at once', async (inner, batch, context) => {
    const result = await inner.write(batch, live);
    if (context.signal.aborted) throw new ProviderError('Aborted.', { kind: 'retry' });
    return result;
  }),
  write('stores a part of what is aborted', 'settles a write that is aborted a macrotask later', async (inner, batch, context) => {
    if (batch.mutations.length < 10_000) return inner.write(batch, context);
    await aborted(context.signal);
    await inner.write({ number: batch.number, writer: `${batch.writer} halved`, mutations: batch.mutations.slice(5_000) }, live);
    throw new ProviderError('Aborted.', { kind: 'retry', outcomeUnknown: true });
  }),
  write('says that it has stored what it has not', 'settles a write that is aborted some milliseconds later', async (inner, batch, context) => {
    if (batch.mutations.length < 10_000) return inner.write(batch, context);
    await aborted(context.signal);
    return { version: 1, leftOut: [] };
  }),
  session('stores what is aborted a second time', 'settles a write that is aborted a microtask later', inner => {
    let number = 0;
    return { ...inner, write: batch => inner.write({ ...batch, number: ++number }, live) };
  }),
  session('stores nothing after an abort', 'writes on after an abort, in the order of the batches', inner => {
    let isBroken = false;
    return {
      ...inner,
      write: async (batch, context) => {
        await Promise.resolve();
        isBroken ||= context.signal.aborted;
        if (isBroken) throw new ProviderError('Aborted.', { kind: 'halt' });
        return inner.write(batch, context);
      },
    };
  }),
  session('minds an abort after the answer', 'does not mind an abort after the answer', inner => {
    let isBroken = false;
    return {
      ...inner,
      write: (batch, context) => {
        context.signal.addEventListener('abort', () => (isBroken = true));
        return isBroken ? Promise.reject(new ProviderError('Aborted.', { kind: 'halt' })) : inner.write(batch, context);
      },
    };
  }),
  session('forgets a write when it is closed', 'settles both when it is closed during a write', inner => {
    let isClosed = false;
    return {
      ...inner,
      write: async (batch, context) => {
        if (batch.mutations.length === 1_000) await new Promise<void>(resolve => setTimeout(resolve, 0));
        return isClosed ? { version: 1, leftOut: [] } : inner.write(batch, context);
      },
      close: () => {
        isClosed = true;
        return inner.close();
      },
    };
  }),
  session('waits in close for readers that have left', 'is closed during a load that was left unfinished', inner => {
    let readers = 0;
    return {
      ...inner,
      load: async function* () {
        readers += 1;
        for await (const page of inner.load()) yield page;
        readers -= 1; // never, if the reader leaves
      },
      close: () => (readers > 0 ? new Promise(() => undefined) : inner.close()),
    };
  }),
  session('clears what was only looked at', 'can be closed right after opening, and be opened again', (inner, { context }) => {
    let isNew = true;
    return {
      ...inner,
      write: (batch, writeContext) => {
        isNew = false;
        return inner.write(batch, writeContext);
      },
      close: async () => {
        if (isNew) await inner.write({ number: 1, writer: context.writer, mutations: [{ type: 'clear' }] }, live);
        await inner.close();
      },
    };
  }),

  onClose('loses the dictionary when it is closed', 'keeps what was written, for the same provider and for a new one', () => [{ type: 'clear' }]),
  onClose('loses a key at the fifth closing', 'changes nothing by opening and closing', closings =>
    (closings === 5 ? [{ type: 'delete', key: 'key 1' }] : []),
  ),
  provider('brings deleted keys back in the next run', 'keeps deletes and clears', inner => {
    const deleted = new Set<string>();
    return changed(inner, whole => {
      const returning = [...deleted];
      return {
        ...whole,
        load: () => pagesOf(whole, page => ({ version: page.version, entries: [...page.entries, ...returning.map(key => ({ key, json: '0', version: 1 }))] })),
        write: (batch, context) => {
          for (const mutation of batch.mutations) if (mutation.type === 'delete') deleted.add(mutation.key);
          return whole.write(batch, context);
        },
      };
    });
  }),
  provider('keeps no more than 16,000 entries', 'keeps 20,000 entries', inner => {
    const opened = new Set<string>();
    return changed(inner, (whole, { storeName }) => {
      const isNew = !opened.has(storeName);
      opened.add(storeName);
      return { ...whole, load: () => pagesOf(whole, (page, index) => (isNew || index < 16 ? page : { ...page, entries: [] })) };
    });
  }),
  session('loses each thirteenth commit', 'keeps the sum of many small commits over many sessions', inner => ({
    ...inner,
    write: (batch, context) => inner.write(batch.number % 13 === 0 ? { ...batch, mutations: [] } : batch, context),
  })),
  session('stores at its end what it had left out', 'leaves out what it left out, after reopening too', (inner, { context: { writer } }) => {
    const leftOut: Mutation[] = [];
    return {
      ...inner,
      write: async (batch, context) => {
        const result = await inner.write(batch, context);
        for (const { index } of result.leftOut) leftOut.push(...batch.mutations.slice(index, index + 1));
        return result;
      },
      close: async () => {
        const mutations = leftOut.flatMap(mutation => (mutation.type === 'set' ? [{ type: 'set', key: mutation.key, json: mutation.json } as const] : []));
        await inner.write({ number: 1, writer: `${writer} closing`, mutations }, live);
        await inner.close();
      },
    };
  }),
];

const live = { signal: new AbortController().signal };

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
    setTimeout(resolve, 50); // for the retries, whose signal never aborts
  });
}

/** Writes something of its own when a session closes. */
function onClose(name: string, red: string, mutationsOf: (closings: number) => readonly Mutation[]): Fault {
  return provider(name, red, inner => {
    let closings = 0;
    return changed(inner, (whole: ProviderSession, { context: { writer } }) => ({
      ...whole,
      close: async () => {
        closings += 1;
        await whole.write({ number: 1, writer: `${writer} closing`, mutations: mutationsOf(closings) }, live);
        await whole.close();
      },
    }));
  });
}
