/** What JSON.stringify would escape, and more: surrogates are left to it, so that only lone ones are escaped. */
// eslint-disable-next-line no-control-regex -- control characters are the point
const special = /["\\\u0000-\u001f\ud800-\udfff]/;

/** The key's one form in our files, as JSON.stringify gives it; a plain key takes a tenth of its time. */
export function keyText(key: string): string {
  return special.test(key) ? JSON.stringify(key) : `"${key}"`;
}

/**
 * A key as the index of a log knows it: the bytes between its quotes, each as one character. Both a log and a `.json` file in our
 * own layout hold the one form of a key, so equal keys have equal bytes, and nothing needs to be decoded to be compared.
 */
export type RawKey = string;

export function rawKeyAt(bytes: Buffer, start: number, end: number): RawKey {
  return bytes.toString('latin1', start, end);
}

/** @throws SyntaxError if the bytes between the quotes are no JSON string. */
export function keyAt(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  return text.includes('\\') ? parseString(`"${text}"`) : text;
}

export function keyOf(raw: RawKey): string {
  const bytes = Buffer.from(raw, 'latin1');
  return keyAt(bytes, 0, bytes.length);
}

function parseString(text: string): string {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'string') throw new SyntaxError('not a string');
  return value;
}

const quote = 0x22;
const backslash = 0x5c;

/** Where the string ends whose opening quote stands before `from`: the place of its closing quote, or -1. */
export function closingQuote(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === quote) return at;
    if (byte === backslash) at += 1;
  }
  return -1;
}

export function rawKeyOf(key: string): RawKey {
  const text = keyText(key);
  return Buffer.from(text).toString('latin1').slice(1, -1);
}
