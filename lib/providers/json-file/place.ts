import type { StoreFiles } from './file-names.ts';
import type { FileStamp } from './json-file.ts';
import type { BaseIdentity } from './log-format.ts';

/** Where in the files of a store a reader stands: what it has told is the dictionary as of there. */
export interface Place {
  readonly files: StoreFiles;
  /** The `.json` file, if there is one. */
  readonly json: { readonly stamp: FileStamp; readonly identity: BaseIdentity } | undefined;
  /** The log that was read last, and how far. */
  readonly log: { readonly generation: number; readonly offset: number } | undefined;
  /** As the files count commits. */
  readonly seq: number;
  /** As the reader counts what it shows: the same, unless files were put in the place of others. */
  readonly version: number;
}

/** The files were found between two states, as while a fold replaces them: a later look finds them in one. */
export class UnsettledError extends Error {
  constructor(what: string) {
    super(`the files are being changed: ${what}`);
  }
}

/** A file of which only the end was read has no checksum. */
export function isSameBase(one: BaseIdentity | null | undefined, other: BaseIdentity | null | undefined): boolean {
  if (!one || !other) return !one && !other;
  const isSameCrc = one.crc === other.crc || one.crc === '' || other.crc === '';
  return isSameCrc && one.generation === other.generation && one.size === other.size && one.stated === other.stated;
}
