import { execFileSync } from 'node:child_process';
import { lstat, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { PersistifyError } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { expect } from 'vitest';

import type { Random } from '../../crash/random.ts';
import { newStamp, stampedValue } from '../../crash/stamped-value.ts';
import { scratch } from '../../providers/json-file/store.ts';
import { oneOf } from './damage.ts';
import { closedJsonHistory, killedJsonHistory } from './histories.ts';
import { JsonVariants } from './json-variants.ts';
import type { Trial } from './matrix.ts';
import { openingOf, wordsOf, type Opening } from './opening.ts';

const name = 'survivor.json';

/** What a person, or an editor, made of a `.json` file, and what opening is to say and to find. */
interface Edit {
  readonly bytes: Buffer;
  /** Undefined: it is refused. */
  readonly entries?: ReadonlyMap<string, string>;
  readonly told: string | RegExp;
}

type Editor = (bytes: Buffer, entries: ReadonlyMap<string, string>, random: Random) => Edit;

const silence = /^$/;
let writes = 0;

function insert(bytes: Buffer, at: number, inserted: Buffer | string): Buffer {
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(inserted), bytes.subarray(at)]);
}

function newValue(random: Random): { readonly stamp: string; readonly text: string } {
  const stamp = newStamp(900_000, ++writes, random.whole(1, 50));
  return { stamp, text: JSON.stringify(stampedValue(stamp)) };
}

/** Layout alone, which changes nothing. */
const layouts: Readonly<Record<string, Editor>> = {
  'a byte-order mark': (bytes, entries) => ({ bytes: insert(bytes, 0, '\u{feff}'), entries, told: silence }),
  CRLF: (bytes, entries) => ({ bytes: Buffer.from(bytes.toString().replaceAll('\n', '\r\n')), entries, told: silence }),
  'another layout': (bytes, entries) => ({ bytes: Buffer.from(JSON.stringify(JSON.parse(bytes.toString()), null, 4)), entries, told: silence }),
};

/** What is no JSON object any more. */
const breakages: Readonly<Record<string, Editor>> = {
  NULs: (bytes, _entries, random) => ({ bytes: insert(bytes, random.whole(0, bytes.length), Buffer.alloc(random.whole(1, 600))), told: 'is damaged at byte' }),
  'half a multi-byte character': (bytes, _entries, random) => ({ bytes: insert(bytes, bytes.indexOf('"text":"', random.whole(0, bytes.length >> 1)) + 8, Buffer.from([oneOf([0xc3, 0xe2, 0xf0, 0x80], random)])), told: 'in UTF-8' }),
  'half of the file': (bytes, _entries, random) => ({ bytes: bytes.subarray(0, random.whole(1, bytes.length - 3)), told: 'is damaged at byte' }),
};

const edits: Readonly<Record<string, Editor>> = {
  ...layouts,
  ...breakages,
  'a key twice': (bytes, entries, random) => {
    const [key, { stamp, text }] = [oneOf([...entries.keys()], random), newValue(random)];
    const isLast = random.chance(0.5);
    const at = isLast ? bytes.lastIndexOf('"":{') : 2;
    return { bytes: insert(bytes, at, `${JSON.stringify(key)}:${text},\n`), entries: isLast ? new Map([...entries, [key, stamp]]) : entries, told: `has the key ${JSON.stringify(key)} more than once` };
  },
  'another value': (bytes, entries, random) => {
    const [key, { stamp, text }] = [oneOf([...entries.keys()], random), newValue(random)];
    const start = bytes.indexOf(`\n"${key}":`) + 1;
    return { bytes: Buffer.concat([bytes.subarray(0, start), Buffer.from(`"${key}" : ${text},`), bytes.subarray(bytes.indexOf('\n', start))]), entries: new Map([...entries, [key, stamp]]), told: silence };
  },
  'a key less': (bytes, entries, random) => {
    const key = oneOf([...entries.keys()], random);
    const start = bytes.indexOf(`\n"${key}":`);
    return { bytes: Buffer.concat([bytes.subarray(0, start), bytes.subarray(bytes.indexOf('\n', start + 1))]), entries: new Map([...entries].filter(([other]) => other !== key)), told: silence };
  },
  'no header': (bytes, entries) => ({ bytes: Buffer.from(`${bytes.toString('utf8', 0, bytes.lastIndexOf('"":{')).replace(/,\s*$/, '')}}`), entries, told: silence }),
  'nothing in it': (_bytes, _entries, random) => ({ bytes: Buffer.from(oneOf(['', ' ', '\n', '\u{feff}'], random)), entries: new Map(), told: 'has no content at all' }),
  'no entry': () => ({ bytes: Buffer.from('{}'), entries: new Map(), told: silence }),
};

