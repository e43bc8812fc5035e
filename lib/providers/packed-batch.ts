import type { Batch, Mutation } from '../mutation.ts';

/** What a mutation of a {@link PackedBatch} is. */
export const kinds = { set: 0, delete: 1, clear: 2, touch: 3, expire: 4 } as const;

/**
 * A batch as a few arrays, one place a mutation: posting 1,000 objects to a worker costs several times as much.
 * Arrays of numbers are null where no mutation has one, and NaN where one has none.
 */
export interface PackedBatch {
  readonly writer: string;
  readonly number: number;
  readonly kinds: Uint8Array;
  /** Empty for a `clear`. */
  readonly keys: readonly string[];
  /** The JSON text of a `set`, else empty. */
  readonly texts: readonly string[];
  readonly deadlines: Float64Array | null;
  /** The `expect` of a set or delete, the `version` of an expire. */
  readonly versions: Float64Array | null;
  readonly transactions: Float64Array | null;
}

export function packBatch({ writer, number, mutations }: Batch): PackedBatch {
  const count = mutations.length;
  const packedKinds = new Uint8Array(count);
  const keys = new Array<string>(count);
  const texts = new Array<string>(count);
  let deadlines: Float64Array | null = null;
  let versions: Float64Array | null = null;
  let transactions: Float64Array | null = null;
  let index = -1;
  for (const mutation of mutations) {
    index++;
    packedKinds[index] = kinds[mutation.type];
    keys[index] = mutation.type === 'clear' ? '' : mutation.key;
    texts[index] = mutation.type === 'set' ? mutation.json : '';
    const deadline = deadlineOf(mutation);
    if (deadline !== undefined) (deadlines ??= unset(count))[index] = deadline;
    const version = versionOf(mutation);
    if (version !== undefined) (versions ??= unset(count))[index] = version;
    const transaction = transactionOf(mutation);
    if (transaction !== undefined) (transactions ??= unset(count))[index] = transaction;
  }
  return { writer, number, kinds: packedKinds, keys, texts, deadlines, versions, transactions };
}

/** The number at `index`, if there is one. */
export function numberAt(numbers: Float64Array | null, index: number): number | undefined {
  const value = numbers?.[index];
  return value === undefined || Number.isNaN(value) ? undefined : value;
}

function deadlineOf(mutation: Mutation): number | undefined {
  return mutation.type === 'set' || mutation.type === 'touch' ? mutation.expiresAt : undefined;
}

function versionOf(mutation: Mutation): number | undefined {
  if (mutation.type === 'expire') return mutation.version;
  return mutation.type === 'set' || mutation.type === 'delete' ? mutation.expect : undefined;
}

function transactionOf(mutation: Mutation): number | undefined {
  return mutation.type === 'touch' || mutation.type === 'expire' ? undefined : mutation.transaction;
}

function unset(count: number): Float64Array {
  return new Float64Array(count).fill(Number.NaN);
}
