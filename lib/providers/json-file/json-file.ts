import { type BigIntStats, constants, statSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';

import { blocks, Kept, readAt, type Source } from './blocks.ts';
import { checksum, hex8 } from './checksum.ts';
import { damaged } from './damage.ts';
import { syncForeign } from './durable-file.ts';
import { isMissing } from './failure.ts';
import { crcStart, deadlinesStart, fileEnd, type JsonHeader, jsonHeaderFrom } from './json-header.ts';
import type { RawKey } from './keys.ts';
import type { BaseIdentity } from './log-format.ts';
import { scanObject } from './scan-object.ts';
import { SharedHandle } from './shared-handle.ts';
import type { Slices } from './slices.ts';

/** A `.json` file as it was found or written, checked from its first byte to its last. */
export interface JsonFile {
  readonly handle: SharedHandle;
  /** What its entries are read from. */
  readonly source: Source;
  readonly stamp: FileStamp;
  readonly identity: BaseIdentity;
  readonly header: JsonHeader | undefined;
  /** Whether it is, byte for byte, as we wrote it; else it is a person's or another program's work. */
  readonly genuine: boolean;
  /** How its entries are to be read: a line each in our layout, or as members of an object in any layout. */
  readonly layout: 'lines' | 'members';
  /** Where the entries end that are to be read. */
  readonly entriesEnd: number;
  /** The checksum of all before `entriesEnd`. */
  readonly entriesCrc: number;
  /** Where the object of the deadlines starts, if there is one. */
  readonly deadlinesAt: number | undefined;
  /** The keys that occur more than once, with the place of the last, which counts. */
  readonly duplicates: ReadonlyMap<RawKey, number>;
  /** Whether it has entries, as far as that was looked at: an edited file's are counted. */
  readonly empty: boolean;
  /** Whether it holds nothing at all, not even an object. */
  readonly blank: boolean;
  readonly mode: number;
}

/**
 * Of a file up to this size, the content is kept: it is of those that people edit, and an editor may write into the very file that
 * we have open. What it held before has to be known to tell what was edited, and to go on from if the edit is none that can be taken.
 */
export const keptBytes = 1 << 20;

/** What changes with a file when somebody writes to it or puts another in its place. */
export interface FileStamp {
  readonly inode: bigint;
  readonly size: bigint;
  readonly modifiedNs: bigint;
}

export function stampOf(stats: BigIntStats): FileStamp {
  return { inode: stats.ino, size: stats.size, modifiedNs: stats.mtimeNs };
}

export function sameStamp(one: FileStamp | undefined, other: FileStamp | undefined): boolean {
  return one?.inode === other?.inode && one?.size === other?.size && one?.modifiedNs === other?.modifiedNs;
}

/** @returns undefined if there is no such file. */
export async function stampAt(path: string): Promise<FileStamp | undefined> {
  try {
    return stampOf(await stat(path, { bigint: true }));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The same, for who must do something before anything else can happen. */
export function stampNowAt(path: string): FileStamp | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : stampOf(stats);
}

/** Where a named pipe stands in the place of the file, opening it would else wait for somebody to write into it. Windows has none. */
const readNow = constants.O_RDONLY | (process.platform === 'win32' ? 0 : constants.O_NONBLOCK);

/**
 * Opens and checks the file. @returns undefined if there is none.
 * @throws CorruptDataError if it is no JSON object, or not as it was written although nobody edited it.
 */
export async function openJsonFile(path: string, slices: Slices): Promise<JsonFile | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, readNow);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    const stats = await file.stat({ bigint: true });
    if (!stats.isFile()) throw damaged('json', path, 0, 'it is no file, but a directory or a device');
    return await inspect(path, new SharedHandle(file), stats, slices);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function inspect(path: string, handle: SharedHandle, stats: BigIntStats, slices: Slices): Promise<JsonFile> {
  // An editor does not flush; were the file to vanish in a power cut, logs that stand on it would be worth nothing.
  await syncForeign(handle.file);
  const size = Number(stats.size);
  const source = size <= keptBytes ? new Kept(await readAt(handle.file, 0, size)) : handle.file;
  const sums = await sumsOf(source, size, slices);
  const known = { handle, source, stamp: stampOf(stats), mode: Number(stats.mode & 0o777n) };
  if (sums.stated !== undefined && sums.stated === sums.beforeStated) {
    const own = await readOwnHeader(path, source, sums.lastLine, size);
    if (own !== undefined) {
      const { header, deadlinesAt } = own;
      return {
        ...known,
        ...own,
        identity: { generation: header.generation, crc: sums.whole, size, stated: header.crc },
        genuine: true,
        layout: header.indent === undefined ? 'lines' : 'members',
        entriesEnd: sums.lastLine,
        entriesCrc: sums.beforeLastLine,
        deadlinesAt,
        duplicates: new Map(),
        empty: sums.lastLine <= 2,
        blank: false,
      };
    }
  }
  const { header, deadlinesAt, duplicates, empty, blank } = await scanObject(path, source, size, slices);
  if (header?.written !== undefined && header.crc !== '' && isWrittenAt(stats, header.written)) {
    throw damaged('json', path, 0, 'it does not match its checksum, and its modification time is the one that we gave it, so nobody edited it; if somebody did, touch the file');
  }
  return {
    ...known,
    identity: { generation: header?.generation ?? 0, crc: sums.whole, size, stated: header?.crc ?? '' },
    header,
    genuine: false,
    layout: 'members',
    entriesEnd: size,
    entriesCrc: Number.parseInt(sums.whole, 16),
    deadlinesAt,
    duplicates,
    empty,
    blank,
  };
}

/** What the end of a `.json` file tells, if it is as we wrote it by its modification time; what stands before it is not looked at. */
export interface JsonEnd {
  readonly stamp: FileStamp;
  readonly header: JsonHeader;
  readonly size: number;
}

/** @returns undefined for a file that is none of ours, or that somebody has written since, or that is not there. */
export async function readJsonEnd(path: string): Promise<JsonEnd | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, readNow);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    const stats = await file.stat({ bigint: true });
    const size = Number(stats.size);
    const start = await lastLineStart(file, size);
    const own = start === undefined ? undefined : await readOwnHeader(path, file, start, size);
    if (own?.header.written === undefined || !isWrittenAt(stats, own.header.written)) return undefined;
    return { stamp: stampOf(stats), header: own.header, size };
  } finally {
    await file.close();
  }
}

