import { ProviderError, type Batch, type BatchResult, type Entry, type Mutation, type Provider, type ProviderSession } from 'rx-persistify';

/** Keeps dictionaries in the append-only logs of a log server (server.ts), one record a batch. */
export const httpLog = (url: string): Provider => ({ name: 'http-log', open: (storeName) => Promise.resolve(sessionOn(`${url}?log=${encodeURIComponent(storeName)}`)) });

/** A session is what the log's records, one after the other, make of an empty table: the same for all who read them. */
function sessionOn(log: string): ProviderSession {
  const table = new Map<string, Entry>();
  const answers = new Map<string, BatchResult & { readonly number: number }>(); // the last one to each writer
  let [length, version] = [0, 0];

  /** Appends `batch`, if nobody has appended what this session does not know; learns, in any case, what is new. */
  async function exchange(signal: AbortSignal, batch?: Batch): Promise<void> {
    const after = length;
    const request = batch === undefined ? { signal } : { signal, method: 'POST', body: JSON.stringify(batch) };
    const text = await fetch(`${log}&after=${after}`, request)
      .then((response) => (response.ok ? response.text() : Promise.reject(new Error(`HTTP status ${response.status}`))))
      .catch((cause: unknown) => Promise.reject(new ProviderError('The log server does not answer as it should.', { kind: 'retry', outcomeUnknown: true, cause })));
    for (const line of text.split('\n').slice(length - after)) if (line !== '') fold(JSON.parse(line) as { at: number; record: Batch }); // as it was sent
    if (batch !== undefined && length === after) throw new ProviderError('The log has fewer records than it had.', { kind: 'halt', outcomeUnknown: true });
  }

  function fold({ at, record: { writer, number, mutations } }: { readonly at: number; readonly record: Batch }): void {
    const failed = new Set(mutations.filter((mutation) => 'expect' in mutation && mutation.expect !== (table.get(mutation.key)?.version ?? 0)));
    const undone = new Set([...failed].flatMap((mutation) => ('transaction' in mutation ? [mutation.transaction] : [])));
    const isHeld = (mutation: Mutation): boolean => failed.has(mutation) || ('transaction' in mutation && undone.has(mutation.transaction));
    const leftOut = mutations.flatMap((one, index) => (isHeld(one) || !apply(table, one, version + 1, at) ? [{ index, reason: 'conflict' as const, message: 'Another version or deadline.' }] : []));
    if (leftOut.length < mutations.length) version += 1;
    answers.set(writer, { number, version, leftOut });
    length += 1;
  }

  return {
    capabilities: { shared: true, durability: 'power' },
    async *load() {
      await exchange(AbortSignal.timeout(10_000));
      yield { version, entries: [...table.values()] };
    },
    async write(batch, { signal }) {
      for (;;) {
        const answer = answers.get(batch.writer); // found too when it was appended by an attempt whose answer was lost
        if (answer !== undefined && answer.number >= batch.number) return answer;
        await exchange(AbortSignal.any([signal, AbortSignal.timeout(10_000)]), batch);
      }
    },
    close: () => Promise.resolve(),
  };
}

function apply(table: Map<string, Entry>, mutation: Mutation, version: number, now: number): boolean {
  const entry = 'key' in mutation ? table.get(mutation.key) : undefined;
  if (mutation.type === 'clear') table.clear();
  else if (mutation.type === 'set') table.set(mutation.key, { ...mutation, version });
  else if (mutation.type === 'delete') table.delete(mutation.key);
  else if (entry?.expiresAt === undefined) return mutation.type === 'touch';
  else if (mutation.type === 'touch') table.set(mutation.key, { ...entry, expiresAt: Math.max(entry.expiresAt, mutation.expiresAt) });
  else return entry.expiresAt <= now && entry.version === mutation.version && table.delete(mutation.key);
  return true;
}
