import { execFileSync } from 'node:child_process';
import { readFile, rm, truncate, utimes, writeFile, stat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptDataError } from 'rx-persistify';
import { describe, expect, it } from 'vitest';

import { filesIn, memory, scratch, stateOf, Store, textOf, textsIn } from './store.ts';

/** The outcome of opening: what was found, or that it was refused. */
async function outcomeOf(directory: string): Promise<{ texts: Readonly<Record<string, string>>; reports: number } | 'refused'> {
  const store = await Store.open(directory).catch((error: unknown) => {
    expect(error).toBeInstanceOf(CorruptDataError);
    return undefined;
  });
  if (store === undefined) return 'refused';
  const texts = await store.texts();
  await store.close();
  return { texts, reports: store.reports.length };
}

/** Opens the state once for each variant of one of its files. */
async function forEachVariant(from: string, name: string, variants: Iterable<Buffer>, check: (outcome: Awaited<ReturnType<typeof outcomeOf>>, index: number) => void, keepTime = false): Promise<void> {
  const state = await stateOf(from, memory);
  const path = join(state, name);
  const original = new Map<string, Buffer>();
  for (const file of await filesIn(state)) original.set(file, await readFile(join(state, file)));
  const { mtime } = await stat(path);
  let index = 0;
  for (const variant of variants) {
    for (const file of await filesIn(state)) await rm(join(state, file));
    for (const [file, bytes] of original) await writeFile(join(state, file), file === name ? variant : bytes);
    if (keepTime) await utimes(path, mtime, mtime);
    check(await outcomeOf(state), index);
    index += 1;
  }
}

function* flips(bytes: Buffer, mask: (index: number) => number): Generator<Buffer> {
  for (let index = 0; index < bytes.length; index += 1) {
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8((bytes[index] ?? 0) ^ mask(index), index);
    yield flipped;
  }
}

async function threeBatches(): Promise<{ state: string; log: Buffer }> {
  const store = await Store.open(await scratch());
  await store.set('a', '1');
  await store.write({ type: 'set', key: 'b', json: '"two"' }, { type: 'delete', key: 'a' });
  await store.set('c', '{"x":[1,2]}');
  const state = await stateOf(store.directory);
  return { state, log: await readFile(join(state, 'prefs.json.1.log')) };
}

const after = [{}, { a: '1' }, { b: '"two"' }, { b: '"two"', c: '{"x":[1,2]}' }];

describe('a log that a crash cut off', () => {
  it('opens to the batches that are whole, at every byte, and tells of the rest', async () => {
    const { state, log } = await threeBatches();
    const lines = log.toString().split('\n');
    const ends = [lines.slice(0, 1), lines.slice(0, 3), lines.slice(0, 6), lines.slice(0, 8)].map(part => part.join('\n').length + 1);
    const cuts = Array.from({ length: log.length - (ends[0] ?? 0) + 1 }, (_, index) => log.subarray(0, (ends[0] ?? 0) + index));
    await forEachVariant(state, 'prefs.json.1.log', cuts, (outcome, index) => {
      const length = (ends[0] ?? 0) + index;
      const whole = ends.filter(end => end <= length).length - 1;
      expect(outcome).toEqual({ texts: after[whole], reports: ends.includes(length) ? 0 : 1 });
    });
  });

  it('is refused if not even its header is whole, as it got its name only with it', async () => {
    const { state, log } = await threeBatches();
    const header = log.indexOf('\n');
    const cuts = Array.from({ length: header + 1 }, (_, length) => log.subarray(0, length));
    await forEachVariant(state, 'prefs.json.1.log', cuts, outcome => expect(outcome).toBe('refused'));
  });

  it('may have its last batch in NULs, to the end or by whole sectors', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    const before = (await readFile(join(store.directory, 'prefs.json.1.log'))).length;
    await store.set('b', JSON.stringify('x'.repeat(4_000)));
    const state = await stateOf(store.directory);
    const log = await readFile(join(state, 'prefs.json.1.log'));
    const variants = [[before, log.length], [before + 30, log.length], [before, 1_024], [1_024, 1_536], [2_048, log.length]].map(([start, end]) => Buffer.from(log).fill(0, start, end));
    await forEachVariant(state, 'prefs.json.1.log', variants, outcome => expect(outcome).toEqual({ texts: { a: '1' }, reports: 1 }));
    const damaged = [[before + 30, 1_000], [1_025, 1_030], [1_024, 1_500]].map(([start, end]) => Buffer.from(log).fill(0, start, end));
    await forEachVariant(state, 'prefs.json.1.log', damaged, outcome => expect(outcome).toBe('refused'));
  });

  it('is damage, and no torn tail, where a whole batch stands behind it', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    const before = (await readFile(join(store.directory, 'prefs.json.1.log'))).length;
    await store.set('b', JSON.stringify('x'.repeat(2_000)));
    const between = (await readFile(join(store.directory, 'prefs.json.1.log'))).length;
    await store.set('c', '3');
    const state = await stateOf(store.directory);
    const log = await readFile(join(state, 'prefs.json.1.log'));
    const nulls = [[before, 1_024], [1_024, 1_536], [before, between]].map(([start, end]) => Buffer.from(log).fill(0, start, end));
    const cutOut = Buffer.concat([log.subarray(0, before + 200), log.subarray(between - 10)]);
    await forEachVariant(state, 'prefs.json.1.log', [...nulls, cutOut], outcome => expect(outcome).toBe('refused'));
  });

  it('is told by file and offset, goes on in a new log, and is ignored from then on', async () => {
    const { state, log } = await threeBatches();
    await truncate(join(state, 'prefs.json.1.log'), log.length - 1);
    const store = await Store.open(state);
    expect(store.reports).toEqual([expect.objectContaining({ code: 'CORRUPT_DATA', location: join(state, 'prefs.json.1.log') })]);
    await store.set('d', '4');
    const later = await stateOf(state);
    expect(await filesIn(later)).toEqual(['prefs.json.1.log', 'prefs.json.2.log']);
    expect(await outcomeOf(later)).toEqual({ texts: { b: '"two"', d: '4' }, reports: 0 });
  });
});

