import { concatMap, EMPTY, from, map } from 'rxjs';
import { memory, persistify, type Batch, type Cache, type CacheOptions, type Mutation, type PersistifyBuilder, type Provider, type ProviderSession } from 'rx-persistify';

/** What a test decides of a call: an error to throw, or what to wait for; nothing: it goes on. */
export type Ruling = Error | Promise<unknown> | undefined;

/** Storage that a test looks into, delays and disturbs, with one dictionary beside which another process writes. */
export interface CacheStorage extends Provider {
  /** The keys of each call of `read`. */
  readonly reads: (readonly string[])[];
  /** Every batch that was attempted. */
  readonly batches: Batch[];
  /** What was called of a session after its `close`. */
  readonly late: string[];
  loads: number;
  closes: number;
  /** Decides of each call from now on; of `read`, what is waited for is waited for when the answer is there. */
  onRead: (keys: readonly string[]) => Ruling;
  onLoad: () => Ruling;
  onWrite: (batch: Batch) => Ruling;
  /** What word of a commit waits for. */
  onFeed: () => Promise<unknown> | undefined;
  /** What of a batch storage refuses. */
  refuses: (mutation: Mutation) => boolean;
  /** Writes as another process does. */
  put(...mutations: readonly Mutation[]): Promise<void>;
  /** What is stored, as it is stored. */
  stored(): Promise<Record<string, string>>;
  /** When what is stored under `key` ends. */
  deadline(key: string): Promise<number | undefined>;
}

const NAME = 'cache';

export function cacheStorage(change: Partial<ProviderSession> = {}): CacheStorage {
  const inner = memory();
  const signal = new AbortController().signal;
  let other: Promise<ProviderSession> | undefined;
  let number = 0;
  const otherSession = (): Promise<ProviderSession> => (other ??= inner.open(NAME, { writer: 'other', report: () => undefined }));
  const storage: CacheStorage = {
    name: 'test',
    reads: [],
    batches: [],
    late: [],
    loads: 0,
    closes: 0,
    onRead: () => undefined,
    onLoad: () => undefined,
    onWrite: () => undefined,
    onFeed: () => undefined,
    refuses: () => false,
    async put(...mutations) {
      const session = await otherSession();
      await session.write({ number: ++number, writer: 'other', mutations }, { signal });
    },
    async stored() {
      const rows: Record<string, string> = {};
      for await (const { entries } of (await otherSession()).load()) for (const { key, json } of entries) rows[key] = json;
      return rows;
    },
    async deadline(key) {
      return (await (await otherSession()).read?.([key]))?.[0]?.expiresAt;
    },
    async open(storeName, context) {
      const session = await inner.open(storeName, context);
      let isClosed = false;
      const called = (name: string): void => {
        if (isClosed) storage.late.push(name);
      };
      return {
        capabilities: session.capabilities,
        async *load() {
          called('load');
          storage.loads++;
          await obey(storage.onLoad());
          yield* session.load();
        },
        async read(keys) {
          called('read');
          storage.reads.push([...keys]);
          const ruling = storage.onRead(keys);
          if (ruling instanceof Error) throw ruling;
          const entries = (await session.read?.(keys)) ?? [];
          await ruling;
          return entries;
        },
        async write(batch, writeContext) {
          called('write');
          storage.batches.push(batch);
          await obey(storage.onWrite(batch));
          const places = batch.mutations.map((mutation, index) => ({ mutation, index }));
          const kept = places.filter(({ mutation }) => !storage.refuses(mutation));
          const refused = places.filter(({ mutation }) => storage.refuses(mutation)).map(({ index }) => ({ index, reason: 'refused' as const, message: 'the test refuses it' }));
          const { version, leftOut } = await session.write({ ...batch, mutations: kept.map(({ mutation }) => mutation) }, writeContext);
          return { version, leftOut: [...refused, ...leftOut.map((left) => ({ ...left, index: kept[left.index]?.index ?? -1 }))] };
        },
        watch: (since) => (session.watch?.(since) ?? EMPTY).pipe(concatMap((feed) => from(storage.onFeed() ?? [feed]).pipe(map(() => feed)))),
        async close() {
          isClosed = true;
          storage.closes++;
          await session.close();
        },
        ...change,
      };
    },
  };
  return storage;
}

/** A cache over such storage, in which `rows` are. */
export async function openCache<T = Record<string, unknown>>(
  { rows = {}, ...cache }: CacheOptions & { readonly rows?: Readonly<Record<string, unknown>> } = {},
  configure: (stores: PersistifyBuilder) => PersistifyBuilder = (stores) => stores,
): Promise<{ readonly storage: CacheStorage; readonly cache: Cache<T>; readonly stores: PersistifyBuilder }> {
  const storage = cacheStorage();
  await storage.put(...Object.entries(rows).map(([key, value]) => row(key, value)));
  const stores = configure(persistify(storage));
  return { storage, stores, cache: await stores.openCache<T>(NAME, cache) };
}

/** A mutation that sets `key`. */
export function row(key: string, value: unknown, expiresAt?: number): Mutation {
  const json = JSON.stringify(value);
  return expiresAt === undefined ? { type: 'set', key, json } : { type: 'set', key, json, expiresAt };
}

/** A row that is no JSON. */
export function badRow(key: string): Mutation {
  return { type: 'set', key, json: '{broken' };
}

/** Which of `keys` memory has. */
export function inMemory(cache: { peek(key: string): unknown }, keys: Iterable<string>): string[] {
  return [...keys].filter((key) => cache.peek(key) !== undefined);
}

async function obey(ruling: Ruling): Promise<void> {
  if (ruling instanceof Error) throw ruling;
  await ruling;
}
