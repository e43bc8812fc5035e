import { describe, expect, it } from 'vitest';

import { stemOf, StoreFiles } from '../../../lib/providers/json-file/file-names.ts';
import { filesIn, scratch, Store, textOf, textsIn } from './store.ts';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

describe('the file name of a store', () => {
  it.each([
    ['prefs', 'prefs'], ['user-preferences_2', 'user-preferences_2'], ['Ünïcödé 日本', 'Ünïcödé 日本'], ['a.b', 'a.b'], ['v1 (copy)', 'v1 (copy)'],
    ['a/b', 'a%2Fb'], ['..', '%2E%2E'], ['../x', '%2E.%2Fx'], ['.hidden', '%2Ehidden'], ['dot.', 'dot%2E'], [' a ', '%20a%20'],
    ['a\\b:c*d?e"f<g>h|i', 'a%5Cb%3Ac%2Ad%3Fe%22f%3Cg%3Eh%7Ci'], ['100%', '100%25'], ['a\0b\nc', 'a%00b%0Ac'], ['\u202ea', '%E2%80%AEa'],
    ['con', '%63on'], ['NUL.txt', '%4EUL.txt'], ['com1', '%63om1'], ['console', 'console'], ['\ud800', '%uD800'],
  ])('%j is %s', (name, stem) => expect(stemOf(name)).toBe(stem));

  it('is distinct for distinct names, and never too long for a disk', () => {
    const names = ['%', '%25', 'a/b', 'a%2Fb', '\ud800', '%uD800', ' ', '%20', '.', '%2E', 'con', '%63on', ...Array.from({ length: 128 }, (_, index) => '日'.repeat(index + 1)), ...Array.from({ length: 128 }, (_, index) => '/'.repeat(index + 1)), `${'日'.repeat(127)}a`, `${'日'.repeat(127)}b`];
    const stems = names.map(stemOf);
    expect(new Set(stems).size).toBe(names.length);
    for (const stem of stems) expect(Buffer.byteLength(`${stem}.json.0123456789abcdef.lock`)).toBeLessThanOrEqual(255);
  });

  it('tells its own files from those of stores with similar names', () => {
    const files = new StoreFiles('/d', 'a.json');
    expect(files.generationOf('a.json.12.log')).toBe(12);
    for (const name of ['a.json', 'a.json.log', 'a.json.x.log', 'a.json.01.log', 'b.json.1.log', 'a.json.1.log.json', 'a.json.1.json.2.log']) {
      expect(files.generationOf(name)).toBeUndefined();
    }
    expect(files.isTemporary('a.json.0123456789abcdef.tmp')).toBe(true);
    for (const name of ['a.json.b.json.0123456789abcdef.tmp', 'a.json.tmp', 'b.json.0123456789abcdef.tmp']) expect(files.isTemporary(name)).toBe(false);
  });

  it('may be one of our endings', async () => {
    const directory = await scratch();
    for (const name of ['a', 'a.json', 'a.json.1.log', 'a.json.lock']) {
      const store = await Store.open(directory, { name });
      await store.set('name', JSON.stringify(name));
    }
    for (const name of ['a', 'a.json', 'a.json.1.log', 'a.json.lock']) {
      await expect(Store.open(directory, { name })).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    }
    expect((await filesIn(directory)).filter(name => name.endsWith('.lock'))).toHaveLength(4);
  });
});

describe('a file that two names fall on, as on a disk that folds case', () => {
  it('is refused to the other name, in words', async () => {
    const directory = await scratch();
    const store = await Store.open(directory, { name: 'Prefs' });
    await store.set('a', '1');
    await store.close();
    await rename(join(directory, 'Prefs.json'), join(directory, 'prefs.json'));
    await expect(Store.open(directory)).rejects.toThrow(/is the file of the dictionary "Prefs", not of "prefs"/);
    const text = await textOf(directory);
    await writeFile(join(directory, 'prefs.json'), text.replace('"name":"Prefs",', ''));
    expect(await textsIn(directory)).toEqual({ a: '1' });
  });

  it('is refused by its log too', async () => {
    const directory = await scratch();
    const store = await Store.open(directory, { name: 'Prefs' });
    await store.set('a', '1');
    await rename(join(directory, 'Prefs.json.1.log'), join(directory, 'prefs.json.1.log'));
    await expect(Store.open(directory)).rejects.toThrow(/is the file of the dictionary "Prefs"/);
  });
});
