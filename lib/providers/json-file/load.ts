import type { Entry, Page } from '../provider.ts';
import { closingQuote, keyAt, keyOf } from './keys.ts';
import { memberText } from './log-lines.ts';
import { rawEntries, type Snapshot, type Stretch } from './snapshot.ts';

const pageEntries = 1_000;

/** The pages of a snapshot. @param versionOf the version of a key's entry. */
export async function* pagesOf(snapshot: Snapshot, versionOf: (key: string) => number): AsyncGenerator<Page, void> {
  const version = snapshot.seq;
  let entries: Entry[] = [];
  for await (const stretches of rawEntries(snapshot)) {
    for (const stretch of stretches) entriesOf(stretch, versionOf, entries);
    if (entries.length < pageEntries) continue;
    yield { entries, version };
    entries = [];
  }
  yield { entries, version };
}

function entriesOf(stretch: Stretch, versionOf: (key: string) => number, entries: Entry[]): void {
  if (!Buffer.isBuffer(stretch)) {
    const key = keyOf(stretch.key);
    const { expiresAt } = stretch;
    entries.push({ key, json: memberText(stretch), version: versionOf(key), ...(expiresAt !== undefined && { expiresAt }) });
    return;
  }
  const textBetween = textsOf(stretch);
  for (let at = 0; at < stretch.length;) {
    const keyEnd = closingQuote(stretch, at + 1);
    const end = stretch.indexOf(0x0a, keyEnd);
    const key = keyAt(stretch, at + 1, keyEnd); // a string of its own, as it stays
    entries.push({ key, json: textBetween(keyEnd + 2, end - 1), version: versionOf(key) });
    at = end + 1;
  }
}

/**
 * The text between two places of a stretch. Where each byte is a character, as no longer text has as many, all of it is decoded at
 * once and cut: a call for each value takes several times as long. What is cut holds on to the whole, which is for as long as it is
 * being parsed.
 */
function textsOf(stretch: Buffer): (start: number, end: number) => string {
  const text = stretch.toString();
  if (text.length === stretch.length) return (start, end) => text.slice(start, end);
  return (start, end) => stretch.toString('utf8', start, end);
}

/** The keys of a snapshot. */
export async function* keysOf(snapshot: Snapshot): AsyncGenerator<readonly string[], void> {
  for await (const { entries } of pagesOf(snapshot, () => 0)) yield entries.map(({ key }) => key);
}
