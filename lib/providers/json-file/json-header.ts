import { damaged } from './damage.ts';
import { format } from './log-format.ts';
import { fieldsOf, type Settled, settledAsWritten, settledFrom } from './settled.ts';

/** What our header, the member "" of a `.json` file, says besides the deadlines. */
export interface JsonHeader {
  readonly name: string | undefined;
  readonly generation: number;
  readonly seq: number;
  /** The modification time that the file was given, in milliseconds: an edit moves it, decay of the disk does not. */
  readonly written: number | undefined;
  /** Spaces; none: one entry a line. */
  readonly indent: number | undefined;
  readonly settled: Settled | undefined;
  /** Empty if there is none. */
  readonly crc: string;
}

/** @throws CorruptDataError if it is somebody else's, or of a newer version. */
export function jsonHeaderFrom(value: unknown, path: string, offset: number): JsonHeader {
  const fields = fieldsOf(value);
  const { name, generation, seq, written, indent, crc } = fields;
  if (fields['format'] !== format) {
    const what = typeof fields['format'] === 'string' && fields['format'].startsWith('rx-persistify/')
      ? `its format is ${fields['format']}, which a newer version of rx-persistify wrote; use that version`
      : 'it has a member with an empty name, which is kept for the header of rx-persistify, and this is none';
    throw damaged('json', path, offset, what);
  }
  if (!isCount(generation) || !isCount(seq)) throw damaged('json', path, offset, 'its header (the member "") has no whole numbers as generation and seq');
  return {
    name: typeof name === 'string' ? name : undefined,
    generation,
    seq,
    written: typeof written === 'number' ? written : undefined,
    indent: typeof indent === 'number' ? indent : undefined,
    settled: settledFrom(fields['settled']),
    crc: typeof crc === 'string' ? crc : '',
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** The header of a file that we write, up to its deadlines. */
export function headerStart(header: Omit<JsonHeader, 'crc'>): string {
  const { name, generation, seq, written, indent, settled } = header;
  const text = JSON.stringify({ format, name, generation, seq, written, indent, settled: settled && settledAsWritten(settled) });
  return `"":${text.slice(0, -1)}`;
}

export const deadlinesStart = ',"deadlines":{';
export const crcStart = ',"crc":"';
export const fileEnd = '"}\n}\n';
