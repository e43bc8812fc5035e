import { blockBytes, readAt, type Source } from './blocks.ts';
import { closingQuote } from './keys.ts';

/** A member of a JSON object, as raw text. The buffers are parts of what was read. */
export interface Member {
  /** Between the quotes. */
  readonly key: Buffer;
  readonly text: Buffer;
  /** Where it starts in the file. */
  readonly offset: number;
  /** Where its value starts in the file. */
  readonly textOffset: number;
}

/** What the scanner found where something else belongs. */
export class JsonSyntaxError extends Error {
  readonly offset: number;

  constructor(expected: string, offset: number) {
    super(`expected ${expected}`);
    this.offset = offset;
  }
}

const sign = { quote: 0x22, comma: 0x2c, colon: 0x3a, openArray: 0x5b, closeArray: 0x5d, openObject: 0x7b, closeObject: 0x7d, backslash: 0x5c };

/**
 * Finds the members of the JSON object that starts at a place in a file, whatever its layout. It finds where values end and
 * does not look into them: the caller who does not know that they are JSON has to parse them.
 */
export class MemberScanner {
  readonly #file: Source;
  readonly #end: number;
  #window: Buffer = Buffer.alloc(0);
  /** Where the window starts in the file. */
  #start: number;
  #position = 0;
  #members = 0;

  constructor(file: Source, start: number, end: number) {
    this.#file = file;
    this.#start = start;
    this.#end = end;
  }

  /** Where the scanner stands in the file. */
  get offset(): number {
    return this.#start + this.#position;
  }

  /** Goes into the object; false, and no further, if something else stands there; undefined if nothing does. */
  async enter(): Promise<boolean | undefined> {
    const next = await this.#peek();
    if (next === sign.openObject) this.#position += 1;
    return next === undefined ? undefined : next === sign.openObject;
  }

  /** @returns undefined behind the last member, and behind the object's brace. */
  async next(): Promise<Member | undefined> {
    for (;;) {
      const found = this.#scan();
      if (found !== 'more') return found;
      // Doubled, so that a value longer than the window is not scanned over and over.
      if (await this.#fill(Math.max(blockBytes, this.#window.length))) continue;
      throw new JsonSyntaxError('the object to go on, but the file ends', this.#end);
    }
  }

  /** @throws JsonSyntaxError unless only white space is left. */
  async finish(): Promise<void> {
    if ((await this.#peek()) !== undefined) throw new JsonSyntaxError('the end of the file behind the object', this.offset);
  }

  async #peek(): Promise<number | undefined> {
    for (;;) {
      this.#position = afterSpace(this.#window, this.#position);
      if (this.#position < this.#window.length) return this.#window[this.#position];
      if (!(await this.#fill(blockBytes))) return undefined;
    }
  }

  async #fill(length: number): Promise<boolean> {
    const at = this.#start + this.#window.length;
    const block = await readAt(this.#file, at, Math.min(length, this.#end - at));
    const rest = this.#window.subarray(this.#position);
    this.#start += this.#position;
    this.#position = 0;
    this.#window = rest.length === 0 ? block : Buffer.concat([rest, block]);
    return block.length > 0;
  }

  /** Takes the next member from the window, or nothing at all if it is not whole there. */
  #scan(): Member | undefined | 'more' {
    const bytes = this.#window;
    let at = afterSpace(bytes, this.#position);
    if (at >= bytes.length) return 'more';
    if (bytes[at] === sign.closeObject) {
      this.#position = at + 1;
      return undefined;
    }
    if (this.#members > 0) {
      if (bytes[at] !== sign.comma) throw this.#wrong('a comma or a closing brace', at);
      at = afterSpace(bytes, at + 1);
      if (at >= bytes.length) return 'more';
    }
    return this.#scanMember(bytes, at);
  }

  #scanMember(bytes: Buffer, start: number): Member | 'more' {
    if (bytes[start] !== sign.quote) throw this.#wrong('a member, which starts with a quote', start);
    const keyEnd = closingQuote(bytes, start + 1);
    const colon = keyEnd < 0 ? bytes.length : afterSpace(bytes, keyEnd + 1);
    if (colon >= bytes.length) return 'more';
    if (bytes[colon] !== sign.colon) throw this.#wrong('a colon', colon);
    const textStart = afterSpace(bytes, colon + 1);
    const textEnd = valueEnd(bytes, textStart);
    if (textEnd < 0) return 'more';
    if (textEnd === textStart) throw this.#wrong('a value', textStart);
    const member = {
      key: bytes.subarray(start + 1, keyEnd),
      text: bytes.subarray(textStart, textEnd),
      offset: this.#start + start,
      textOffset: this.#start + textStart,
    };
    this.#position = textEnd;
    this.#members += 1;
    return member;
  }

  #wrong(expected: string, at: number): JsonSyntaxError {
    return new JsonSyntaxError(expected, this.#start + at);
  }
}

function afterSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (isSpace(bytes[at])) at += 1;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Where the value ends that starts at `from`, or -1 if it does not end here. */
function valueEnd(bytes: Uint8Array, from: number): number {
  const first = bytes[from];
  if (first === sign.quote) return closingQuote(bytes, from + 1) + 1 || -1;
  if (first === sign.openObject || first === sign.openArray) return nestedEnd(bytes, from);
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === sign.comma || byte === sign.closeObject || byte === sign.closeArray || isSpace(byte)) return at;
  }
  return -1;
}

function nestedEnd(bytes: Uint8Array, from: number): number {
  let depth = 0;
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === sign.quote) {
      at = closingQuote(bytes, at + 1);
      if (at < 0) return -1;
    } else if (byte === sign.openObject || byte === sign.openArray) {
      depth += 1;
    } else if (byte === sign.closeObject || byte === sign.closeArray) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}

/** The value's text without the white space between its tokens; the tokens stay as they are, long numbers and double members too. */
export function compacted(text: Buffer): Buffer {
  const result = Buffer.allocUnsafeSlow(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at] ?? 0;
    if (byte === sign.quote) {
      const end = closingQuote(text, at + 1);
      length += text.copy(result, length, at, end + 1);
      at = end;
    } else if (!isSpace(byte)) {
      result[length] = byte;
      length += 1;
    }
  }
  return result.subarray(0, length);
}
