import { isUtf8 } from 'node:buffer';

import { readAt, type Source } from './blocks.ts';
import { damaged } from './damage.ts';
import { type JsonHeader, jsonHeaderFrom } from './json-header.ts';
import { keyAt, rawKeyOf, type RawKey } from './keys.ts';
import { JsonSyntaxError, type Member, MemberScanner } from './member-scanner.ts';
import type { Slices } from './slices.ts';

/** What a look at every member of a JSON object of somebody else's making tells. */
export interface ScannedObject {
  readonly header: JsonHeader | undefined;
  readonly deadlinesAt: number | undefined;
  readonly duplicates: ReadonlyMap<RawKey, number>;
  readonly empty: boolean;
  /** Whether there is not even an object. */
  readonly blank: boolean;
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Windows editors put it in front of UTF-8. */
export async function afterByteOrderMark(file: Source): Promise<number> {
  return (await readAt(file, 0, 3)).equals(byteOrderMark) ? 3 : 0;
}

/**
 * Checks that the file is one JSON object, every value of it, and finds our header and double keys in it.
 * A file of white space only, as `touch` makes it, is an object without members.
 * @throws CorruptDataError with the place where it is not.
 */
export async function scanObject(path: string, file: Source, size: number, slices: Slices): Promise<ScannedObject> {
  const scanner = new MemberScanner(file, await afterByteOrderMark(file), size);
  try {
    return await scan(path, scanner, slices);
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw damaged('json', path, error.offset, `it is not JSON: ${error.message}`, error);
    throw error;
  }
}

async function scan(path: string, scanner: MemberScanner, slices: Slices): Promise<ScannedObject> {
  const entered = await scanner.enter();
  if (entered === undefined) return { header: undefined, deadlinesAt: undefined, duplicates: new Map(), empty: true, blank: true };
  if (!entered) throw damaged('json', path, scanner.offset, 'a dictionary is a JSON object, { "key": value }, and this is something else');
  const places = new Map<RawKey, number>();
  const duplicates = new Map<RawKey, number>();
  let header: { value: unknown; member: Member } | undefined;
  for (let member = await scanner.next(); member !== undefined; member = await scanner.next()) {
    const key = checkedKey(member);
    const value = checkedValue(member);
    if (key === '') header = { value, member };
    const raw = rawKeyOf(key);
    if (places.has(raw)) duplicates.set(raw, member.offset);
    places.set(raw, member.offset);
    if (slices.due) await slices.rest();
  }
  await scanner.finish();
  const empty = places.size - (header === undefined ? 0 : 1) === 0;
  if (header === undefined) return { header: undefined, deadlinesAt: undefined, duplicates, empty, blank: false };
  return { header: jsonHeaderFrom(header.value, path, header.member.offset), deadlinesAt: deadlinesIn(header.member), duplicates, empty, blank: false };
}

function checkedKey(member: Member): string {
  if (!isUtf8(member.key)) throw new JsonSyntaxError('a key in UTF-8', member.offset);
  try {
    const key = keyAt(member.key, 0, member.key.length);
    JSON.parse(`"${member.key.toString()}"`);
    return key;
  } catch {
    throw new JsonSyntaxError('a key, a string', member.offset);
  }
}

function checkedValue(member: Member): unknown {
  if (!isUtf8(member.text)) throw new JsonSyntaxError('a value in UTF-8', member.textOffset);
  try {
    return JSON.parse(member.text.toString());
  } catch (error) {
    throw new JsonSyntaxError(`a JSON value (${error instanceof Error ? error.message : 'not JSON'})`, member.textOffset);
  }
}

/** Where the object of the deadlines stands in the header of a file that was edited or laid out anew. */
function deadlinesIn(header: Member): number | undefined {
  const found = /"deadlines"\s*:\s*(?=\{)/.exec(header.text.toString('latin1'));
  return found === null ? undefined : header.textOffset + found.index + found[0].length;
}
