import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Journal, readJournal, type JournalRecord } from './journal.ts';
import { writeId } from './written-value.ts';

const id = writeId(65_535, 2 ** 32 - 1);

const records: readonly JournalRecord[] = [
  { type: 'loaded', key: 0, id: writeId(1, 1) },
  { type: 'proposed', key: 65_535, id },
  { type: 'accepted', key: 1, id },
  { type: 'declined', key: 1, id },
  { type: 'resolved', key: 1, id },
  { type: 'applied', key: 1, id, seq: 2 ** 32 - 1 },
  { type: 'heard', key: 1, id: 0, seq: 1 },
  { type: 'cleared', seq: 2 },
  { type: 'saved', seq: 3 },
  { type: 'gap', key: 1, id },
  { type: 'final', key: 1, id },
  { type: 'ended' },
];

describe('a journal', () => {
  let directory: string;
  let path: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'rx-persistify-history-'));
    path = join(directory, 'journal');
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('gives back what was written, in order, however much', () => {
    const journal = new Journal(path);
    for (let times = 0; times < 1_000; times++) for (const record of records) journal.write(record);
    journal.close();
    const read = [...readJournal(path)];
    expect(read).toHaveLength(12_000);
    expect(read.slice(0, 12)).toEqual(records);
    expect(read.slice(-12)).toEqual(records);
  });

  it('has what was flushed, and no more, when its writer is killed', () => {
    const journal = new Journal(path);
    for (const record of records) journal.write(record);
    journal.flush();
    journal.write({ type: 'ended' });
    expect([...readJournal(path)]).toEqual(records);
  });

  it('ends with its last whole record', () => {
    const journal = new Journal(path);
    for (const record of records) journal.write(record);
    journal.close();
    appendFileSync(path, Buffer.alloc(15, 1));
    expect([...readJournal(path)]).toEqual(records);
  });
});
