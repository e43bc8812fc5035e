import { closeSync, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs';

import type { Pair, Value } from '../work.ts';
import type { Session } from './session.ts';

/** The fastest loop there is on the main thread: a Map, and lines appended to a file and flushed, one write a batch. */
export function openBareJsonFile(path: string): Session {
  const file = openSync(path, 'a');
  const map = new Map<string, Value>();
  const write = (pairs: readonly Pair[]): void => {
    let text = '';
    for (const [key, value] of pairs) {
      map.set(key, value);
      text += `${JSON.stringify(key)}:${JSON.stringify(value)},\n`;
    }
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    fdatasyncSync(file);
  };
  return { write, close: () => closeSync(file) };
}

/** Writes an object with one entry a line, as people write it and the library reads it. */
export function fillJsonFile(path: string, pairs: Iterable<Pair>): void {
  const file = openSync(path, 'w');
  let text = '{';
  let separator = '\n';
  for (const [key, value] of pairs) {
    text += `${separator}${JSON.stringify(key)}:${JSON.stringify(value)}`;
    separator = ',\n';
    if (text.length > 1_000_000) {
      writeSync(file, text);
      text = '';
    }
  }
  writeSync(file, `${text}\n}\n`);
  closeSync(file);
}

/** Reads such a file line by line into a Map, as fast as one thread can. */
export function loadJsonLines(path: string): Map<string, unknown> {
  const file = openSync(path, 'r');
  const map = new Map<string, unknown>();
  const block = Buffer.allocUnsafe(1 << 20);
  let rest = Buffer.alloc(0);
  for (let length = readSync(file, block); length > 0; length = readSync(file, block)) {
    const end = block.lastIndexOf(10, length - 1);
    if (end === -1) rest = Buffer.concat([rest, block.subarray(0, length)]);
    else {
      const lines = Buffer.concat([rest, block.subarray(0, end)]).toString().split('\n');
      for (const line of lines) takeLine(map, line);
      rest = Buffer.from(block.subarray(end + 1, length));
    }
  }
  takeLine(map, rest.toString());
  closeSync(file);
  return map;
}

function takeLine(map: Map<string, unknown>, line: string): void {
  const colon = line.indexOf('":');
  if (colon === -1) return;
  const end = line.endsWith(',') ? -1 : undefined;
  map.set(line.slice(1, colon), JSON.parse(line.slice(colon + 2, end))); // the keys here need no unescaping
}
