import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { fillJsonFile, loadJsonLines } from '../bare/json-file.ts';
import type { Session } from '../bare/session.ts';
import { fillBareSqlite, fillOwnSqlite, loadBareSqlite, openBareSqlite } from '../bare/sqlite.ts';
import type { Contest, Row, Scene } from '../row.ts';
import { openOwn, providerIn } from '../storages.ts';
import { keyAt, randomPairs, smallBytes, timed, valueOf, type Pair } from '../work.ts';

const group = 'Beside 1,000,000 keys';
const many = 1_000_000;

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

const randomSqlite: Row = {
  name: 'random-sqlite',
  group,
  lines: [{ title: 'a batch of 100 random keys, SQLite, main thread', limit: 'the bare batch in an equally large table', unit: 'µs', budget: { atMost: 1.25 } }],
  rounds: { quick: 41, full: 101 },
  warmUps: 5,
  async prepare(scene): Promise<Contest> {
    await fillStorage(scene, 'sqlite', 'own', many);
    const bareFile = join(scene.directory, 'bare.sqlite');
    fillBareSqlite(bareFile, numbered(many));
    const [own, bare] = [await openOwn(providerIn(scene, 'sqlite', 'own')), openBareSqlite(bareFile)];
    scene.defer(() => own.close());
    scene.defer(() => bare.close());
    return { ours: (round) => usABatch(own, many, round), limit: (round) => usABatch(bare, many, round) };
  },
};

const randomJsonFile: Row = {
  name: 'random-json',
  group,
  lines: [{ title: 'a batch of 100 random keys, JSON file', limit: 'into 1,000 keys', unit: 'µs', budget: { atMost: 1.5 } }],
  rounds: { quick: 41, full: 101 },
  warmUps: 5,
  async prepare(scene): Promise<Contest> {
    await fillStorage(scene, 'json-file', 'many', many);
    await fillStorage(scene, 'json-file', 'few', 1_000);
    const [large, small] = [await openOwn(providerIn(scene, 'json-file', 'many')), await openOwn(providerIn(scene, 'json-file', 'few'))];
    scene.defer(() => large.close());
    scene.defer(() => small.close());
    return { ours: (round) => usABatch(large, many, round), limit: (round) => usABatch(small, 1_000, round) };
  },
};

function opening(storage: 'json-file' | 'sqlite', count: number, limit: string, rounds: Row['rounds']): Row {
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
  const line = { title: `opening ${count.toLocaleString('en')} keys, ${storage === 'sqlite' ? 'SQLite' : 'JSON file'}`, limit, unit: 'ms', budget: { atMost: 1.1 } } as const;
  return { name: `open-${storage}`, group, lines: [line], rounds, prepare };
}

export const largeStores: readonly Row[] = [
  randomSqlite,
  randomJsonFile,
  opening('sqlite', many, 'SELECT, JSON.parse, Map.set', { quick: 3, full: 9 }),
  opening('json-file', many, 'lines, JSON.parse, Map.set', { quick: 3, full: 9 }),
];
