import { describe, expect, it } from 'vitest';

import { Process } from '../support/process.ts';
import { temporaryFile } from './sqlite/bench.ts';

const fewFiles = ['sh', '-c', 'ulimit -n 512; exec "$0" "$@"'];

const file = (): string => JSON.stringify(temporaryFile());

/** Opens a provider while the process may open no files but `spare` ones, and again when it may; prints what became of it. */
function failuresOf(provider: string, spare: number): Process {
  return new Process(`
    import { closeSync, openSync } from 'node:fs';
    import { postgres } from 'rx-persistify/postgres';
    import { sqlite } from 'rx-persistify/sqlite';
    const open = async () => (await (${provider}).open('prefs', { writer: 'w', report() {} })).close();
    const tell = (error) => console.log(error === undefined ? 'opened' : error.kind + ' ' + error.message);
    const held = [];
    for (;;) try { held.push(openSync('/dev/null')); } catch { break; }
    for (let count = 0; count < ${spare}; count++) closeSync(held.pop());
    await open().then(tell, tell);
    held.forEach((descriptor) => closeSync(descriptor));
    await open().then(tell, tell);
    process.exit();`, fewFiles);
}

describe('a driver that cannot be loaded as no file can be opened', () => {
  it.each([
    ['better-sqlite3, with a worker', () => `sqlite({ file: ${file()} })`, /^opened$/],
    ['better-sqlite3, on the main thread', () => `sqlite({ file: ${file()}, worker: false })`, /^opened$/],
    ['pg', () => "postgres({ connection: 'postgres://127.0.0.1:1/none' })", /ECONNREFUSED/],
  ])('is told as what passes, and loaded once files can be opened: %s', async (_, provider, then) => {
    for (const spare of [0, 1, 3]) {
      const program = failuresOf(provider(), spare);
      expect(await program.line(0)).toMatch(/^retry The package (better-sqlite3|pg) cannot be loaded while the process, or the system, may open no more files \(EMFILE\)/);
      expect(await program.line(1)).toMatch(then);
      await program.ended;
    }
  });
});

describe('a worker thread that cannot be started as no file can be opened', () => {
  it('is told as what passes, and started once files can be opened', async () => {
    const told: string[] = [];
    for (const spare of [4, 6, 8, 10, 12]) {
      const program = failuresOf(`sqlite({ file: ${file()} })`, spare);
      told.push(await program.line(0));
      expect(await program.line(1)).toBe('opened');
      await program.ended;
    }
    // How many descriptors it takes to come so far differs from one Node to the next.
    for (const line of told) expect(line).toMatch(/^(retry .*(EMFILE|too many open files)|opened$)/);
    expect(told).toContainEqual(expect.stringMatching(/^retry The worker thread of the sqlite provider cannot be started now \(/));
  });
});
