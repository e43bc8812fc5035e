import type { Mutation } from '../../mutation.ts';
import { closingQuote, keyText, type RawKey, rawKeyAt } from './keys.ts';

/*
 * A line of a log, one a mutation:
 *
 *   ="key":text             set
 *   =1767225600000"key":text    set, with a deadline
 *   -"key"                  delete
 *   ~1767225600000"key"     touch: the later of the stored deadline and this one
 *   *                       clear
 *
 * What is conditional was decided before it was written: an `expire` that came true is a delete, and one that did not has no line,
 * but stands among what was left out in the record's first line.
 */

/** The line of a mutation, with its line feed. */
export function lineOf(mutation: Mutation): string {
  switch (mutation.type) {
    case 'set':
      return `=${mutation.expiresAt ?? ''}${keyText(mutation.key)}:${mutation.json}\n`;
    case 'delete':
    case 'expire':
      return `-${keyText(mutation.key)}\n`;
    case 'touch':
      return `~${mutation.expiresAt}${keyText(mutation.key)}\n`;
    case 'clear':
      return '*\n';
  }
}

/** One line of a log as it is read; `member` is a part of the buffer that was read: `"key":text`, as it stands in a `.json` file. */
export type LoggedMutation =
  | { readonly type: 'set'; readonly key: RawKey; readonly member: Buffer; readonly expiresAt: number | undefined }
  | { readonly type: 'delete'; readonly key: RawKey }
  | { readonly type: 'touch'; readonly key: RawKey; readonly expiresAt: number }
  | { readonly type: 'clear' };

/** Where the text begins in a member with this key. */
export function textStart(key: RawKey): number {
  return key.length + 3;
}

const sign = { set: 0x3d, delete: 0x2d, touch: 0x7e, clear: 0x2a, quote: 0x22, colon: 0x3a };

/** The mutation in the line from `start` to its line feed at `end`; undefined if it is none. */
export function mutationAt(bytes: Buffer, start: number, end: number): LoggedMutation | undefined {
  const type = bytes[start];
  if (type === sign.clear) return end === start + 1 ? { type: 'clear' } : undefined;
  let keyStart = start + 1;
  while (keyStart < end && bytes[keyStart] !== sign.quote) keyStart += 1;
  const keyEnd = closingQuote(bytes, keyStart + 1);
  if (keyEnd < 0 || keyEnd >= end) return undefined;
  const key = rawKeyAt(bytes, keyStart + 1, keyEnd);
  const expiresAt = keyStart === start + 1 ? undefined : Number(bytes.toString('latin1', start + 1, keyStart));
  if (Number.isNaN(expiresAt)) return undefined;
  if (type === sign.set && bytes[keyEnd + 1] === sign.colon) return { type: 'set', key, member: bytes.subarray(keyStart, end), expiresAt };
  if (keyEnd !== end - 1) return undefined;
  if (type === sign.delete) return { type: 'delete', key };
  return type === sign.touch && expiresAt !== undefined ? { type: 'touch', key, expiresAt } : undefined;
}

