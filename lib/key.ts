import { InvalidKeyError } from './errors.ts';

const MAX_KEY_BYTES = 1_024;
const MAX_NAME_LENGTH = 128;
/** A UTF-16 unit takes at most three bytes in UTF-8, so a shorter key needs no counting. */
const SURELY_SHORT_ENOUGH = Math.floor(MAX_KEY_BYTES / 3);

const utf8 = new TextEncoder();

/**
 * Checks that every provider can hold this key: a well-formed string of 1 to 1,024 UTF-8 bytes without NUL.
 * @throws InvalidKeyError
 */
export function checkKey(key: unknown): asserts key is string {
  if (typeof key !== 'string') {
    throw new InvalidKeyError(`A key must be a string, not ${describeType(key)}. Convert it first, for example with String(key).`);
  }
  if (key.length === 0) throw new InvalidKeyError('A key must not be the empty string: use 1 to 1,024 bytes.');
  if (!key.isWellFormed()) throw new InvalidKeyError(`The key ${show(key)} holds half a surrogate pair, which UTF-8 cannot carry.`);
  if (key.includes('\0')) throw new InvalidKeyError(`The key ${show(key)} holds a NUL character, which databases cannot carry.`);
  if (key.length > SURELY_SHORT_ENOUGH) {
    const bytes = utf8.encode(key).length;
    if (bytes > MAX_KEY_BYTES) {
      throw new InvalidKeyError(`The key ${show(key)} has ${bytes} UTF-8 bytes; at most ${MAX_KEY_BYTES} are allowed. Use a hash of it as the key.`);
    }
  }
}

/**
 * Checks a store's name: a well-formed string of 1 to 128 characters.
 * @throws InvalidKeyError
 */
export function checkStoreName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || name.length === 0 || name.length > MAX_NAME_LENGTH || !name.isWellFormed() || name.includes('\0')) {
    const came = typeof name === 'string' ? `${show(name)} (${name.length} characters)` : describeType(name);
    throw new InvalidKeyError(`A store's name must be a well-formed string of 1 to ${MAX_NAME_LENGTH} characters without NUL, not ${came}.`);
  }
}

function show(text: string): string {
  return text.length <= 40 ? JSON.stringify(text) : `${JSON.stringify(text.slice(0, 40))}…`;
}

function describeType(value: unknown): string {
  return value === null ? 'null' : `a value of type ${typeof value}`;
}
