import type { Batch, LeftOut, Mutation } from '../../mutation.ts';
import { checksum, hex8 } from './checksum.ts';
import { recordLine } from './log-format.ts';
import { lineOf } from './log-lines.ts';
import { Slices } from './slices.ts';

/** A batch as it is written, but for the first line, which depends on the log. */
export interface LogRecord {
  readonly seq: number;
  readonly batch: Batch;
  readonly leftOut: readonly LeftOut[];
  readonly body: readonly Buffer[];
  readonly bytes: number;
  readonly crc: number;
}

/** A piece has so many lines, or so much text, whichever it has first: a string has an end, and a batch has none. */
const linesAtOnce = 512;
const textAtOnce = 1 << 24;

/** Puts mutations into their lines; large batches in slices. */
export async function recordOf(seq: number, batch: Batch, stored: readonly Mutation[], leftOut: readonly LeftOut[]): Promise<LogRecord> {
  const slices = new Slices();
  const body: Buffer[] = [];
  let [bytes, crc] = [0, 0];
  for (let at = 0; at < stored.length;) {
    let lines = '';
    for (const mutation of stored.slice(at, at + linesAtOnce)) {
      lines += lineOf(mutation);
      at += 1;
      if (lines.length >= textAtOnce) break;
    }
    const piece = Buffer.from(lines);
    body.push(piece);
    bytes += piece.length;
    crc = checksum(piece, crc);
    if (slices.due) await slices.rest();
  }
  return { seq, batch, leftOut, body, bytes, crc };
}

/** The record's bytes in the log whose first line has the checksum `seed`. */
export function recordBytes(record: LogRecord, seed: number): readonly Buffer[] {
  const { seq, batch, leftOut, bytes, crc } = record;
  const header = { seq, writer: batch.writer, number: batch.number, bytes, crc: hex8(crc), ...(leftOut.length > 0 && { leftOut }) };
  return [Buffer.from(recordLine(header, seed)), ...record.body];
}