describe('a flipped bit', () => {
  it('in a log is refused, wherever it is', async () => {
    const { state, log } = await threeBatches();
    await forEachVariant(state, 'prefs.json.1.log', flips(log, index => 1 << (index % 8)), outcome => expect(outcome).toBe('refused'));
  });

  it('in a .json file that nobody edited is refused, or changes nothing', async () => {
    const store = await Store.open(await scratch());
    await store.write({ type: 'set', key: 'a', json: '12' }, { type: 'set', key: 'b', json: '"two"', expiresAt: 9e12 });
    await store.close();
    const bytes = await readFile(join(store.directory, 'prefs.json'));
    const harmless: number[] = [];
    const written = bytes.indexOf('"written"');
    await forEachVariant(store.directory, 'prefs.json', flips(bytes, index => 1 << (index % 8)), (outcome, index) => {
      if (outcome === 'refused') return;
      expect(outcome).toEqual({ texts: { a: '12', b: '"two"' }, reports: 0 });
      harmless.push(index);
    }, true);
    // Where the time that we gave the file is itself what rotted, it looks like an edit, and one that changes no entry.
    expect(harmless.filter(index => index < written)).toEqual([]);
  });

  it('in a .json file beneath logs never costs what the logs hold', async () => {
    const directory = await scratch();
    const first = await Store.open(directory);
    await first.set('a', '12');
    await first.close();
    const second = await Store.open(directory);
    await second.set('b', '2');
    const state = await stateOf(directory);
    const bytes = await readFile(join(state, 'prefs.json'));
    // With a new modification time it counts as an edit, which may say anything of `a`.
    await forEachVariant(state, 'prefs.json', flips(bytes, index => 1 << (index % 7)), outcome => {
      if (outcome !== 'refused') expect(outcome.texts).toHaveProperty('b', '2');
    });
  });
});

