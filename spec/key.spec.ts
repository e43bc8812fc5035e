import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { InvalidKeyError } from '../lib/errors.ts';
import { checkKey, checkStoreName } from '../lib/key.ts';

function refusalOf(check: () => void): InvalidKeyError {
  try {
    check();
  } catch (error) {
    if (error instanceof InvalidKeyError) return error;
    throw error;
  }
  throw new Error('accepted');
}

const keyRefusal = (key: unknown): InvalidKeyError => refusalOf(() => checkKey(key));
const nameRefusal = (name: unknown): InvalidKeyError => refusalOf(() => checkStoreName(name));

describe('checkKey', () => {
  it.each(['a', ' ', '0', '__proto__', 'constructor', 'toString', 'a/b\\c', '..', '\n\t', 'ä€😀', '\uFEFF', '"', 'nul'])('accepts %j', (key) => {
    expect(() => checkKey(key)).not.toThrow();
  });

  it('accepts 1,024 bytes of UTF-8, and refuses one more, however many characters that are', () => {
    for (const [character, bytes] of [['a', 1], ['é', 2], ['€', 3], ['😀', 4]] as const) {
      const longest = character.repeat(Math.floor(1_024 / bytes)).padEnd(1_024 / bytes === Math.floor(1_024 / bytes) ? 0 : Math.floor(1_024 / bytes) + 1, 'a');
      expect(new TextEncoder().encode(longest)).toHaveLength(1_024);
      expect(() => checkKey(longest)).not.toThrow();
      expect(keyRefusal(`${longest}a`).message).toContain('has 1025 UTF-8 bytes; at most 1024 are allowed. Use a hash');
    }
  });

  it('accepts exactly the well-formed strings of 1 to 1,024 UTF-8 bytes without NUL', () => {
    const units = fc.string({ unit: fc.oneof(fc.constantFrom('a', '€', '😀', '\0', '\uD800', '\uDC00'), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 })), maxLength: 6 });
    const strings = fc.tuple(units, fc.nat({ max: 600 })).map(([start, times]) => start + 'é'.repeat(times));
    fc.assert(
      fc.property(strings, (key) => {
        const bytes = Buffer.byteLength(key);
        const isGood = bytes >= 1 && bytes <= 1_024 && !key.includes('\0') && Buffer.from(key).toString() === key;
        if (isGood) expect(() => checkKey(key)).not.toThrow();
        else expect(() => checkKey(key)).toThrow(InvalidKeyError);
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it.each([
    [1, 'a value of type number'],
    [undefined, 'a value of type undefined'],
    [null, 'null'],
    [Symbol('key'), 'a value of type symbol'],
    [['a'], 'a value of type object'],
    [Object('a'), 'a value of type object'],
  ])('refuses %s, which is no string, and says how to make it one', (key, came) => {
    const error = keyRefusal(key);
    expect(error.code).toBe('INVALID_KEY');
    expect(error.message).toBe(`A key must be a string, not ${came}. Convert it first, for example with String(key).`);
  });

  it('refuses the empty string, half a surrogate pair and NUL, and says why', () => {
    expect(keyRefusal('').message).toContain('empty string');
    expect(keyRefusal('a\uD800b').message).toContain('"a\\ud800b" holds half a surrogate pair');
    expect(keyRefusal('\uDC00').message).toContain('half a surrogate pair');
    expect(keyRefusal('a\0').message).toContain('"a\\u0000" holds a NUL character');
  });

  it('never tells a long key at length', () => {
    for (const key of ['a'.repeat(1_000_000), `${'a'.repeat(1_000_000)}\0`, `\uD800${'a'.repeat(1_000_000)}`]) expect(keyRefusal(key).message.length).toBeLessThan(200);
  });
});

describe('checkStoreName', () => {
  it.each(['a', ' ', '.', '..', '../up', 'con', 'a/b', '*?"<>|', 'ä€😀', '__proto__', 'a'.repeat(128)])('accepts %j', (name) => {
    expect(() => checkStoreName(name)).not.toThrow();
  });

  it.each([
    ['', '"" (0 characters)'],
    ['a'.repeat(129), `"${'a'.repeat(40)}"… (129 characters)`],
    ['\uD800', '"\\ud800" (1 characters)'],
    ['a\0', '"a\\u0000" (2 characters)'],
    [undefined, 'a value of type undefined'],
    [null, 'null'],
    [7, 'a value of type number'],
  ])('refuses %j', (name, came) => {
    expect(nameRefusal(name).message).toBe(`A store's name must be a well-formed string of 1 to 128 characters without NUL, not ${came}.`);
  });
});
