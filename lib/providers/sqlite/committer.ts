import type { BatchResult } from '../../mutation.ts';
import type { PackedBatch } from '../packed-batch.ts';
import type { Dictionary } from './schema.ts';

/** Where a provider's commits happen, one behind the other: on a thread of their own, or on this one. */
export interface Committer {
  /** Finds the dictionary in the file, or makes it in `table`. */
  open(name: string, table: string): Promise<Dictionary>;
  /** Stores a batch in one commit. */
  write(dictionary: Dictionary, batch: PackedBatch, signal: AbortSignal): Promise<BatchResult>;
  /** Releases the file. Nothing may be called afterwards. */
  close(): Promise<void>;
}
