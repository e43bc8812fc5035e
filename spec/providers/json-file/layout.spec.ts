import { mkdir, stat, symlink, writeFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { filesIn, foldedIn, scratch, stateOf, Store, textOf, textsIn } from './store.ts';

describe('the .json file', () => {
  it('is a JSON object with one entry a line and the header last', async () => {
    const store = await Store.open(await scratch(), { writer: 'writer' });
    await store.write({ type: 'set', key: 'theme', json: '"dark"' }, { type: 'set', key: 'fontSize', json: '14' });
    await store.close();
    const text = await textOf(store.directory);
    expect(text.split('\n').slice(0, 3)).toEqual(['{', '"theme":"dark",', '"fontSize":14,']);
    expect(text.split('\n').slice(4)).toEqual(['}', '']);
    expect(JSON.parse(text)).toEqual({
      theme: 'dark',
      fontSize: 14,
      '': {
        format: 'rx-persistify/1',
        name: 'prefs',
        generation: 2,
        seq: 1,
        written: expect.any(Number) as number,
        settled: { writer: 'writer', number: 1, result: { version: 1, leftOut: [] } },
        crc: expect.stringMatching(/^[0-9a-f]{8}$/) as string,
      },
    });
  });

  it('is all that is left after close', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    expect(await filesIn(store.directory)).toEqual(['prefs.json.1.log', 'prefs.json.lock']);
    await store.close();
    expect(await filesIn(store.directory)).toEqual(['prefs.json']);
  });

  it('is made by opening and closing, and left as it is by doing so again', async () => {
    const directory = await scratch();
    await (await Store.open(directory)).close();
    const text = await textOf(directory);
    expect(JSON.parse(text)).toEqual({ '': expect.objectContaining({ seq: 0 }) as object });
    await (await Store.open(directory)).close();
    expect(await textOf(directory)).toBe(text);
  });

  it('keeps the place of a key that is set again, and puts one that was deleted in between last, as a Map does', async () => {
    const directory = await scratch();
    const first = await Store.open(directory);
    for (const key of ['a', 'b', 'c']) await first.set(key, '1');
    await first.close();
    const second = await Store.open(directory);
    await second.set('b', '2');
    await second.write({ type: 'delete', key: 'a' });
    await second.set('a', '3');
    await second.set('d', '4');
    const loaded = (await second.entries()).map(({ key }) => key);
    expect(loaded).toEqual(['b', 'c', 'a', 'd']);
    await second.close();
    expect(Object.keys(await textsIn(directory))).toEqual(loaded);
  });

  it('has the deadlines in its header', async () => {
    const directory = await scratch();
    const store = await Store.open(directory);
    await store.write({ type: 'set', key: 'é"', json: '1', expiresAt: 1_767_225_600_000 }, { type: 'set', key: 'b', json: '2' });
    await store.close();
    expect(JSON.parse(await textOf(directory))).toHaveProperty('b', 2);
    expect(await textOf(directory)).toContain('"deadlines":{"é\\"":1767225600000}');
    const again = await Store.open(directory);
    expect((await again.entries()).map(({ expiresAt }) => expiresAt)).toEqual([1_767_225_600_000, undefined]);
  });

  it('can be laid out for people, keeping the text of values', async () => {
    const directory = await scratch();
    const json = '{"n":12345678901234567890,"n":[1,{}],"s":"a, {\\"b\\": 1}","e":[]}';
    const store = await Store.open(directory, { indent: 2 });
    await store.set('a', json);
    await store.close();
    expect((await textOf(directory)).split('\n').slice(0, 12)).toEqual([
      '{', '  "a": {', '    "n": 12345678901234567890,', '    "n": [', '      1,', '      {}', '    ],',
      '    "s": "a, {\\"b\\": 1}",', '    "e": []', '  },', expect.stringContaining('"":{'), '}',
    ]);
    expect(await textsIn(directory, { indent: 2 })).toEqual({ a: json });
    expect(await textsIn(directory)).toEqual({ a: json });
  });

  it('is up to date a second after the last commit', async () => {
    const store = await Store.open(await scratch());
    await store.set('a', '1');
    await store.set('a', '2');
    await foldedIn(store.directory);
    expect(JSON.parse(await textOf(store.directory))).toHaveProperty('a', 2);
  });
});

