import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { copy, emptyDir } from 'fs-extra/esm';
import fc from 'fast-check';
import { persistify, PersistifyError } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { expect } from 'vitest';

import type { Cell } from './matrix.ts';
import { holds } from './properties.ts';

/** What is done to the files. Places and lengths are parts of what there is. */
type Deed =
  | { readonly deed: 'append'; readonly bytes: Uint8Array }
  | { readonly deed: 'put'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly deed: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly deed: 'cut'; readonly at: number; readonly length: number }
  | { readonly deed: 'copy'; readonly from: number; readonly length: number; readonly to: number }
  | { readonly deed: 'repeat'; readonly from: number; readonly length: number }
  | { readonly deed: 'swap logs' };

// No doubles, almost all of which are next to 0.
const part = fc.nat(9_999).map((places) => places / 10_000);
const short = fc.oneof(fc.nat(30), fc.nat(1_999)).map((places) => places / 10_000);
const bytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
  fc.integer({ min: 1, max: 3_000 }).map((length) => new Uint8Array(length)),
  fc.constantFrom('="a":1\n', '*\n', '-"key 1"\n', '00000000 {"seq":5,"writer":"x","number":5,"bytes":0,"crc":"00000000"}\n', '\n', '{}', '"').map((text) => new TextEncoder().encode(text)),
);
const deeds: fc.Arbitrary<readonly Deed[]> = fc.array(
  fc.oneof(
    fc.record({ deed: fc.constant('append' as const), bytes }),
    fc.record({ deed: fc.constant('put' as const), at: part, bytes }),
    fc.record({ deed: fc.constant('insert' as const), at: part, bytes }),
    fc.record({ deed: fc.constant('cut' as const), at: part, length: short }),
    fc.record({ deed: fc.constant('copy' as const), from: part, length: short, to: part }),
    fc.record({ deed: fc.constant('repeat' as const), from: part, length: short }),
    fc.record({ deed: fc.constant('swap logs' as const) }),
  ),
  { minLength: 1, maxLength: 3 },
);

type State = ReadonlyMap<string, unknown>;

/**
 * Leaves logs behind, as a process that is killed does, and does to a copy of them what disks and people do. What is then opened is
 * the store as it was at one `seq`, or it is refused, and every byte is as it was.
 */
export async function tryLogs(cell: Cell): Promise<{ readonly logs: number; readonly refused: number; readonly opened: number; readonly whole: number }> {
  const origins: { readonly at: string; readonly states: ReadonlySet<string> }[] = [];
  for (let count = 0; count < 3; count++) {
    const at = join(cell.directory, `origin ${count}`);
    origins.push({ at, states: await leaveLogs(at, count) });
  }
  const tried = join(cell.directory, 'tried');
  const tally = { logs: 0, refused: 0, opened: 0, whole: 0 };
  await holds(cell, fc.tuple(fc.nat(origins.length - 1), fc.nat(1), deeds), { short: 250, long: 500_000 }, async ([which, log, done]) => {
    const origin = origins[which];
    if (origin === undefined) return;
    await emptyDir(tried);
    await copy(origin.at, tried, { preserveTimestamps: true, filter: (path) => !path.endsWith('.lock') });
    await damage(tried, log, done);
    tally.logs++;
    const before = await contentsOf(tried);
    try {
      const store = await persistify(jsonFile({ directory: tried })).open('logged');
      const state = stateOf(new Map(store));
      await store.close({ deadlineMs: 5_000 });
      tally.opened++;
      if (state === [...origin.states].at(-1)) tally.whole++;
      expect(origin.states.has(state), `a state that the store was in: ${state}`).toBe(true);
    } catch (error) {
      if (!(error instanceof PersistifyError)) throw error;
      expect(error.code).toBe('CORRUPT_DATA');
      expect(await contentsOf(tried), 'the files after they were refused').toEqual(before);
      tally.refused++;
    }
  });
  return tally;
}

/** Uses a store, and copies its files before it is closed. Returns what it was after each change. */
async function leaveLogs(at: string, count: number): Promise<ReadonlySet<string>> {
  const live = `${at} while it is used`;
  const states = new Set<string>([stateOf(new Map())]);
  const builder = persistify(jsonFile({ directory: live })).withBatch({ size: 3, intervalMs: 1 });
  for (let life = 0; life <= count; life++) {
    const store = await builder.open<Record<string, unknown>>('logged');
    store.changes$.subscribe(() => states.add(stateOf(new Map(store))));
    for (let write = 0; write < 12; write++) {
      if (write === 7) store.clear();
      if (write === 4) store.delete('key 1');
      if (write === 9) store.transaction(() => store.set('key 2', { life, write: [write] }));
      await store.setAndSave(`key ${write % 5}`, { life, write, text: 'ä\n"'.repeat(write * 10) });
    }
    if (life === count) await copy(live, at, { preserveTimestamps: true });
    await store.close();
  }
  return states;
}

function stateOf(state: State): string {
  return JSON.stringify([...state].sort(([left], [right]) => (left < right ? -1 : 1)));
}

async function damage(directory: string, which: number, done: readonly Deed[]): Promise<void> {
  const logs = (await readdir(directory)).filter((name) => name.endsWith('.log')).sort();
  const name = logs[which % logs.length];
  if (name === undefined) return;
  const path = join(directory, name);
  let content: Buffer = await readFile(path);
  for (const deed of done) {
    if (deed.deed === 'swap logs') {
      const other = logs[(which + 1) % logs.length];
      if (other !== undefined) content = await readFile(join(directory, other));
    } else content = after(content, deed);
  }
  await writeFile(path, content);
}

function after(content: Buffer, deed: Exclude<Deed, { readonly deed: 'swap logs' }>): Buffer {
  const place = (of: number): number => Math.floor(of * content.length);
  switch (deed.deed) {
    case 'append':
      return Buffer.concat([content, deed.bytes]);
    case 'put': {
      const at = place(deed.at);
      return Buffer.concat([content.subarray(0, at), deed.bytes, content.subarray(at + deed.bytes.length)]);
    }
    case 'insert':
      return Buffer.concat([content.subarray(0, place(deed.at)), deed.bytes, content.subarray(place(deed.at))]);
    case 'cut':
      return Buffer.concat([content.subarray(0, place(deed.at)), content.subarray(place(deed.at) + place(deed.length))]);
    case 'copy': {
      const piece = content.subarray(place(deed.from), place(deed.from) + place(deed.length));
      return Buffer.concat([content.subarray(0, place(deed.to)), piece, content.subarray(place(deed.to) + piece.length)]);
    }
    case 'repeat': {
      // Whole lines, as a record is: one that was valid, in a place where it is not.
      const start = content.lastIndexOf(0x0a, place(deed.from)) + 1;
      const end = content.indexOf(0x0a, start + place(deed.length)) + 1;
      return Buffer.concat([content, content.subarray(start, end === 0 ? content.length : end)]);
    }
  }
}

async function contentsOf(directory: string): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(directory)).sort();
  return new Map(await Promise.all(names.map(async (name) => [name, (await readFile(join(directory, name))).toString('latin1')] as const)));
}
