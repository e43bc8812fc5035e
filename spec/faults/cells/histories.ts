import { join } from 'node:path';

import { jsonFile } from 'rx-persistify/json-file';
import { sqlite } from 'rx-persistify/sqlite';

import { stateOf } from '../../providers/json-file/store.ts';
import { Picture } from './damage.ts';
import type { Cell } from './matrix.ts';
import { Subject } from './subject.ts';

/** The files of a store with a past, and who can say what they hold. */
export interface History {
  readonly picture: Picture;
  /** The one that used the store last: what it was before is in the files beneath the last one. */
  readonly subject: Subject;
  /** The `seq` of each batch that the last one saved. */
  readonly saves: readonly number[];
  /** Everything that was acknowledged: stamps by key. */
  readonly entries: ReadonlyMap<string, string>;
}

export const databaseName = 'faults.sqlite';

/** A closed json-file store: its `.json` file alone. */
export async function closedJsonHistory(cell: Cell, life: number): Promise<History> {
  const provider = jsonFile({ directory: join(cell.directory, 'closed') });
  const subject = await Subject.open({ provider, random: cell.random });
  await subject.live(life);
  await subject.close();
  const { entries } = await subject.expectKept(provider, { isWhole: true });
  return { picture: await Picture.of(join(cell.directory, 'closed')), subject, saves: subject.saves, entries };
}

/** What processes that were killed one after the other left: a `.json` file and two logs on it. */
export async function killedJsonHistory(cell: Cell, life: number): Promise<History> {
  const directory = join(cell.directory, 'killed');
  const first = await Subject.open({ provider: jsonFile({ directory, logBytes: 1 << 20 }), random: cell.random });
  await first.live(life);
  await first.close();
  const second = await Subject.open({ provider: jsonFile({ directory, logBytes: 1 << 20 }), random: cell.random, before: first.entries });
  await second.live(life);
  await second.flush();
  const left = await stateOf(directory);
  const subject = await Subject.open({ provider: jsonFile({ directory: left }), random: cell.random, before: second.entries });
  await subject.live(life);
  await subject.flush();
  const picture = await Picture.of(await stateOf(left));
  await Promise.all([second.close(), subject.close()]);
  return { picture, subject, saves: subject.saves, entries: subject.entries };
}

/** An SQLite store that was closed, used again and not closed: what is in its `-wal` file is not in its main file. */
export async function sqliteHistory(cell: Cell, life: number, { isClosed = false }: { readonly isClosed?: boolean } = {}): Promise<History> {
  const provider = sqlite({ file: join(cell.directory, databaseName) });
  const first = await Subject.open({ provider, random: cell.random });
  await first.live(life);
  await first.close();
  const subject = await Subject.open({ provider, random: cell.random, before: first.entries });
  await subject.live(life);
  await subject.flush();
  if (isClosed) await subject.close();
  const picture = await Picture.of(cell.directory, (name) => name === databaseName || name === `${databaseName}-wal`);
  await subject.close();
  return { picture, subject, saves: subject.saves, entries: subject.entries };
}
