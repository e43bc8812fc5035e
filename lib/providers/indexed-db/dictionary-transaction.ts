import { unwrap } from 'idb';

import type { Batch, BatchResult, Mutation } from '../../mutation.ts';
import { applyBatch } from '../apply-batch.ts';
import { leftOutFrom, leftOutText } from '../left-out-text.ts';
import type { Entry } from '../provider.ts';
import type { Dictionary } from './dictionary.ts';
import { pruneLog } from './log-pruning.ts';
import { allOf, storeNames, type Database, type DictionaryRow, type WriterRow } from './schema.ts';
import { StagedEntries } from './staged-entries.ts';

/** Requests that are made at a stretch: more would hold the event loop. */
const sliceRequests = 500;

/** What a batch depends on, as storage has it. */
interface Ground {
  readonly settled: WriterRow | undefined;
  readonly staged: StagedEntries;
}

/**
 * A transaction that commits batches to a dictionary. All that is awaited within it are its own requests: it would end with
 * anything else.
 */
export class DictionaryTransaction {
  readonly #dictionary: Dictionary;
  readonly #transaction;
  readonly #done: Promise<void>;
  /** The row as this transaction leaves it. */
  #row: DictionaryRow | undefined;
  #isComplete = false;

  constructor(database: Database, dictionary: Dictionary, durability: 'strict' | 'relaxed') {
    this.#dictionary = dictionary;
    this.#transaction = database.transaction(storeNames, 'readwrite', { durability });
    this.#done = this.#transaction.done;
    this.#done.catch(() => undefined); // it is looked at in the end
  }

  /** Whether everything was asked for, so that it may be stored whatever is answered. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Whether the browser knows of transactions that are more durable than others, and this is one. */
  get isStrict(): boolean {
    return this.#transaction.durability === 'strict';
  }

  get writers() {
    return this.#transaction.objectStore('writers');
  }

  /** Does `work`, and commits it. Rejects with the reason, if nothing was stored. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.#isComplete = true;
      this.#transaction.commit();
      await this.#done;
      this.#dictionary.meet(this.#row);
      this.#dictionary.reached(this.#row?.head ?? 0);
      return result;
    } catch (error) {
      this.abort();
      // Why a transaction failed, as for want of room, is said by itself, and its requests only say that it did; but not why we end it.
      const reason = await this.#done.then(() => undefined, (failure: unknown) => failure);
      throw reason === undefined || isAbort(reason) ? error : reason;
    }
  }

  abort(): void {
    try {
      this.#transaction.abort();
    } catch {
      // It has ended already, or is being committed.
    }
  }

  /** Makes the dictionary if it is not there. */
  async open(): Promise<void> {
    this.#meet(await this.#readRow());
  }

  /** Stores a batch with its settling row, so that a retry whose first attempt was committed after all is answered and not applied. */
  async apply(batch: Batch): Promise<BatchResult> {
    const [found, ground] = await Promise.all([this.#readRow(), this.#readGround(batch)]);
    this.#meet(found);
    return this.#apply(batch, ground);
  }

  #meet(found: DictionaryRow | undefined): void {
    this.#dictionary.meet(found);
    this.#row = found ?? this.#dictionary.fresh();
    if (found === undefined) this.#putRow(this.#row);
  }

  async #apply({ writer, number, mutations }: Batch, { settled, staged }: Ground): Promise<BatchResult> {
    const { name } = this.#dictionary;
    const row = this.#row ?? this.#dictionary.fresh();
    const now = Date.now();
    if (settled !== undefined && number <= settled.number) {
      // It may be asked for once more, and must not be forgotten meanwhile.
      unwrap(this.#transaction).objectStore('writers').put({ ...settled, settledAt: now });
      return { version: settled.version, leftOut: leftOutFrom(settled.leftOut) };
    }
    const { cleared, keys, leftOut } = applyBatch(staged, mutations, row.head + 1, now);
    const isChange = cleared || keys.length > 0;
    const version = isChange ? row.head + 1 : row.head;

    await this.#storeEntries(staged);
    // Without idb's promises, as nobody waits for each: what fails ends the transaction, which is waited for.
    const transaction = unwrap(this.#transaction);
    const answer: WriterRow = { dictionary: name, writer, number, version, leftOut: leftOutText(leftOut), settledAt: now };
    transaction.objectStore('writers').put(answer);
    if (isChange) {
      this.#row = { id: row.id, head: version };
      this.#putRow(this.#row);
      transaction.objectStore('log').put({ version, writer, number, committedAt: now, cleared, keys }, [name, version]);
      await pruneLog(this.#transaction.objectStore('log'), name, version, now);
    }
    return { version, leftOut };
  }

  #putRow(row: DictionaryRow): void {
    unwrap(this.#transaction).objectStore('dictionaries').put(row, this.#dictionary.name);
  }

  #readRow(): Promise<DictionaryRow | undefined> {
    return this.#transaction.objectStore('dictionaries').get(this.#dictionary.name);
  }

  async #readGround({ writer, mutations }: Batch): Promise<Ground> {
    const { name } = this.#dictionary;
    const entries = this.#transaction.objectStore('entries');
    const isClearing = mutations[0]?.type === 'clear';
    const [settled, firstKey, ...found] = await Promise.all([
      this.writers.get([name, writer]),
      isClearing ? entries.getKey(allOf(name)) : undefined,
      ...mutations.flatMap(dependsOn).map((key) => entries.get([name, key])),
    ]);
    const byKey = new Map(found.flatMap((entry): [string, Entry][] => (entry === undefined ? [] : [[entry.key, entry]])));
    return { settled, staged: new StagedEntries(byKey, firstKey === undefined ? 0 : 1) };
  }

  async #storeEntries({ isCleared, changes }: StagedEntries): Promise<void> {
    const { name } = this.#dictionary;
    const entries = unwrap(this.#transaction).objectStore('entries');
    if (isCleared) entries.delete(allOf(name));
    let requests = 0;
    for (const [key, entry] of changes) {
      if (++requests % sliceRequests === 0) await this.#transaction.objectStore('entries').getKey([name, key]);
      if (entry === undefined) entries.delete([name, key]);
      else entries.put(entry, [name, key]);
    }
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** The key, where what becomes of the mutation depends on what it holds. */
function dependsOn(mutation: Mutation): readonly string[] {
  if (mutation.type === 'clear' || (mutation.type === 'set' && mutation.expect === undefined)) return [];
  return [mutation.key];
}
