import { ProviderError } from '../../errors.ts';
import { wholeLines } from './blocks.ts';
import { checksum } from './checksum.ts';
import type { JsonFile } from './json-file.ts';
import { closingQuote, keyAt, keyText, rawKeyAt, rawKeyOf } from './keys.ts';
import { compacted, MemberScanner } from './member-scanner.ts';
import { afterByteOrderMark } from './scan-object.ts';
import { ShardedMap } from './sharded-map.ts';
import type { Slices } from './slices.ts';

const lineBytes = 1 << 18;

/**
 * The entries of a `.json` file in our own layout, whatever its own is: buffers of whole lines `"key":text,`, each key once and
 * in its one form. Text is copied, not parsed; from another layout white space is taken out.
 * @throws ProviderError if the file is no longer the one that was checked, as while an editor writes into it.
 */
export function entryLines(json: JsonFile, slices: Slices): AsyncGenerator<Buffer, void> {
  return json.layout === 'lines' ? linesOf(json, slices) : membersOf(json, slices);
}

async function* linesOf(json: JsonFile, slices: Slices): AsyncGenerator<Buffer, void> {
  let crc = 0;
  let first = true;
  for await (const lines of wholeLines(json.source, 0, json.entriesEnd, bytes => { crc = checksum(bytes, crc); })) {
    yield first ? lines.subarray(2) : lines;
    first = false;
    if (slices.due) await slices.rest();
  }
  if (crc !== json.entriesCrc) throw changedMeanwhile();
}

async function* membersOf(json: JsonFile, slices: Slices): AsyncGenerator<Buffer, void> {
  const { source } = json;
  const scanner = new MemberScanner(source, await afterByteOrderMark(source), json.identity.size);
  let lines: Buffer[] = [];
  let length = 0;
  for await (const member of membersIn(scanner)) {
    const key = keyAt(member.key, 0, member.key.length);
    const last = key === '' ? undefined : (json.duplicates.get(rawKeyOf(key)) ?? member.offset);
    if (last === member.offset) {
      // Of our own making, a value that stands on one line was written so, with whatever white space it has.
      const text = json.genuine && !member.text.includes(0x0a) ? member.text : compacted(member.text);
      const line = Buffer.concat([Buffer.from(`${keyText(key)}:`), text, Buffer.from(',\n')]);
      lines.push(line);
      length += line.length;
    }
    if (length >= lineBytes) {
      yield Buffer.concat(lines);
      [lines, length] = [[], 0];
    }
    if (slices.due) await slices.rest();
  }
  await checkUnchanged(json, slices);
  yield Buffer.concat(lines);
}

async function* membersIn(scanner: MemberScanner) {
  try {
    if ((await scanner.enter()) !== true) return;
    for (let member = await scanner.next(); member !== undefined; member = await scanner.next()) yield member;
  } catch (error) {
    throw changedMeanwhile(error);
  }
}

async function checkUnchanged(json: JsonFile, slices: Slices): Promise<void> {
  let crc = 0;
  const all = wholeLines(json.source, 0, json.entriesEnd, bytes => { crc = checksum(bytes, crc); });
  for await (const lines of all) if (lines.length >= 0 && slices.due) await slices.rest();
  if (crc !== json.entriesCrc) throw changedMeanwhile();
}

function changedMeanwhile(cause?: unknown): ProviderError {
  return new ProviderError('json-file: the .json file was changed while it was read', { kind: 'retry', ...(cause !== undefined && { cause }) });
}

/** The deadlines that a `.json` file states; of an edited one, also of entries that are gone. */
export async function readDeadlines(json: JsonFile, slices: Slices): Promise<ShardedMap<number>> {
  const deadlines = new ShardedMap<number>();
  if (json.deadlinesAt === undefined) return deadlines;
  const scanner = new MemberScanner(json.source, json.deadlinesAt, json.identity.size);
  for await (const { key, text } of membersIn(scanner)) {
    const expiresAt = Number(text.toString('latin1'));
    // In our own file every key has its one form already; an editor may have written another.
    const raw = json.genuine ? rawKeyAt(key, 0, key.length) : rawKeyOf(keyAt(key, 0, key.length));
    if (Number.isFinite(expiresAt)) deadlines.set(raw, expiresAt);
    if (slices.due) await slices.rest();
  }
  return deadlines;
}

/** The deadlines of the entries in a `.json` file: an editor who removes an entry leaves its deadline in the header. */
export async function heldDeadlines(json: JsonFile, slices: Slices): Promise<ShardedMap<number>> {
  const stated = await readDeadlines(json, slices);
  if (json.genuine || stated.size === 0) return stated;
  const held = new ShardedMap<number>();
  for await (const lines of entryLines(json, slices)) {
    for (let at = 0; at < lines.length;) {
      const keyEnd = closingQuote(lines, at + 1);
      const key = rawKeyAt(lines, at + 1, keyEnd);
      const expiresAt = stated.get(key);
      if (expiresAt !== undefined) held.set(key, expiresAt);
      at = lines.indexOf(0x0a, keyEnd) + 1;
    }
    if (slices.due) await slices.rest();
  }
  return held;
}
