import { unwrap } from 'idb';

import { onAbort } from '../../aborted.ts';
import { ProviderError } from '../../errors.ts';
import type { Batch, BatchResult, Mutation } from '../../mutation.ts';
import { applyBatch } from '../apply-batch.ts';
import { leftOutFrom, leftOutText } from '../left-out-text.ts';
import type { Entry } from '../provider.ts';
import type { Dictionary } from './dictionary.ts';
import { describeFailure, isOutOfRoom } from './failures.ts';
import { pruneLog } from './log-pruning.ts';
import { entriesOf, storeNames, type Database, type DictionaryRow, type WriterRow } from './schema.ts';
import { StagedEntries } from './staged-entries.ts';

export interface CommitConfig {
  readonly dictionary: Dictionary;
  readonly durability: 'strict' | 'relaxed';
  readonly signal: AbortSignal;
  /** The name of the database, for messages. */
  readonly place: string;
}

/** Requests that are made at a stretch: more would hold the event loop. */
const sliceRequests = 500;

/**
 * Stores a batch in one transaction, with its settling row, so that a retry whose first attempt was committed after all is
 * answered and not applied. All that is awaited within are requests of the transaction: it would end with anything else.
 */
export async function commitBatch(database: Database, batch: Batch, config: CommitConfig): Promise<BatchResult> {
  const { dictionary, signal, durability, place } = config;
  const commit = new Commit(database, batch, dictionary, durability);
  const leave = onAbort(signal, () => commit.abort());
  try {
    return await commit.run();
  } catch (error) {
    if (commit.isAborted) throw new ProviderError('The write was aborted before its commit; nothing was stored.', { kind: 'retry', cause: error });
    const outcomeUnknown = commit.isComplete && !isOutOfRoom(error);
    throw describeFailure(error, { doing: `Saving ${JSON.stringify(dictionary.name)}`, database: place, outcomeUnknown });
  } finally {
    leave();
  }
}

interface Written {
  readonly result: BatchResult;
  readonly row: DictionaryRow;
}

class Commit {
  readonly #dictionary: Dictionary;
  readonly #batch: Batch;
  readonly #transaction;
  readonly #done: Promise<void>;
  #isAborted = false;
  #isComplete = false;

  constructor(database: Database, batch: Batch, dictionary: Dictionary, durability: 'strict' | 'relaxed') {
    this.#dictionary = dictionary;
    this.#batch = batch;
    this.#transaction = database.transaction(storeNames, 'readwrite', { durability });
    this.#done = this.#transaction.done;
    this.#done.catch(() => undefined); // it is looked at in the end
  }

  /** Whether it was ended while that was possible. */
  get isAborted(): boolean {
    return this.#isAborted;
  }

  /** Whether everything was asked for, so that it may be stored whatever is answered. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Ends it, unless it is being committed already: then its answer comes soon. */
  abort(): void {
    if (this.#isComplete) return;
    this.#isAborted = true;
    this.#undo();
  }

  async run(): Promise<BatchResult> {
    try {
      const { result, row } = await this.#write();
      this.#isComplete = true;
      this.#transaction.commit();
      await this.#done;
      this.#dictionary.meet(row);
      this.#dictionary.reached(result.version);
      return result;
    } catch (error) {
      this.#undo();
      // Why a transaction failed is said by itself; its requests only say that it did.
      throw (await this.#done.then(() => undefined, (reason: unknown) => reason)) ?? error;
    }
  }

  async #write(): Promise<Written> {
    const { name } = this.#dictionary;
    const { writer, number, mutations } = this.#batch;
    const [found, settled, staged] = await Promise.all([
      this.#transaction.objectStore('dictionaries').get(name),
      this.#transaction.objectStore('writers').get([name, writer]),
      this.#stage(),
    ]);
    this.#dictionary.meet(found);
    const row = found ?? this.#dictionary.fresh();
    if (settled !== undefined && number <= settled.number) return { row, result: { version: settled.version, leftOut: leftOutFrom(settled.leftOut) } };
    const now = Date.now();
    const { cleared, keys, leftOut } = applyBatch(staged, mutations, row.head + 1, now);
    const isChange = cleared || keys.length > 0;
    const version = isChange ? row.head + 1 : row.head;

    await this.#storeEntries(staged);
    // Without idb's promises, as nobody waits for each: what fails ends the transaction, which is waited for.
    const transaction = unwrap(this.#transaction);
    if (isChange || found === undefined) transaction.objectStore('dictionaries').put({ id: row.id, head: version }, name);
    const answer: WriterRow = { dictionary: name, writer, number, version, leftOut: leftOutText(leftOut), settledAt: now };
    transaction.objectStore('writers').put(answer);
    if (isChange) transaction.objectStore('log').put({ version, writer, number, committedAt: now, cleared, keys }, [name, version]);
    if (isChange) await pruneLog(this.#transaction.objectStore('log'), name, version, now);
    return { row, result: { version, leftOut } };
  }

  /** Reads what the mutations depend on. */
  async #stage(): Promise<StagedEntries> {
    const { name } = this.#dictionary;
    const entries = this.#transaction.objectStore('entries');
    const keys = this.#batch.mutations.flatMap(dependsOn);
    const isClearing = this.#batch.mutations[0]?.type === 'clear';
    const firstKey = isClearing ? entries.getKey(entriesOf(name)) : undefined;
    const found = await Promise.all(keys.map((key) => entries.get([name, key])));
    const size = (await firstKey) === undefined ? 0 : 1;
    return new StagedEntries(new Map(found.flatMap((entry): [string, Entry][] => (entry === undefined ? [] : [[entry.key, entry]]))), size);
  }

  async #storeEntries({ isCleared, changes }: StagedEntries): Promise<void> {
    const { name } = this.#dictionary;
    const entries = unwrap(this.#transaction).objectStore('entries');
    if (isCleared) entries.delete(entriesOf(name));
    let requests = 0;
    for (const [key, entry] of changes) {
      if (++requests % sliceRequests === 0) await this.#transaction.objectStore('entries').getKey([name, key]);
      if (entry === undefined) entries.delete([name, key]);
      else entries.put(entry, [name, key]);
    }
  }

  #undo(): void {
    try {
      this.#transaction.abort();
    } catch {
      // It has ended already.
    }
  }
}

/** The key, where what becomes of the mutation depends on what it holds. */
function dependsOn(mutation: Mutation): readonly string[] {
  if (mutation.type === 'clear' || (mutation.type === 'set' && mutation.expect === undefined)) return [];
  return [mutation.key];
}