describe('files that do not belong together', () => {
  /** A `.json` file of generation 2 with log 2, and the log 3 of a later run on it. */
  async function twoLogs(): Promise<string> {
    const directory = await scratch();
    const first = await Store.open(directory);
    await first.set('a', '1');
    await first.close();
    const second = await Store.open(directory);
    await second.set('b', '2');
    const third = await Store.open(await stateOf(directory));
    await third.set('c', '3');
    return stateOf(third.directory);
  }

  it('are taken together where they do', async () => {
    const state = await twoLogs();
    expect(await filesIn(state)).toEqual(['prefs.json', 'prefs.json.2.log', 'prefs.json.3.log']);
    expect(await textsIn(state)).toEqual({ a: '1', b: '2', c: '3' });
  });

  it('are refused if the .json file is missing, and stay as they are', async () => {
    const state = await twoLogs();
    await rm(join(state, 'prefs.json'));
    await expect(Store.open(state)).rejects.toThrow(/prefs\.json is damaged at byte 0: it is missing/);
    expect(await filesIn(state)).toEqual(['prefs.json.2.log', 'prefs.json.3.log']);
  });

  it('are refused if a log is missing between', async () => {
    const state = await twoLogs();
    await rm(join(state, 'prefs.json.2.log'));
    await expect(Store.open(state)).rejects.toThrow(/prefs\.json\.2\.log is damaged at byte 0: it is missing/);
  });

  it('are refused if the .json file is older than its logs', async () => {
    const directory = await scratch();
    const first = await Store.open(directory);
    await first.set('a', '1');
    await first.close();
    const old = await readFile(join(directory, 'prefs.json'));
    const second = await Store.open(directory);
    await second.set('a', '2');
    await second.close();
    const third = await Store.open(directory);
    await third.set('a', '3');
    const state = await stateOf(directory);
    await writeFile(join(state, 'prefs.json'), old);
    await expect(Store.open(state)).rejects.toThrow(/older than they are/);
    expect(await textOf(state)).toBe(old.toString());
  });

  it('are refused if a plain object was put in the place of the .json file, or an empty file', async () => {
    for (const text of ['{"a":1}', '', '{}']) {
      const state = await twoLogs();
      await writeFile(join(state, 'prefs.json'), text);
      await expect(Store.open(state)).rejects.toThrow(/plain object without our header/);
    }
  });

  it('are refused if a log is there that no other names', async () => {
    const state = await twoLogs();
    await writeFile(join(state, 'prefs.json.5.log'), await readFile(join(state, 'prefs.json.2.log')));
    await expect(Store.open(state)).rejects.toThrow(/prefs\.json\.5\.log is damaged/);
  });

  it('are refused if the last log is of a later format', async () => {
    const { state } = await threeBatches();
    const log = await textOf(state, 'prefs.json.1.log');
    await writeFile(join(state, 'prefs.json.1.log'), log.replace('persistify/1', 'persistify/2'));
    await expect(Store.open(state)).rejects.toThrow(CorruptDataError);
  });
});

describe('what is no dictionary', () => {
  it.each([
    ['[1,2]', 'a dictionary is a JSON object'],
    ['"text"', 'a dictionary is a JSON object'],
    ['{"a":1', 'the file ends'],
    ['{"a":1,}', 'expected a member'],
    ['{"a" 1}', 'expected a colon'],
    ['{"a":01}', 'a JSON value'],
    ['{"a":[1,}]}', 'a JSON value'],
    ['{"a":"\u0001"}', 'a JSON value'],
    ['{"a":1} x', 'the end of the file'],
    ['{"a":1}{"b":2}', 'the end of the file'],
    ['{"a\\x":1}', 'a key'],
    ['{"":5}', 'a member with an empty name'],
    ['{"":{"format":"rx-persistify/2"}}', 'a newer version'],
    ['\0\0\0\0', 'a dictionary is a JSON object'],
    ['hello', 'a dictionary is a JSON object'],
  ])('is refused: %s', async (text, message) => {
    const directory = await scratch();
    await writeFile(join(directory, 'prefs.json'), text);
    const error: unknown = await Store.open(directory).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CorruptDataError);
    expect(error).toHaveProperty('message', expect.stringContaining(message));
    expect(error).toHaveProperty('location', join(directory, 'prefs.json'));
    expect(await textOf(directory)).toBe(text);
    expect(await filesIn(directory)).toEqual(['prefs.json']);
  });

  it('is refused with the offset where it goes wrong', async () => {
    const directory = await scratch();
    await writeFile(join(directory, 'prefs.json'), '{\n"a": 1,\n"b": 2\n"c": 3\n}');
    await expect(Store.open(directory)).rejects.toMatchObject({ code: 'CORRUPT_DATA', offset: 17 });
  });

  it('is refused if it is not UTF-8', async () => {
    const directory = await scratch();
    await writeFile(join(directory, 'prefs.json'), Buffer.from('{"a":"é"}', 'latin1'));
    await expect(Store.open(directory)).rejects.toThrow('in UTF-8');
  });

  it.runIf(process.platform !== 'win32')('is refused if it is a pipe, and not waited for', async () => {
    const directory = await scratch();
    execFileSync('mkfifo', [join(directory, 'prefs.json')]);
    await expect(Store.open(directory)).rejects.toThrow('it is no file');
  });

  it('is refused if it is a directory', async () => {
    const directory = await scratch();
    await mkdir(join(directory, 'prefs.json'));
    await expect(Store.open(directory)).rejects.toThrow('it is no file');
  });
});
