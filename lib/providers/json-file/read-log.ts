import type { FileHandle } from 'node:fs/promises';

import type { CorruptDataError } from '../../errors.ts';
import { blocks, ByteReader } from './blocks.ts';
import { checksum, hex8 } from './checksum.ts';
import { damaged } from './damage.ts';
import { checkLine, type LogHeader, logHeaderFrom, recordHeaderFrom } from './log-format.ts';
import type { LogIndex } from './log-index.ts';
import type { Settled } from './settled.ts';
import type { Slices } from './slices.ts';

/** A log, open for reading. */
export interface LogFile {
  readonly generation: number;
  readonly path: string;
  readonly file: FileHandle;
  /** How far it was acknowledged, in bytes; undefined: nobody said so yet, it is the last one. */
  readonly end: number | undefined;
}

/** What is known at the end of a log. */
export interface LogState {
  /** Where its last whole record ends. */
  readonly end: number;
  readonly seq: number;
  readonly settled: Settled | undefined;
  /** What was left of a batch that was under way, and is ignored. */
  readonly torn: TornTail | undefined;
}

export interface TornTail {
  readonly offset: number;
  readonly bytes: number;
}

/** The first line of a log. */
export interface LogStart {
  readonly header: LogHeader;
  /** Its checksum. */
  readonly seed: number;
  /** Where the records begin. */
  readonly end: number;
}

/** @throws CorruptDataError if there is none: a log gets its name only when its header is durable. */
export async function readLogHeader(log: Omit<LogFile, 'end'>): Promise<LogHeader> {
  return (await readLogStart(log)).header;
}

/** @throws CorruptDataError likewise. */
export async function readLogStart(log: Omit<LogFile, 'end'>): Promise<LogStart> {
  const line = await new ByteReader(log.file, 0, (await log.file.stat()).size).line();
  const seed = line === undefined ? undefined : checkLine(line, 0);
  if (line === undefined || seed === undefined) throw damaged('log', log.path, 0, 'its first line does not match its checksum');
  const header = logHeaderFrom(line);
  if (header === undefined) throw damaged('log', log.path, 0, 'its format is not known; a newer version of rx-persistify may have written it');
  if (header.generation !== log.generation) throw damaged('log', log.path, 0, `it is the log of generation ${header.generation}`);
  return { header, seed, end: line.length + 1 };
}

/**
 * Takes the records of a log into `index`. Only in the last log, whose end nobody has stated, may the tail be torn.
 * @throws CorruptDataError for everything else that does not check.
 */
export async function readLog(log: LogFile, index: LogIndex, slices: Slices): Promise<LogState> {
  const end = log.end ?? (await log.file.stat()).size;
  const reader = new ByteReader(log.file, 0, end);
  const first = await reader.line();
  const seed = first === undefined ? undefined : checkLine(first, 0);
  const header = first === undefined || seed === undefined ? undefined : logHeaderFrom(first);
  if (seed === undefined || header === undefined) throw damaged('log', log.path, 0, 'its first line does not match its checksum');
  let { seq, settled }: { seq: number; settled?: Settled } = header;
  while (reader.left > 0) {
    const offset = reader.offset;
    const record = await readRecord(log, reader, seed, end);
    if (record === 'torn') return { end: offset, seq, settled, torn: { offset, bytes: end - offset } };
    if (record.header.seq !== seq + 1) throw damaged('log', log.path, offset, `a record says version ${record.header.seq} where ${seq + 1} is due`);
    const wrongLine = await index.apply(record.body, slices);
    if (wrongLine >= 0) throw damaged('log', log.path, record.bodyAt + wrongLine, 'a line is no mutation');
    seq = record.header.seq;
    settled = { writer: record.header.writer, number: record.header.number, result: { version: seq, leftOut: record.header.leftOut ?? [] } };
    if (slices.due) await slices.rest();
  }
  return { end, seq, settled, torn: undefined };
}

/** One commit as it stands in a log. */
export interface LogRecord {
  readonly header: NonNullable<ReturnType<typeof recordHeaderFrom>>;
  readonly body: Buffer;
  readonly bodyAt: number;
}

/** The record where `reader` stands. @throws CorruptDataError */
export async function readRecord(log: LogFile, reader: ByteReader, seed: number, end: number): Promise<LogRecord | 'torn'> {
  const offset = reader.offset;
  const damage = (what: string): CorruptDataError => damaged('log', log.path, offset, what);
  /** @param from where other records may begin. */
  const tornOr = async (what: string, from: number): Promise<'torn'> => {
    const isTorn = log.end === undefined && (await isUnwritten(log.file, offset, end)) && !(await holdsRecord(log.file, from, end, seed));
    if (!isTorn) throw damage(what);
    return 'torn';
  };
  const line = await reader.line();
  if (line === undefined) {
    const rest = (await reader.take(reader.left)) ?? Buffer.alloc(0);
    // A whole line but for a wrong last byte was written whole: that is no torn tail, but damage.
    const isTornOff = log.end === undefined && checkLine(rest.subarray(0, -1), seed) === undefined;
    return isTornOff ? 'torn' : tornOr('a record has no end', end);
  }
  if (checkLine(line, seed) === undefined) return tornOr('the first line of a record does not match its checksum', offset);
  const header = recordHeaderFrom(line);
  if (header === undefined) throw damage('a record is of no known format');
  const bodyAt = reader.offset;
  const body = await reader.take(header.bytes);
  if (body === undefined) {
    if (log.end !== undefined) throw damage('a record goes beyond the acknowledged end');
    if (await holdsRecord(log.file, bodyAt, end, seed)) throw damage('a record is shorter than it says, though another one stands behind it');
    return 'torn';
  }
  if (hex8(checksum(body)) !== header.crc) return tornOr('the lines of a record do not match its checksum', bodyAt + header.bytes);
  return { header, body, bodyAt };
}

/**
 * Whether the first line of a record stands behind what does not check. Then that is no batch that was under way: its owner wrote
 * on, so he had acknowledged it. NULs may stand before the line, in the place of the line feed that was there.
 */
async function holdsRecord(file: FileHandle, start: number, end: number, seed: number): Promise<boolean> {
  const reader = new ByteReader(file, start, end);
  for (let line = await reader.line(); line !== undefined; line = await reader.line()) {
    if (checkLine(line.subarray(line.lastIndexOf(0) + 1), seed) !== undefined) return true;
  }
  return false;
}

/** What a disk writes at once, at least. */
const sectorBytes = 512;

/**
 * Whether the file from `start` on shows what a power cut leaves of a write that was under way: the file has its new length, but
 * the bytes of some sectors, or all from some place on, are still NUL. A record that was written whole holds no NUL.
 */
async function isUnwritten(file: FileHandle, start: number, end: number): Promise<boolean> {
  let at = start;
  let runStart: number | undefined;
  let runs = 0;
  const onSector = (offset: number): boolean => offset === start || offset % sectorBytes === 0;
  for await (const block of blocks(file, start, end)) {
    for (const byte of block) {
      if (byte === 0) {
        runStart ??= at;
      } else if (runStart !== undefined) {
        if (!onSector(runStart) || at % sectorBytes !== 0) return false;
        runs += 1;
        runStart = undefined;
      }
      at += 1;
    }
  }
  return runs > 0 || runStart !== undefined;
}
