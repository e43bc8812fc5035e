import { CorruptDataError, type PersistifyError, ProviderError } from '../../errors.ts';
import type { Mutation } from '../../mutation.ts';
import type { StoreFiles } from './file-names.ts';
import type { JsonFile } from './json-file.ts';
import { closingQuote, keyOf, type RawKey, rawKeyAt } from './keys.ts';
import type { LogIndex } from './log-index.ts';
import { textStart } from './log-lines.ts';
import { compacted } from './member-scanner.ts';
import { entryLines, readDeadlines } from './read-json.ts';
import type { Slices } from './slices.ts';

/** What an edited `.json` file says otherwise than the logs that stand on it. */
export interface Contested {
  /** Of keys that were edited: what is to be written for them. The edit came later than what the logs hold. */
  readonly edits: readonly Mutation[];
  /** Keys that may have been edited, or may stand there as they always did: what the file held before is not known. The logs count. */
  readonly doubtful: readonly string[];
}

/**
 * Whoever edits a file sees in it what was folded last, and not what the logs hold. So what he left as it was is no edit; only what
 * differs from the file that he saw is.
 * @param before the file in the place of which the edit came; `unknown` if nobody has it.
 */
export async function contestedBy(edited: JsonFile, before: JsonFile | 'unknown' | undefined, index: LogIndex, slices: Slices): Promise<Contested> {
  if (index.isEmpty) return { edits: [], doubtful: [] };
  const found = await hiddenTexts(edited, index, slices);
  const known = await knownTexts(before, index, slices);
  const deadlines = await readDeadlines(edited, slices);
  const edits: Mutation[] = [];
  const doubtful: string[] = [];
  for (const [key, text] of found) {
    if (slices.due) await slices.rest();
    // Most are as they were, byte for byte.
    if (isSameValue(text, known?.get(key)) || isSameValue(text, loggedText(key, index))) continue;
    const expiresAt = deadlines.get(key);
    if (known === undefined) doubtful.push(keyOf(key));
    else edits.push({ type: 'set', key: keyOf(key), json: text.toString(), ...(expiresAt !== undefined && { expiresAt }) });
  }
  for (const key of known?.keys() ?? []) {
    if (!found.has(key) && index.get(key)?.type === 'set') edits.push({ type: 'delete', key: keyOf(key) });
  }
  return { edits, doubtful };
}

export function tellDoubtful(keys: readonly string[], files: StoreFiles, report: (error: PersistifyError) => void): void {
  const [key] = keys;
  if (key === undefined) return;
  const location = files.json;
  const named = keys.slice(0, mostNamed).map(name => JSON.stringify(name)).join(', ') + (keys.length > mostNamed ? ` and ${keys.length - mostNamed} more` : '');
  report(new CorruptDataError(
    `${location} was edited; of keys that were written since it was last brought up to date it cannot be known whether they were edited too, so what was written stays where it holds something else: ${named}`,
    { location, key },
  ));
}

const mostNamed = 5;

/** The file's values that the logs hide. */
async function hiddenTexts(json: JsonFile, index: LogIndex, slices: Slices): Promise<Map<RawKey, Buffer>> {
  const texts = new Map<RawKey, Buffer>();
  for await (const lines of entryLines(json, slices)) {
    for (let at = 0; at < lines.length;) {
      const keyEnd = closingQuote(lines, at + 1);
      const end = lines.indexOf(0x0a, keyEnd);
      const key = rawKeyAt(lines, at + 1, keyEnd);
      const change = index.get(key);
      if (change === undefined ? index.cleared : change.type !== 'touch') texts.set(key, lines.subarray(keyEnd + 2, end - 1));
      at = end + 1;
    }
    if (slices.due) await slices.rest();
  }
  return texts;
}

/** @returns undefined if nobody knows: an editor has written into the very file. */
async function knownTexts(json: JsonFile | 'unknown' | undefined, index: LogIndex, slices: Slices): Promise<ReadonlyMap<RawKey, Buffer> | undefined> {
  if (json === 'unknown') return undefined;
  if (json === undefined) return new Map();
  try {
    return await hiddenTexts(json, index, slices);
  } catch (error) {
    if (error instanceof ProviderError) return undefined;
    throw error;
  }
}

function loggedText(key: RawKey, index: LogIndex): Buffer | undefined {
  const change = index.get(key);
  return change?.type === 'set' ? change.bytes.subarray(textStart(key, change.start), change.end) : undefined;
}

/** Whether one text may be the other, laid out anew by an editor or a program. */
function isSameValue(one: Buffer, other: Buffer | undefined): boolean {
  if (other === undefined) return false;
  return one.equals(other) || compacted(one).equals(compacted(other)) || canonical(one) === canonical(other);
}

function canonical(text: Buffer): string {
  return JSON.stringify(JSON.parse(text.toString()));
}
