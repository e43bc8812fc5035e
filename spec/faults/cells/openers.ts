import { copyFile, link, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'vitest';

import type { Random } from '../../crash/random.ts';
import { storeName } from '../../crash/storage.ts';
import { filesIn, scratch } from '../../providers/json-file/store.ts';
import { Process } from '../../support/process.ts';
import { oneOf } from './damage.ts';
import type { Trial } from './matrix.ts';
import { Member } from './member.ts';
import { openingOf } from './opening.ts';
import { freshPlace, imports, providerOf, type Place } from './place.ts';
import type { Storages } from './storages.ts';

/** Opens where it is told, and writes once; closes when it is told again. Answers with a line. */
const program = `${imports()}
import { createInterface } from 'node:readline';
let store;
say('ready');
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const { place, key } = JSON.parse(line);
    if (place === undefined) await store.close();
    else store = await persistify(providerOf(place)).open('${storeName}');
    if (key !== undefined) await store.setAndSave(key, key);
    say('done');
  } catch (error) {
    say(error.code + ' ' + error.message);
  }
}
`;

class Opener {
  readonly #process = new Process(program);
  #answers = 0;

  ready(): Promise<string> {
    return this.#process.line(0);
  }

  async ask(request: { readonly place?: Place; readonly key?: string }): Promise<string> {
    this.#process.say(JSON.stringify(request));
    return this.#process.line(++this.#answers);
  }
}

async function threeOpeners(): Promise<readonly Opener[]> {
  const openers = [new Opener(), new Opener(), new Opener()];
  await Promise.all(openers.map((opener) => opener.ready()));
  return openers;
}

/** What an owner who died left beside his lock, at the moments at which one can die. */
const remains = {
  'his lock': () => Promise.resolve(),
  'a claim of one who died too': async (lock: string, { id, text }: LeftLock) => writeFile(claimOf(lock, id), text.replace(id, 'feedfeedfeedfeed')),
  'his own claim, as he gave it back': async (lock: string, { id }: LeftLock) => link(lock, claimOf(lock, id)),
  'a claim that means nothing': async (lock: string, { text }: LeftLock) => writeFile(claimOf(lock, '0123456789abcdef'), text),
  'a temporary file': async (lock: string, { text }: LeftLock) => writeFile(lock.replace(/lock$/, '0123456789abcdef.tmp'), text),
} as const;

interface LeftLock {
  readonly id: string;
  readonly text: string;
}

function claimOf(lock: string, id: string): string {
  return lock.replace(/lock$/, `${id}.lock`);
}

/** The lock of a process that was killed, which left a log too. */
async function leftLock(directory: string): Promise<LeftLock> {
  const owner = new Member('owner', { column: 'json-file', options: { directory } });
  await owner.progresses();
  await owner.process.kill();
  const text = await readFile(join(directory, `${storeName}.json.lock`), 'utf8');
  const { id } = JSON.parse(text) as { id: string };
  return { id, text };
}

/** Of three processes that open a dead owner's store at once, exactly one gets it; and nothing is left of how. */
export const oneOfThreeOpeners: Trial = async (cell) => {
  const directory = await scratch();
  const left = await leftLock(directory);
  const lock = join(directory, `${storeName}.json.lock`);
  const openers = await threeOpeners();
  const place = { column: 'json-file', options: { directory } } as const;
  let rounds = 0;
  for (; rounds < cell.times(30, 5_000); rounds++) {
    const what = oneOf(Object.keys(remains) as (keyof typeof remains)[], cell.random);
    if (rounds > 0) await writeFile(lock, left.text);
    await remains[what](lock, left);
    const answers = await Promise.all(openers.map((opener) => opener.ask({ place, key: `round ${rounds}` })));
    expect(answers.filter((answer) => answer === 'done'), `${what}: ${answers.join('; ')}`).toHaveLength(1);
    expect(answers.filter((answer) => answer.startsWith('STORE_LOCKED')), `${what}: ${answers.join('; ')}`).toHaveLength(2);
    await openers[answers.indexOf('done')]?.ask({});
    expect(await filesIn(directory), what).toEqual([`${storeName}.json`]);
  }
  const opening = await openingOf(providerOf(place));
  expect(opening.isRefused ? 0 : [...opening.entries.keys()].filter((key) => key.startsWith('round')).length).toBe(rounds);
  return { rounds, openers: rounds * openers.length };
};

/** Three processes open, and so make, one dictionary at the same moment: they get the same, and lose nothing. */
export function threeFirstOpeners(storages: Storages): Trial {
  return async (cell) => {
    const openers = await threeOpeners();
    let rounds = 0;
    for (; rounds < cell.times(15, 500); rounds++) {
      const fresh = freshPlace({ ...cell, directory: await scratch() }, storages);
      // Without a worker to start first, their openings fall closer together.
      const place: Place = fresh.column === 'sqlite' ? { column: 'sqlite', options: { ...fresh.options, worker: cell.random.chance(0.2) } } : fresh;
      const answers = await Promise.all(openers.map((opener, index) => opener.ask({ place, key: `opener ${index}` })));
      expect(answers).toEqual(['done', 'done', 'done']);
      await Promise.all(openers.map((opener) => opener.ask({})));
      const opening = await openingOf(providerOf(place));
      expect(opening.isRefused ? [] : [...opening.entries.keys()].sort()).toEqual(['opener 0', 'opener 1', 'opener 2']);
    }
    return { rounds, openers: rounds * openers.length };
  };
}

/** A lock whose pid is another process's by now is a dead owner's; one whose pid still is its owner's is not. */
export const pidUsedAgain: Trial = async (cell) => {
  const directory = await scratch();
  const { text } = await leftLock(directory);
  const lock = join(directory, `${storeName}.json.lock`);
  const place = { column: 'json-file', options: { directory } } as const;
  const elsewhere = await scratch();
  const living = new Member('living', { column: 'json-file', options: { directory: elsewhere } });
  await living.progresses();
  const livingLock = JSON.parse(await readFile(join(elsewhere, `${storeName}.json.lock`), 'utf8')) as { pid: number; startedAt: string };
  let rounds = 0;
  for (; rounds < cell.times(10, 500); rounds++) {
    const pid = oneOf([livingLock.pid, process.pid, process.ppid, 1], cell.random);
    await writeFile(lock, JSON.stringify({ ...(JSON.parse(text) as object), pid, startedAt: notThat(livingLock.startedAt, cell.random) }));
    expect((await openingOf(providerOf(place))).isRefused, `pid ${pid}`).toBe(false);
    await copyFile(join(elsewhere, `${storeName}.json.lock`), lock);
    expect((await openingOf(providerOf(place))).isRefused, 'the pid of its owner').toBe(true);
  }
  expect(await living.ends()).toBe('closed');
  return { rounds, 'kept out': rounds };
};

function notThat(startedAt: string, random: Random): string {
  return String(Number(startedAt) - random.whole(1, 100_000));
}
