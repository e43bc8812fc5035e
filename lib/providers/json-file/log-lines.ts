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

/**
 * What stands as `"key":text` in a buffer that was read, from `start` to `end`, in a log as in a `.json` file. Places and no buffer of its
 * own: those of a long log are many, and to collect what survives would hold the event loop.
 */
export interface Member {
  readonly key: RawKey;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

export function memberText({ key, bytes, start, end }: Member): string {
  return bytes.toString('utf8', textStart(key, start), end);
}

/** Where the text begins in a member that begins at `start`. */
export function textStart(key: RawKey, start: number): number {
  return start + key.length + '"":'.length;
}

/** One line of a log as it is read. */
export type LoggedMutation =
  | (Member & { readonly type: 'set'; readonly expiresAt: number | undefined })
  | { readonly type: 'delete'; readonly key: RawKey }
  | { readonly type: 'touch'; readonly key: RawKey; readonly expiresAt: number }
  | { readonly type: 'clear' };

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
  if (type === sign.set && bytes[keyEnd + 1] === sign.colon) return { type: 'set', key, bytes, start: keyStart, end, expiresAt };
  if (keyEnd !== end - 1) return undefined;
  if (type === sign.delete) return { type: 'delete', key };
  return type === sign.touch && expiresAt !== undefined ? { type: 'touch', key, expiresAt } : undefined;
}

