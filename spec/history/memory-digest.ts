import { createHash } from 'node:crypto';

import { idOf, nameOf } from './written-value.ts';

/** A short text that tells two states of the dictionary apart. */
export function digestOf(entries: Iterable<readonly [string, unknown]>): string {
  const lines = Array.from(entries, ([key, value]) => `${key} ${nameOf(idOf(value) ?? 0)}\n`).sort();
  const hash = createHash('sha256');
  for (const line of lines) hash.update(line);
  return `${lines.length} entries, sha256 ${hash.digest('hex').slice(0, 16)}`;
}