/** Where the header starts in our layout; it may have many deadlines. */
async function lastLineStart(file: Source, size: number): Promise<number | undefined> {
  const digitsAt = size - fileEnd.length - 8;
  if ((await statedCrc(file, digitsAt)) === undefined) return undefined;
  for (let length = 1 << 16; ; length *= 2) {
    const from = Math.max(0, digitsAt - length);
    const found = (await readAt(file, from, digitsAt - from)).lastIndexOf(0x0a);
    if (found >= 0) return from + found + 1;
    if (from === 0) return undefined;
  }
}

function isWrittenAt({ mtimeNs }: BigIntStats, writtenMs: number): boolean {
  return BigInt(writtenMs) === (mtimeNs + 500_000n) / 1_000_000n;
}

interface Sums {
  readonly whole: string;
  /** The checksum that the file states in our layout, and that of all before it. */
  readonly stated: string | undefined;
  readonly beforeStated: string;
  /** Where the last line but the closing brace starts: in our layout the header. */
  readonly lastLine: number;
  readonly beforeLastLine: number;
}

async function sumsOf(file: Source, size: number, slices: Slices): Promise<Sums> {
  const digitsAt = size - fileEnd.length - 8;
  const stated = await statedCrc(file, digitsAt);
  let [crc, at, lastLine, beforeLastLine, beforeStated] = [0, 0, 0, 0, 0];
  for await (const block of blocks(file, 0, size)) {
    // Up to the line feed before the header; the two behind it come later.
    const cut = digitsAt <= at ? 0 : block.lastIndexOf(0x0a, digitsAt - at) + 1;
    if (cut > 0) [lastLine, beforeLastLine] = [at + cut, checksum(block.subarray(0, cut), crc)];
    if (digitsAt >= at && digitsAt <= at + block.length) beforeStated = checksum(block.subarray(0, digitsAt - at), crc);
    crc = checksum(block, crc);
    at += block.length;
    if (slices.due) await slices.rest();
  }
  return { whole: hex8(crc), stated, beforeStated: hex8(beforeStated), lastLine, beforeLastLine };
}

async function statedCrc(file: Source, digitsAt: number): Promise<string | undefined> {
  if (digitsAt < crcStart.length) return undefined;
  const end = (await readAt(file, digitsAt - crcStart.length, crcStart.length + 8 + fileEnd.length)).toString('latin1');
  return /^,"crc":"([0-9a-f]{8})"\}\n\}\n$/.exec(end)?.[1];
}

/** The header of a file whose checksum is right; its deadlines may be many and are left where they are. */
async function readOwnHeader(path: string, file: Source, start: number, size: number): Promise<Pick<JsonFile, 'deadlinesAt'> & { header: JsonHeader } | undefined> {
  const end = size - fileEnd.length - 8 - crcStart.length;
  let text = Buffer.alloc(0);
  let cut = -1;
  for await (const block of blocks(file, start, end)) {
    text = Buffer.concat([text, block]);
    // A quote within a string would be escaped, so this can be nothing else.
    cut = text.indexOf(deadlinesStart);
    if (cut >= 0) break;
  }
  const small = cut < 0 ? text : text.subarray(0, cut);
  if (small.toString('utf8', 0, 4) !== '"":{') return undefined;
  const crc = (await readAt(file, end + crcStart.length, 8)).toString('latin1');
  const value: unknown = JSON.parse(`{${small.toString('utf8', 4)},"crc":"${crc}"}`);
  return { header: jsonHeaderFrom(value, path, start), deadlinesAt: cut < 0 ? undefined : start + cut + deadlinesStart.length - 1 };
}
