import type { LeftOut } from '../../mutation.ts';
import { checksum, hex8 } from './checksum.ts';
import { fieldsOf, leftOutAsWritten, leftOutFrom, type Settled, settledAsWritten, settledFrom } from './settled.ts';

export const format = 'rx-persistify/1';

/** A `.json` file, as the logs on it know it. */
export interface BaseIdentity {
  readonly generation: number;
  /** Of the whole file. */
  readonly crc: string;
  readonly size: number;
  /** The checksum that the file states itself: of an edited file it tells which one was edited. Empty if it states none. */
  readonly stated: string;
}

/** The first line of a log. */
export interface LogHeader {
  /** The store's name; several can fall on one file where a disk folds case. */
  readonly name: string;
  readonly generation: number;
  /** The dictionary's version where this log starts. */
  readonly seq: number;
  /** The `.json` file on which the log was started; null: there was none. */
  readonly base: BaseIdentity | null;
  /** The logs between that file and this one, in their order, each with the end of what was acknowledged in it. */
  readonly logs: readonly LogEnd[];
  /** The id of the lock under which it was begun. */
  readonly owner?: string;
  readonly settled?: Settled;
}

export interface LogEnd {
  readonly generation: number;
  /** In bytes. What lies beyond was never acknowledged and is ignored. 0: nothing was, the log need not be there. */
  readonly end: number;
}

/** The first line of a record: one batch. Its mutations follow, a line each. */
export interface RecordHeader {
  readonly seq: number;
  readonly writer: string;
  readonly number: number;
  /** How many bytes follow this line. */
  readonly bytes: number;
  /** Their checksum. */
  readonly crc: string;
  readonly leftOut?: readonly LeftOut[];
}

export function headerLine(header: LogHeader): string {
  const { settled } = header;
  return checkedLine({ format, ...header, ...(settled !== undefined && { settled: settledAsWritten(settled) }) }, 0);
}

/** @param seed the checksum in the log's first line, so that a record can be of no other log. */
export function recordLine(header: RecordHeader, seed: number): string {
  const { leftOut } = header;
  return checkedLine({ ...header, ...(leftOut !== undefined && { leftOut: leftOutAsWritten(leftOut) }) }, seed);
}

function checkedLine(value: object, seed: number): string {
  const text = JSON.stringify(value);
  return `${hex8(checksum(text, seed))} ${text}\n`;
}

/** The checksum that a line starts with, if it is the right one; else undefined. */
export function checkLine(line: Buffer, seed: number): number | undefined {
  if (line.length < 10 || line[8] !== 0x20) return undefined;
  const crc = checksum(line.subarray(9), seed);
  return line.toString('latin1', 0, 8) === hex8(crc) ? crc : undefined;
}

function valueOf(line: Buffer): Readonly<Record<string, unknown>> {
  return fieldsOf(JSON.parse(line.toString('utf8', 9)));
}

/** @returns undefined for a line that checks, but says something that this version does not know. */
export function logHeaderFrom(line: Buffer): LogHeader | undefined {
  const value = valueOf(line);
  const { name, generation, seq, base, logs, owner } = value;
  if (value['format'] !== format || typeof name !== 'string' || typeof generation !== 'number' || typeof seq !== 'number') return undefined;
  const identity = base === null ? null : identityFrom(base);
  const ends = Array.isArray(logs) ? logs.map(endFrom).filter(end => end !== undefined) : undefined;
  if (identity === undefined || ends === undefined) return undefined;
  const settled = settledFrom(value['settled']);
  return { name, generation, seq, base: identity, logs: ends, ...(typeof owner === 'string' && { owner }), ...(settled !== undefined && { settled }) };
}

function identityFrom(value: unknown): BaseIdentity | undefined {
  const { generation, crc, size, stated } = fieldsOf(value);
  if (typeof generation !== 'number' || typeof crc !== 'string' || typeof size !== 'number' || typeof stated !== 'string') return undefined;
  return { generation, crc, size, stated };
}

function endFrom(value: unknown): LogEnd | undefined {
  const { generation, end } = fieldsOf(value);
  return typeof generation === 'number' && typeof end === 'number' ? { generation, end } : undefined;
}

export function recordHeaderFrom(line: Buffer): RecordHeader | undefined {
  const { seq, writer, number, bytes, crc, leftOut } = valueOf(line);
  if (typeof seq !== 'number' || typeof writer !== 'string' || typeof number !== 'number') return undefined;
  if (typeof bytes !== 'number' || typeof crc !== 'string') return undefined;
  const items = leftOutFrom(leftOut) ?? [];
  return { seq, writer, number, bytes, crc, ...(items.length > 0 && { leftOut: items }) };
}
