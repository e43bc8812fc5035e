import { onAbort } from '../../aborted.ts';
import { ProviderError } from '../../errors.ts';
import type { Batch, BatchResult } from '../../mutation.ts';
import type { Dictionary } from './dictionary.ts';
import { DictionaryTransaction } from './dictionary-transaction.ts';
import { describeFailure, isOutOfRoom } from './failures.ts';
import type { Database } from './schema.ts';

export interface CommitConfig {
  readonly dictionary: Dictionary;
  readonly durability: 'strict' | 'relaxed';
  readonly signal: AbortSignal;
  /** Whether the batch may be stored even if this fails, as it is parked. */
  readonly isParked: () => boolean;
  /** The name of the database, for messages. */
  readonly place: string;
}

/** Stores a batch in one transaction. */
export async function commitBatch(database: Database, batch: Batch, { dictionary, durability, signal, isParked, place }: CommitConfig): Promise<BatchResult> {
  const transaction = new DictionaryTransaction(database, dictionary, durability);
  const leave = onAbort(signal, () => {
    if (!transaction.isComplete) transaction.abort(); // else it is being committed, and its answer comes soon
  });
  try {
    return await transaction.run(() => transaction.apply(batch));
  } catch (error) {
    if (signal.aborted && !transaction.isComplete) throw new ProviderError('The write was aborted before its commit.', { kind: 'retry', outcomeUnknown: isParked(), cause: error });
    const outcomeUnknown = isParked() || (transaction.isComplete && !isOutOfRoom(error));
    throw describeFailure(error, { doing: `Saving ${JSON.stringify(dictionary.name)}`, database: place, outcomeUnknown });
  } finally {
    leave();
  }
}
