import type { Session } from '../bare/session.ts';
import { timedOnCore } from '../core-wait.ts';
import type { Contest, Row } from '../row.ts';
import { bareTitles, openBare, openOwn, providerIn, titles, type Distance, type OwnSession, type StorageName } from '../storages.ts';
import { chunks, mediumBytes, pairs, smallBytes, timed, type Pair } from '../work.ts';

const group = 'Saving many';

interface Ingest {
  readonly name: string;
  readonly storage: StorageName;
  readonly title: string;
  readonly entries: number;
  readonly batch: number;
  readonly bytes: number;
  /** Of the store at most this many times the time of the bare loop. */
  readonly atMost?: number;
  readonly rounds: Row['rounds'];
  readonly distance?: Distance;
  /** Whether sets go on while the batch before is saved. */
  readonly isOverlapping?: boolean;
}

async function oneByOne(session: Session, batches: readonly Pair[][]): Promise<void> {
  for (const batch of batches) await session.write(batch);
}

/** One batch is set while the one before is saved; there are never more under way, so that they keep their size. */
async function overlapping({ store }: OwnSession, batches: readonly Pair[][]): Promise<void> {
  let saved: Promise<unknown> = Promise.resolve();
  for (const batch of batches) {
    for (const [key, value] of batch) store.set(key, value);
    const next = store.flush();
    await saved;
    saved = next;
  }
  await saved;
}

function ingest({ name, storage, title, entries, batch, bytes, atMost, rounds, isOverlapping = false, distance = 'url' }: Ingest): Row {
  // What one thread does alone is not to look slower because neighbours took its core.
  const clock = storage === 'sqlite' ? timedOnCore : timed;
  const prepare: Row['prepare'] = (scene): Contest => {
    const usEach = async (session: Session, round: number, work: (batches: readonly Pair[][]) => Promise<void>): Promise<number> => {
      const batches = chunks(pairs(0, entries, bytes, round), batch);
      const ms = await clock(() => work(batches));
      await session.close();
      return (ms * 1e3) / entries;
    };
    return {
      async ours(round) {
        const session = await openOwn(providerIn(scene, storage, `own${round}`, distance), (builder) => builder.withBatch({ size: Math.max(batch, 1_000) }));
        return usEach(session, round, (batches) => (isOverlapping ? overlapping(session, batches) : oneByOne(session, batches)));
      },
      async limit(round) {
        const session = await openBare(scene, storage, `bare${round}`, distance);
        return usEach(session, round, (batches) => oneByOne(session, batches));
      },
    };
  };
  const line = { title, limit: bareTitles[storage], unit: 'µs', ...(atMost === undefined ? {} : { budget: { atMost } }) } as const;
  return { name, group, lines: [line], rounds, needsPostgres: storage === 'postgres', prepare };
}

const usual = { entries: 100_000, batch: 1_000, bytes: smallBytes, rounds: { quick: 3, full: 15 } };
const budgets = [
  ingest({ ...usual, name: 'ingest-sqlite', storage: 'sqlite', title: '100,000 entries to SQLite, main thread, batches of 1,000, FULL: an entry', atMost: 1.15 }),
  ingest({ ...usual, name: 'ingest-sqlite-worker', storage: 'sqlite-worker', isOverlapping: true, title: 'the same in a worker, with sets going on meanwhile', atMost: 0.8 }),
  ingest({ ...usual, name: 'ingest-json', storage: 'json-file', title: 'the same to a JSON file, small values', atMost: 1.8 }),
  ingest({ ...usual, name: 'ingest-json-medium', storage: 'json-file', bytes: mediumBytes, title: 'the same, medium values', atMost: 1.4, rounds: { quick: 3, full: 15 } }),
  ingest({ ...usual, name: 'ingest-postgres', storage: 'postgres', title: 'the same to PostgreSQL, small values', atMost: 1.2, rounds: { quick: 3, full: 15 } }),
];

const storages = ['json-file', 'sqlite', 'sqlite-worker', 'postgres'] as const;
const fullOnly = { quick: 0, full: 9 };

const batchSizes = storages.flatMap((storage) =>
  [1, 10, 100, 1_000, 10_000].map((batch) =>
    ingest({ name: `batch-${batch}-${storage}`, storage, title: `batches of ${batch.toLocaleString('en')} to ${titles[storage]}: an entry`, entries: Math.min(batch * 200, 20_000), batch, bytes: smallBytes, rounds: fullOnly }),
  ),
);

const valueSizes = storages.flatMap((storage) =>
  [20, 200, 2_000, 20_000, 100_000].map((bytes) => {
    const entries = Math.max(500, Math.min(10_000, 20_000_000 / bytes));
    return ingest({ name: `value-${bytes}-${storage}`, storage, title: `values of ${bytes.toLocaleString('en')} bytes to ${titles[storage]}, batches of 100: an entry`, entries, batch: 100, bytes, rounds: fullOnly });
  }),
);

const distant = (
  [
    ['after1ms', 'ingest-after-1ms', '1 ms'],
    ['after10ms', 'ingest-after-10ms', '10 ms'],
  ] as const
).map(([distance, name, away]) => ingest({ name, distance, storage: 'postgres', title: `20,000 entries to PostgreSQL ${away} away, batches of 1,000: an entry`, entries: 20_000, batch: 1_000, bytes: smallBytes, rounds: fullOnly }));

export const ingests: readonly Row[] = [...budgets, ...distant, ...batchSizes, ...valueSizes];
