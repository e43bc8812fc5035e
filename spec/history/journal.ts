import { closeSync, openSync, readSync, writeSync } from 'node:fs';

import type { WriteId } from './written-value.ts';

/**
 * What one life tells of itself, in order. `loaded` is what its store held when it was opened; `applied`, `heard` and the
 * `seq` with them are what `changes$` told, of a write of its own or of another's, and `id` 0 is a deletion;
 * `saved` is what `saves$` told. `proposed` is to be decided by storage, and is then `accepted`, or `declined`: not stored, ever;
 * so is what a transaction undid. `resolved` is a waiting write whose promise resolved. `final` is what memory held at the
 * end, when everything was saved, and `ended` comes behind the last of it.
 */
export type JournalRecord =
  | { readonly type: 'loaded' | 'proposed' | 'accepted' | 'declined' | 'resolved' | 'final'; readonly key: number; readonly id: WriteId }
  | { readonly type: 'applied' | 'heard'; readonly key: number; readonly id: WriteId; readonly seq: number }
  | { readonly type: 'cleared' | 'saved'; readonly seq: number }
  | { readonly type: 'gap'; readonly key: number; readonly id: WriteId }
  | { readonly type: 'ended' };

const types = ['loaded', 'proposed', 'accepted', 'declined', 'resolved', 'final', 'applied', 'heard', 'cleared', 'saved', 'gap', 'ended'] as const satisfies readonly JournalRecord['type'][];
const codes: ReadonlyMap<string, number> = new Map(types.map((type, code) => [type, code]));

/** Type, key, seq, id. */
const recordBytes = 16;
const capacity = 4_096;

/**
 * Writes records that outlive a kill -9: what is flushed is with the kernel. What is lost with the rest is the end of a life,
 * of which then nothing is known.
 */
export class Journal {
  readonly #file: number;
  readonly #buffer = Buffer.alloc(capacity * recordBytes);
  #length = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'ax');
  }

  write(record: JournalRecord): void {
    const at = this.#length;
    this.#buffer.writeUInt16LE(codes.get(record.type) ?? 0, at);
    this.#buffer.writeUInt16LE('key' in record ? record.key : 0, at + 2);
    this.#buffer.writeUInt32LE('seq' in record ? record.seq : 0, at + 4);
    this.#buffer.writeDoubleLE('id' in record ? record.id : 0, at + 8);
    this.#length += recordBytes;
    if (this.#length === this.#buffer.length) this.flush();
  }

  flush(): void {
    for (let from = 0; from < this.#length; ) from += writeSync(this.#file, this.#buffer, from, this.#length - from);
    this.#length = 0;
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }
}

/** The records of a journal, one after the other. Half a record at the end is none. */
export function* readJournal(path: string): Generator<JournalRecord> {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(capacity * recordBytes);
    for (let length = 0; ; ) {
      const read = readSync(file, buffer, length, buffer.length - length, null);
      length += read;
      const whole = length - (length % recordBytes);
      for (let at = 0; at < whole; at += recordBytes) yield recordAt(buffer, at);
      buffer.copyWithin(0, whole, length);
      length -= whole;
      if (read === 0) return;
    }
  } finally {
    closeSync(file);
  }
}

function recordAt(buffer: Buffer, at: number): JournalRecord {
  const type = types[buffer.readUInt16LE(at)];
  const key = buffer.readUInt16LE(at + 2);
  const seq = buffer.readUInt32LE(at + 4);
  const id = buffer.readDoubleLE(at + 8);
  if (type === undefined) throw new Error('A journal holds a record of no known type.');
  if (type === 'applied' || type === 'heard') return { type, key, id, seq };
  if (type === 'cleared' || type === 'saved') return { type, seq };
  if (type === 'ended') return { type };
  return { type, key, id };
}
