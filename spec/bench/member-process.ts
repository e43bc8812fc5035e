// Another process that has a dictionary open: it writes when it is asked to, or tells how late it hears.
import { join } from 'node:path';
import process from 'node:process';

import { persistify } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { filter, firstValueFrom, map, take, toArray } from 'rxjs';

import type { Scene } from './row.ts';
import { openOwn, providerIn, type StorageName, type Values } from './storages.ts';
import { chunks, pairs, smallBytes } from './work.ts';

/** What it is to be. After that, each number is a round to write, or how many changes to hear. */
export interface Task {
  readonly role: 'write' | 'read';
  readonly storage: StorageName;
  readonly place: string;
  readonly scene: Omit<Scene, 'defer'>;
}

export interface Told {
  readonly figures: readonly number[];
}

const writes = 3_000;
const tell = (figures: readonly number[]): void => void process.send?.({ figures } satisfies Told);

process.once('message', (message) => void begin(message as Task)); // likewise

async function begin({ role, storage, place, scene: sent }: Task): Promise<void> {
  const scene = { ...sent, defer: (): void => undefined };
  if (role === 'write') {
    const session = await openOwn(providerIn(scene, storage, place));
    process.on('message', (round) => {
      const batches = chunks(pairs(0, writes, smallBytes, Number(round)), 100);
      void batches.reduce<Promise<void>>(async (before, batch) => (await before, session.write(batch)), Promise.resolve()).then(() => tell([]));
    });
    process.once('disconnect', () => void session.close());
  } else {
    const provider = storage === 'json-file' ? jsonFile({ directory: join(scene.directory, place), readOnly: true }) : providerIn(scene, storage, place);
    const store = await persistify(provider).open<Values>('bench');
    process.on('message', (count) => {
      const delays = store.changes$.pipe(
        filter((change) => change.type === 'set'),
        map(({ value }) => (Number(process.hrtime.bigint()) - value.stamp) / 1e6),
        take(Number(count)),
        toArray(),
      );
      void firstValueFrom(delays).then(tell);
    });
    process.once('disconnect', () => void store.close());
  }
  tell([]);
}
