import type { CommitFeed, Cursor, Entry, Touched } from '../provider.ts';
import { keyOf } from './keys.ts';
import { memberText, mutationAt } from './log-lines.ts';
import type { Slices } from './slices.ts';

/** What a record's lines did, or where a line stands that is no mutation. A key stands in one line, a `clear` in the first. */
export async function commitOf(body: Buffer, cursor: Cursor, slices: Slices): Promise<CommitFeed | number> {
  const { version } = cursor;
  const entries: Entry[] = [];
  const deleted: string[] = [];
  const touched: Touched[] = [];
  let cleared = false;
  for (let at = 0, lines = 1; at < body.length; lines += 1) {
    const end = body.indexOf(0x0a, at);
    const mutation = end < 0 ? undefined : mutationAt(body, at, end);
    if (mutation === undefined) return at;
    if (mutation.type === 'clear') cleared = true;
    else if (mutation.type === 'delete') deleted.push(keyOf(mutation.key));
    else if (mutation.type === 'touch') touched.push({ key: keyOf(mutation.key), expiresAt: mutation.expiresAt });
    else {
      const { key, expiresAt } = mutation;
      entries.push({ key: keyOf(key), json: memberText(mutation), version, ...(expiresAt !== undefined && { expiresAt }) });
    }
    at = end + 1;
    if (lines % 64 === 0 && slices.due) await slices.rest();
  }
  return { type: 'commit', cursor, cleared, entries, deleted, ...(touched.length > 0 && { touched }) };
}
