import { ignore } from './durable-file.ts';

/** What can be read at any place: an open file, or what was kept of one. */
export interface Source {
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
}

/** A file's content in memory. */
export class Kept implements Source {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }> {
    return Promise.resolve({ bytesRead: this.#bytes.copy(buffer, offset, position, position + length) });
  }
}

export const blockBytes = 1 << 20;

/** The bytes from `start` to `end`, as many as there are, in buffers that the reader may keep. While one is looked at, the next is read. */
export async function* blocks(file: Source, start: number, end: number): AsyncGenerator<Buffer, void> {
  const read = (at: number): Promise<Buffer> => {
    const reading = readAt(file, at, Math.min(blockBytes, end - at));
    reading.catch(ignore); // it may fail before anybody asks for it, or after nobody does
    return reading;
  };
  let at = start;
  let reading = at < end ? read(at) : undefined;
  while (reading !== undefined) {
    const block = await reading;
    if (block.length === 0) return;
    at += block.length;
    reading = at < end ? read(at) : undefined;
    yield block;
  }
}

/** One call reads no more than 2 GiB. */
const mostAtOnce = 1 << 30;

/** Up to `length` bytes; fewer only where the file ends. */
export async function readAt(file: Source, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, Math.min(length - done, mostAtOnce), position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done === length ? buffer : buffer.subarray(0, done);
}

/** Reads on from a place, by lines and by lengths; never beyond `end`. */
export class ByteReader {
  readonly #file: Source;
  readonly #end: number;
  #at: number;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(file: Source, start: number, end: number) {
    this.#file = file;
    this.#at = start;
    this.#end = end;
  }

  /** Where the next byte stands in the file. */
  get offset(): number {
    return this.#at - this.#buffer.length;
  }

  get left(): number {
    return this.#end - this.offset;
  }

  /** The next line without its line feed; undefined, and nothing taken, if no line feed comes. */
  async line(): Promise<Buffer | undefined> {
    for (let searched = 0; ;) {
      const end = this.#buffer.indexOf(0x0a, searched);
      if (end >= 0) {
        const line = this.#buffer.subarray(0, end);
        this.#buffer = this.#buffer.subarray(end + 1);
        return line;
      }
      searched = this.#buffer.length;
      if (!(await this.#fill(blockBytes))) return undefined;
    }
  }

  /** The next `length` bytes; undefined, and nothing taken, if there are not so many. */
  async take(length: number): Promise<Buffer | undefined> {
    if (length > this.left) return undefined;
    while (this.#buffer.length < length) {
      if (!(await this.#fill(Math.max(blockBytes, length - this.#buffer.length)))) return undefined;
    }
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async #fill(length: number): Promise<boolean> {
    const block = await readAt(this.#file, this.#at, Math.min(length, this.#end - this.#at));
    this.#at += block.length;
    this.#buffer = this.#buffer.length === 0 ? block : Buffer.concat([this.#buffer, block]);
    return block.length > 0;
  }
}

/**
 * The bytes from `start` to `end` in buffers of whole lines, each with its line feed. What follows the last line feed is left out.
 * @param seen is told of every byte, for a checksum.
 */
export async function* wholeLines(file: Source, start: number, end: number, seen: (bytes: Buffer) => void): AsyncGenerator<Buffer, void> {
  let pieces: Buffer[] = [];
  for await (const block of blocks(file, start, end)) {
    seen(block);
    const cut = block.lastIndexOf(0x0a) + 1;
    if (cut === 0) {
      pieces.push(block);
      continue;
    }
    const lines = block.subarray(0, cut);
    yield pieces.length === 0 ? lines : Buffer.concat([...pieces, lines]);
    pieces = cut < block.length ? [block.subarray(cut)] : [];
  }
}