/** Edits of a store's file by hand, at random: what they say counts, and what is broken is refused. */
export const edited: Trial = async (cell) => {
  const tally = { edits: 0, taken: 0, refused: 0 };
  const histories = [
    { history: await closedJsonHistory(cell, 60), editors: edits, toldOf: wordsOf },
    // Of a file on which logs stand, nobody knows which values that they replace its editor meant.
    { history: await killedJsonHistory(cell, 30), editors: { ...layouts, ...breakages }, toldOf: wordsBesideDoubts },
  ];
  for (const { history, editors, toldOf } of histories) {
    const variants = await JsonVariants.of(history);
    for (let round = 0; round < cell.times(80, 5_000); round++) {
      const [what, edit] = oneOf(Object.entries(editors), cell.random);
      const { bytes, entries, told } = edit(history.picture.bytesOf(name), history.entries, cell.random);
      const opening = await variants.open(name, bytes, { isEdit: true });
      tally.edits++;
      if (typeof told === 'string') expect(toldOf(opening), what).toContain(told);
      else expect(toldOf(opening), what).toMatch(told);
      expect(opening.isRefused, `${what}: ${wordsOf(opening)}`).toBe(entries === undefined);
      tally[opening.isRefused ? 'refused' : 'taken']++;
      if (!opening.isRefused) expect(opening.entries, what).toEqual(entries);
    }
  }
  return tally;
};

function wordsBesideDoubts(opening: Opening): string {
  const words = wordsOf(opening).split('\n');
  return words.filter((line) => !line.includes('it cannot be known whether they were edited too')).join('\n');
}

/** Texts of others, none of them a dictionary. */
const foreign = ['[1, 2]', '"text"', 'null', '// a comment\n{"a": 1}', '{"a": 1,}', "{'a': 1}", '{"a": 1}\n{"b": 2}\n', '{"": 5}', '{"": {"format": "of another program"}}', '<html></html>', '\u{1f}\u{8b}\u{8}'];

/** Something else where the `.json` file should be. */
export const replaced: Trial = async (cell) => {
  const tally = { tried: 0, refused: 0, taken: 0 };
  const expectRefused = async (directory: string): Promise<void> => {
    const opening = await openingOf(jsonFile({ directory }));
    expect(opening.isRefused).toBe(true);
    if (opening.isRefused) expect(opening.error).toBeInstanceOf(PersistifyError);
    tally.tried++;
    tally.refused++;
  };
  for (const text of foreign) {
    const directory = await scratch();
    await writeFile(join(directory, name), text);
    await expectRefused(directory);
    expect(await readFile(join(directory, name), 'utf8')).toBe(text);
  }
  for (const make of [
    (path: string) => mkdir(path),
    (path: string) => symlink('nowhere', path),
    (path: string) => symlink(name, path),
    (path: string) => symlink('.', path),
    (path: string) => Promise.resolve(execFileSync('mkfifo', [path])),
  ]) {
    const directory = await scratch();
    await make(join(directory, name));
    await expectRefused(directory);
  }
  const { picture, entries } = await closedJsonHistory(cell, 60);
  const directory = await scratch();
  await picture.layOut(directory, new Map());
  await mkdir(join(directory, 'elsewhere'));
  await rename(join(directory, name), join(directory, 'elsewhere', 'mine.json'));
  await symlink(join('elsewhere', 'mine.json'), join(directory, name));
  expect(await openingOf(jsonFile({ directory }))).toMatchObject({ isRefused: false, entries });
  expect((await lstat(join(directory, name))).isSymbolicLink()).toBe(true);
  await writeFile(join(directory, name), '{"theirs": {"version": 1}}');
  expect(await openingOf(jsonFile({ directory }))).toMatchObject({ isRefused: false, entries: new Map([['theirs', expect.stringContaining('{"version":1}') as string]]) });
  return { ...tally, tried: tally.tried + 2, taken: 2 };
};