describe('a log', () => {
  it('has a line a mutation', async () => {
    const store = await Store.open(await scratch(), { writer: 'writer' });
    await store.write({ type: 'clear' }, { type: 'set', key: 'a', json: '{"b":1}' }, { type: 'set', key: 'c', json: '2', expiresAt: 1_767_225_600_000 });
    await store.write({ type: 'delete', key: 'a' }, { type: 'touch', key: 'c', expiresAt: 1_767_225_700_000 });
    const lines = (await textOf(store.directory, 'prefs.json.1.log')).split('\n');
    const { id } = JSON.parse(await textOf(store.directory, 'prefs.json.lock')) as { id: string };
    expect(lines.map(line => line.replace(/^[0-9a-f]{8} (\{.*\})$/, '<$1>').replace(/"crc":"[0-9a-f]{8}"/, '"crc":"…"').replace(id, '…'))).toEqual([
      '<{"format":"rx-persistify/1","name":"prefs","generation":1,"seq":0,"base":null,"logs":[],"owner":"…"}>',
      '<{"seq":1,"writer":"writer","number":1,"bytes":35,"crc":"…"}>',
      '*',
      '="a":{"b":1}',
      '=1767225600000"c":2',
      '<{"seq":2,"writer":"writer","number":2,"bytes":23,"crc":"…"}>',
      '-"a"',
      '~1767225700000"c"',
      '',
    ]);
  });

  it('of another run is not written any more', async () => {
    const first = await Store.open(await scratch());
    await first.set('a', '1');
    const second = await Store.open(await stateOf(first.directory));
    await second.set('b', '2');
    expect(await filesIn(second.directory)).toEqual(['prefs.json.1.log', 'prefs.json.2.log', 'prefs.json.lock']);
    expect(await textsIn(await stateOf(second.directory))).toEqual({ a: '1', b: '2' });
  });
});

describe('files', () => {
  it('are for their owner only', async () => {
    const directory = join(await scratch(), 'made', 'for it');
    const store = await Store.open(directory);
    await store.set('a', '1');
    const modeOf = async (name: string) => (await stat(join(directory, name))).mode & 0o777;
    expect(await modeOf('.')).toBe(0o700);
    expect(await modeOf('..')).toBe(0o700);
    for (const name of await filesIn(directory)) expect(await modeOf(name)).toBe(0o600);
    await store.close();
    expect(await modeOf('prefs.json')).toBe(0o600);
  });

  it('have the mode that is asked for, and a .json file that was there keeps its own', async () => {
    const directory = await scratch();
    const path = join(directory, 'prefs.json');
    await writeFile(path, '{"a":1}', { mode: 0o644 });
    const store = await Store.open(directory);
    await store.set('b', '2');
    await store.close();
    expect((await stat(path)).mode & 0o777).toBe(0o644);
    const shared = await Store.open(directory, { fileMode: 0o666 });
    await shared.set('b', '3');
    await shared.close();
    expect((await stat(path)).mode & 0o777).toBe(0o666);
  });

  it('stand beside the file that a link leads to, and leave the link', async () => {
    const directory = await scratch();
    await mkdir(join(directory, 'dotfiles'));
    await writeFile(join(directory, 'dotfiles', 'mine.json'), '{"a":1}');
    await symlink(join('dotfiles', 'mine.json'), join(directory, 'prefs.json'));
    const store = await Store.open(directory);
    await store.set('b', '2');
    await store.close();
    expect(await readlink(join(directory, 'prefs.json'))).toBe(join('dotfiles', 'mine.json'));
    expect(await textsIn(directory)).toEqual({ a: '1', b: '2' });
  });
});
