import type { FileHandle } from 'node:fs/promises';

import { Kept } from './blocks.ts';
import { checksum, hex8 } from './checksum.ts';
import { createFile, ignore, randomId, remove, writeAll } from './durable-file.ts';
import type { StoreFiles } from './file-names.ts';
import { indented } from './indent.ts';
import { type JsonFile, keptBytes, stampOf } from './json-file.ts';
import { crcStart, deadlinesStart, fileEnd, headerStart, type JsonHeader } from './json-header.ts';
import { closingQuote } from './keys.ts';
import { textStart } from './log-lines.ts';
import { compacted } from './member-scanner.ts';
import { SharedHandle } from './shared-handle.ts';
import { Slices } from './slices.ts';
import { type RawEntry, rawEntries, type Snapshot } from './snapshot.ts';

/**
 * The kernel stamps files by a clock that ticks each 1 to 10 ms, Windows up to 16: an edit right after a fold may get the time of
 * just before it. Ours is earlier than that, so that an edit never has it, and is never taken for damage.
 */
const clockTickMs = 20;

export interface FoldTarget {
  readonly files: StoreFiles;
  readonly header: Omit<JsonHeader, 'crc' | 'written'>;
  readonly mode: number;
}

/** A new `.json` file that has not got its name yet. */
export interface Folded {
  readonly json: JsonFile;
  readonly path: string;
}

/** Writes the snapshot's entries to a new `.json` file, durably, under a temporary name; nothing is left of it if that fails. */
export async function fold(snapshot: Snapshot, target: FoldTarget): Promise<Folded> {
  const path = target.files.temporary(randomId());
  const file = await createFile(path, target.mode);
  try {
    return { json: await writeJson(snapshot, file, target), path };
  } catch (error) {
    await file.close();
    await remove(path).catch(ignore);
    throw error;
  }
}

async function writeJson(snapshot: Snapshot, file: FileHandle, target: FoldTarget): Promise<JsonFile> {
  const { indent } = target.header;
  const out = new Output(file);
  const deadlines: string[] = [];
  out.text('{\n');
  const slices = new Slices();
  for await (const stretches of rawEntries(snapshot, slices)) {
    for (const stretch of stretches) {
      if (Buffer.isBuffer(stretch)) writeLines(stretch, indent, out);
      else writeEntry(stretch, indent, deadlines, out);
    }
    if (out.full) await out.flush();
  }
  await out.flush();
  const entriesEnd = out.length;
  const entriesCrc = out.crc;
  const written = Date.now() - clockTickMs;
  out.text(headerStart({ ...target.header, written }));
  const deadlinesAt = deadlines.length === 0 ? undefined : out.length + deadlinesStart.length - 1;
  if (deadlines.length > 0) await writeDeadlines(deadlines, out, slices);
  out.text(crcStart);
  await out.flush();
  const stated = hex8(out.crc);
  out.text(stated + fileEnd);
  await out.flush();
  await file.utimes(written / 1_000, written / 1_000);
  await file.sync();
  return {
    handle: new SharedHandle(file),
    source: out.kept ?? file,
    stamp: stampOf(await file.stat({ bigint: true })),
    identity: { generation: target.header.generation, crc: hex8(out.crc), size: out.length, stated },
    header: { ...target.header, written, crc: stated },
    genuine: true,
    layout: indent === undefined ? 'lines' : 'members',
    entriesEnd,
    entriesCrc,
    deadlinesAt,
    duplicates: new Map(),
    empty: entriesEnd <= 2,
    blank: false,
    mode: target.mode,
  };
}

function writeLines(lines: Buffer, indent: number | undefined, out: Output): void {
  if (indent === undefined) {
    out.bytes(lines);
    return;
  }
  for (let at = 0; at < lines.length;) {
    const keyEnd = closingQuote(lines, at + 1) + 1;
    const end = lines.indexOf(0x0a, keyEnd);
    writeIndented(lines.toString('utf8', at, keyEnd), lines.subarray(keyEnd + 1, end - 1), indent, out);
    at = end + 1;
  }
}

const memberEnd = Buffer.from(',\n');

function writeEntry(entry: RawEntry, indent: number | undefined, deadlines: string[], out: Output): void {
  // JSON has no Infinity; a deadline that never comes is none.
  if (entry.expiresAt !== undefined && Number.isFinite(entry.expiresAt)) deadlines.push(`"${entry.key}":${entry.expiresAt}`);
  if (indent === undefined) {
    out.bytes(entry.bytes.subarray(entry.start, entry.end));
    out.bytes(memberEnd);
  } else {
    const textAt = textStart(entry.key, entry.start);
    writeIndented(entry.bytes.toString('utf8', entry.start, textAt - 1), entry.bytes.subarray(textAt, entry.end), indent, out);
  }
}

/** Text that has white space already is left as it is, on its one line, so that it is read again as it was written. */
function writeIndented(key: string, text: Buffer, indent: number, out: Output): void {
  const value = compacted(text).length === text.length ? indented(text.toString(), indent, 1) : text.toString();
  out.text(`${' '.repeat(indent)}${key}: ${value},\n`);
}

async function writeDeadlines(deadlines: readonly string[], out: Output, slices: Slices): Promise<void> {
  out.text(deadlinesStart);
  for (let at = 0; at < deadlines.length; at += 1_000) {
    // A key's bytes were read as latin1, and are written back so.
    out.bytes(Buffer.from((at === 0 ? '' : ',') + deadlines.slice(at, at + 1_000).join(','), 'latin1'));
    if (out.full) await out.flush();
    if (slices.due) await slices.rest();
  }
  out.text('}');
}

/** Gathers small pieces into large writes, and keeps the checksum of them all. */
class Output {
  readonly #file: FileHandle;
  #pieces: Uint8Array[] = [];
  #gathered = 0;
  #written = 0;
  #crc = 0;
  /** All of it, if that is little. */
  #kept: Buffer[] | undefined = [];

  constructor(file: FileHandle) {
    this.#file = file;
  }

  get length(): number {
    return this.#written + this.#gathered;
  }

  /** Of what was flushed. */
  get crc(): number {
    return this.#crc;
  }

  /** What was flushed, if it is to be kept. */
  get kept(): Kept | undefined {
    return this.#kept && new Kept(Buffer.concat(this.#kept));
  }

  get full(): boolean {
    return this.#gathered >= 1 << 18;
  }

  text(text: string): void {
    this.bytes(Buffer.from(text));
  }

  bytes(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#gathered += bytes.length;
  }

  async flush(): Promise<void> {
    const gathered = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#gathered = 0;
    this.#crc = checksum(gathered, this.#crc);
    this.#written = await writeAll(this.#file, [gathered], this.#written);
    if (this.#written > keptBytes) this.#kept = undefined;
    this.#kept?.push(gathered);
  }
}
