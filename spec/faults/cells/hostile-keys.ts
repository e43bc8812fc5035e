import fc from 'fast-check';

import { hostileKeys } from '../../../lib/conformance/hostile.ts';

const longest = 1_024;
const byteLength = (text: string): number => Buffer.byteLength(text);

/** Whether each provider has to take it. */
export function isKey(key: unknown): key is string {
  return typeof key === 'string' && key !== '' && key.isWellFormed() && !key.includes('\0') && byteLength(key) <= longest;
}

/** All are strings, as far as types go; some are not. */
export const hostileKey: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...hostileKeys) },
  { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.integer().map(String) },
  { weight: 1, arbitrary: fc.constantFrom('\u200fright\u202eto left\u2066', "'; DROP TABLE x; --", '" OR 1=1', '../../etc/passwd', '${key}', '%s', 'k'.repeat(longest), 'é'.repeat(longest / 2)) },
  { weight: 1, arbitrary: fc.constantFrom('', '\0', 'a\0b', '\ud800', 'a\udfffb', 'k'.repeat(longest + 1), 'é'.repeat(longest / 2 + 1), 'k'.repeat(1_000_000)) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(1, null, undefined, true, {}, ['a'], { toString: 'no function' }) },
);
