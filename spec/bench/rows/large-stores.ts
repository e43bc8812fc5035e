import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { fillJsonFile, loadJsonLines } from '../bare/json-file.ts';
import type { Session } from '../bare/session.ts';
import { fillBareSqlite, fillOwnSqlite, loadBareSqlite, openBareSqlite } from '../bare/sqlite.ts';
import type { Contest, Row, Scene } from '../row.ts';
import { openOwn, providerIn } from '../storages.ts';
import { keyAt, randomPairs, smallBytes, timed, valueOf, type Pair } from '../work.ts';

const group = 'Beside many keys';

interface Size {
  readonly keys: number;
  /** Rounds of batches, and of openings. */
  readonly batches: Row['rounds'];
  readonly openings: Row['rounds'];
}

/** What the budgets are of; and what a quick run has the time for, most of which goes into filling storage. */
const sizes: readonly Size[] = [
  { keys: 1_000_000, batches: { quick: 0, full: 101 }, openings: { quick: 0, full: 9 } },
  { keys: 200_000, batches: { quick: 21, full: 0 }, openings: { quick: 3, full: 0 } },
];

const named = (name: string, keys: number): string => (keys === 1_000_000 ? name : `${name}-${keys}`);

/** One by one, so that they are not all in memory at once. */
function* numbered(count: number): Generator<Pair> {
  for (let index = 0; index < count; index++) yield [keyAt(index), valueOf(smallBytes, index, 0)];
}

/** Makes storage of so many keys, of which the library knows: opened and closed once. */
export async function fillStorage(scene: Scene, storage: 'json-file' | 'sqlite', place: string, count: number): Promise<string> {
  const provider = providerIn(scene, storage, place);
  if (storage === 'sqlite') {
    const file = join(scene.directory, `${place}.sqlite`);
    await (await openOwn(provider)).close();
    fillOwnSqlite(file, 'bench', numbered(count));
    return file;
  }
  const path = join(scene.directory, place, 'bench.json');
  mkdirSync(join(scene.directory, place), { recursive: true });
  fillJsonFile(path, numbered(count));
  const session = await openOwn(provider);
  await session.write([[keyAt(0), valueOf(smallBytes, 0, 1)]]); // from now on it is written as the library writes it
  await session.close();
  return path;
}

/** Microseconds of one commit of 100 keys chosen at random. */
async function usABatch(session: Session, among: number, round: number): Promise<number> {
  const some = randomPairs(100, among, smallBytes, round + 1);
  return (await timed(() => session.write(some))) * 1e3;
}

const randomSqlite = ({ keys: many, batches: rounds }: Size): Row => ({
  name: named('random-sqlite', many),
  group,
  lines: [{ title: `a batch of 100 random keys into ${many.toLocaleString('en')}, SQLite, main thread`, limit: 'the bare batch in an equally large table', unit: 'µs', budget: { atMost: 1.25 } }],
  rounds,
  warmUps: 15,
  async prepare(scene): Promise<Contest> {
    await fillStorage(scene, 'sqlite', 'own', many);
    const bareFile = join(scene.directory, 'bare.sqlite');
    fillBareSqlite(bareFile, numbered(many));
    const [own, bare] = [await openOwn(providerIn(scene, 'sqlite', 'own')), openBareSqlite(bareFile)];
    scene.defer(() => own.close());
    scene.defer(() => bare.close());
    return { ours: (round) => usABatch(own, many, round), limit: (round) => usABatch(bare, many, round) };
  },
});

const randomJsonFile = ({ keys: many, batches: rounds }: Size): Row => ({
  name: named('random-json', many),
  group,
  lines: [{ title: `a batch of 100 random keys into ${many.toLocaleString('en')}, JSON file`, limit: 'into 1,000 keys', unit: 'µs', budget: { atMost: 1.5 } }],
  rounds,
  warmUps: 15,
  async prepare(scene): Promise<Contest> {
    await fillStorage(scene, 'json-file', 'many', many);
    await fillStorage(scene, 'json-file', 'few', 1_000);
    const [large, small] = [await openOwn(providerIn(scene, 'json-file', 'many')), await openOwn(providerIn(scene, 'json-file', 'few'))];
    scene.defer(() => large.close());
    scene.defer(() => small.close());
    return { ours: (round) => usABatch(large, many, round), limit: (round) => usABatch(small, 1_000, round) };
  },
});

function opening(storage: 'json-file' | 'sqlite', { keys: count, openings: rounds }: Size): Row {
  const prepare: Row['prepare'] = async (scene): Promise<Contest> => {
    const path = await fillStorage(scene, storage, 'own', count);
    const bareFile = join(scene.directory, storage === 'sqlite' ? 'bare.sqlite' : 'bare.json');
    copyFileSync(path, bareFile);
    const check = (size: number): void => {
      if (size < count) throw new Error(`Of ${count} keys ${size} were read.`);
    };
    return {
      async ours() {
        let session: Awaited<ReturnType<typeof openOwn>> | undefined;
        const ms = await timed(async () => (session = await openOwn(providerIn(scene, storage, 'own'))));
        check(session?.store.size ?? 0);
        await session?.close();
        return ms;
      },
      limit: () => timed(() => check((storage === 'sqlite' ? loadBareSqlite(bareFile, 'bench') : loadJsonLines(bareFile)).size)),
    };
  };
  const [title, limit] = storage === 'sqlite' ? (['SQLite', 'SELECT, JSON.parse, Map.set'] as const) : (['JSON file', 'lines, JSON.parse, Map.set'] as const);
  const line = { title: `opening ${count.toLocaleString('en')} keys, ${title}`, limit, unit: 'ms', budget: { atMost: 1.1 } } as const;
  return { name: named(`open-${storage}`, count), group, lines: [line], rounds, prepare };
}

export const largeStores: readonly Row[] = sizes.flatMap((size) => [randomSqlite(size), randomJsonFile(size), opening('sqlite', size), opening('json-file', size)]);
