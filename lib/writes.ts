import type { Change, Origin, Quarantined } from './change.ts';
import { EntriesView } from './entries-view.ts';
import { CorruptDataError, InvalidValueError, OptionsError, ReadOnlyError, StoreClosedError } from './errors.ts';
import { checkKey } from './key.ts';
import type { Difference, Layers } from './layers.ts';
import type { Limits } from './limits.ts';
import { isMortal, TransactionGroup, type Entry, type Mortal } from './overlay.ts';
import type { Capabilities } from './providers/provider.ts';
import type { Teller } from './teller.ts';
import type { ValueFormat } from './value-format.ts';

/** What a write does that exceeds `withLimits`; one that has waited for room may exceed them by itself. */
export type AtLimit = 'throw' | 'ignore';

export interface SetConfig {
  readonly atLimit: AtLimit;
  /** How long the entry lives, where that is not as long as others do. */
  readonly ttlMs?: number | undefined;
}

/** What reads see change for one reason. */
export interface DifferenceGroup {
  readonly differences: readonly Difference<unknown>[];
  readonly origin: Origin;
  readonly expired?: ReadonlySet<string> | undefined;
}

/** What a transaction has done. */
export interface Transacted<R> {
  readonly result: R;
  readonly keys: readonly string[];
  /** Whether it cleared. */
  readonly isOfClear: boolean;
}

interface Transaction {
  readonly number: number;
  readonly atLimit: AtLimit;
  readonly group: TransactionGroup;
  readonly changes: Change[];
  /** The keys that it wrote. */
  readonly keys: Set<string>;
  isOfClear: boolean;
}

export interface WritesConfig {
  readonly storeName: string;
  readonly layers: Layers<unknown>;
  readonly teller: Teller<unknown>;
  readonly format: ValueFormat;
  readonly capabilities: Capabilities;
  readonly limits: Limits;
  /** Whether storage may have keys that memory does not know of. */
  readonly isPartial: boolean;
  /** Told of each key that was written; `undefined`: all were. */
  readonly onWritten: ((key: string | undefined) => void) | undefined;
  /** Told when something may have become pending. */
  readonly onPending: () => void;
}

/** How many entries that have ended are told in one go, at most; a batch should not hold many more. */
const MOST_TOLD = 1_000;
/** And how long that may take, in milliseconds, with what those do who hear of them. */
const SLICE_MS = 1;
/** So many are told between two looks at the clock, */
const TOLD_AT_ONCE = 50;
/** and so many looked at for whether they have ended. */
const LOOKED_AT_ONCE = 200;

const utf8 = new TextEncoder();

/** The writes of a store: checks what comes in, applies it to the layers, alone or in a transaction, and has it told. */
export class Writes {
  readonly #config: WritesConfig;
  readonly #layers: Layers<unknown>;
  readonly #teller: Teller<unknown>;
  #transaction: Transaction | undefined;
  #transactionNumber = 0;
  /** Something has ended, and the size was not told since. */
  #isSizeUntold = false;
  #isClosed = false;

  constructor(config: WritesConfig) {
    this.#config = config;
    this.#layers = config.layers;
    this.#teller = config.teller;
  }

  /** From now on every write throws. */
  close(): void {
    this.#isClosed = true;
  }

  get isInTransaction(): boolean {
    return this.#transaction !== undefined;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  checkOpen(): void {
    if (this.#isClosed) throw this.closedError();
  }

  /** @throws StoreClosedError, and ReadOnlyError where nothing can be saved. */
  checkWritable(): void {
    this.checkOpen();
    if (!this.isReadOnly) return;
    const name = JSON.stringify(this.#config.storeName);
    throw new ReadOnlyError(`The store ${name} is open to be read only, so nothing was changed. Write where its owner has it open, or open it with a provider that is not readOnly.`);
  }

  get isReadOnly(): boolean {
    return this.#config.capabilities.readOnly === true;
  }

  closedError(): StoreClosedError {
    const name = JSON.stringify(this.#config.storeName);
    return new StoreClosedError(`The store ${name} is closed. Open it again with ${this.#config.isPartial ? 'openCache' : 'open'}(${name}).`);
  }

  checkNoTransaction(): void {
    if (this.#transaction !== undefined) throw new OptionsError('Nothing can be waited for inside a transaction: use the plain write, and transactionAndSave around it.');
  }

  add(key: string, value: unknown, config: SetConfig): boolean {
    this.checkWritable();
    this.checkReadable(key);
    if (this.#layers.find(key) !== undefined) return false;
    this.set(key, value, config);
    return true;
  }

  update(key: string, fn: (value: unknown) => unknown, atLimit: AtLimit): unknown {
    this.checkWritable();
    this.checkReadable(key);
    const value = fn(this.#layers.find(key)?.value);
    if (value !== undefined) this.#set(key, value, atLimit, undefined, true);
    return this.#layers.find(key)?.value;
  }

  set(key: string, input: unknown, { atLimit, ttlMs }: SetConfig): void {
    this.#set(key, input, atLimit, ttlMs, false);
  }

  /** `isUpdate`: what is there lives on as it was meant to. */
  #set(key: string, input: unknown, atLimit: AtLimit, ttlMs: number | undefined, isUpdate: boolean): void {
    this.checkWritable();
    const layers = this.#layers;
    const { lifetimes, revision } = layers;
    let present = layers.view.get(key);
    if (present === undefined) checkKey(key); // what is there was checked when it came
    const { format } = this.#config;
    const value = format.validate(key, input);
    const json = format.toText(value, key);
    this.#checkStorable(key, json);
    if (atLimit === 'throw' && this.#transaction?.atLimit !== 'ignore') this.#config.limits.check(key, json);
    if (present !== undefined && isMortal(present) && !layers.isVisible(present)) this.#expire(present);
    // A schema, a codec, an accessor of the value, or who hears that something has ended, may have written the key meanwhile.
    if (layers.revision !== revision) present = layers.view.get(key);
    const previous = present?.value;
    const own = isUpdate && present !== undefined && isMortal(present) ? lifetimes.ownTtl(present) : ttlMs;
    const expiresAt = isUpdate && present !== undefined ? lifetimes.deadlineKept(present) : lifetimes.deadline(ttlMs);
    layers.seq++;
    const entry = layers.setAt(key, present, value, json, this.#transaction?.group, expiresAt);
    if (isMortal(entry)) lifetimes.giveOwnTtl(entry, own);
    this.#transaction?.keys.add(key);
    this.#config.onWritten?.(key);
    if (this.#teller.isHeard(key)) {
      // Written out, as two spreads would cost as much as telling it.
      if (this.#transaction === undefined) this.#teller.tell({ type: 'set', key, value, previous, seq: layers.seq, origin: 'local' });
      else this.#changed({ type: 'set', key, value, previous, ...this.#stamp('local') });
    }
    this.#announce();
  }

  /** The value to store, and its text. @throws InvalidKeyError, InvalidValueError, ValidationError */
  prepare(key: string, input: unknown): { readonly value: unknown; readonly json: string } {
    checkKey(key);
    const { format } = this.#config;
    const value = format.validate(key, input);
    const json = format.toText(value, key);
    this.#checkStorable(key, json);
    return { value, json };
  }

  /** Returns whether there was anything to delete. */
  delete(key: string, atLimit: AtLimit): boolean {
    this.checkWritable();
    const layers = this.#layers;
    let present = layers.view.get(key);
    if (present === undefined && !layers.quarantined.has(key)) checkKey(key);
    if (atLimit === 'throw' && this.#transaction?.atLimit !== 'ignore') this.#config.limits.check(key, '');
    if (present !== undefined && isMortal(present) && !layers.isVisible(present)) {
      this.#expire(present);
      present = layers.view.get(key); // who hears of it may have set the key again
      if (!this.#config.isPartial && present === undefined) {
        this.#announce();
        return false;
      }
    }
    if (!layers.delete(key, this.#transaction?.group, this.#config.isPartial)) return false;
    this.#config.onWritten?.(key);
    if (present !== undefined) layers.seq++; // what cannot be read is deleted unseen
    if (present !== undefined && this.#teller.isHeard(key)) this.#changed({ type: 'delete', key, previous: present.value, ...this.#stamp('local') });
    this.#transaction?.keys.add(key);
    this.#announce();
    return true;
  }

  clear(): void {
    this.checkWritable();
    const layers = this.#layers;
    // What has ended was told to end, and not to be cleared.
    if (layers.lifetimes.endedCount > 0) for (const entry of [...layers.view.values()]) if (isMortal(entry) && !layers.isVisible(entry)) this.#expire(entry);
    const previous = layers.clear(this.#transaction?.group, this.#config.isPartial);
    if (previous === undefined) {
      this.#announce();
      return;
    }
    this.#config.onWritten?.(undefined);
    if (previous.size > 0) layers.seq++;
    if (this.#transaction !== undefined) {
      this.#transaction.isOfClear = true;
      for (const key of previous.keys()) this.#transaction.keys.add(key);
    }
    if (previous.size > 0 && this.#teller.isAnyHeard) this.#changed({ type: 'clear', previous: new EntriesView(previous), ...this.#stamp('local') });
    this.#announce();
  }

  /** Removes some of what has ended, if anything has. */
  expireSome(): void {
    const { lifetimes } = this.#layers;
    const until = performance.now() + SLICE_MS;
    let told = 0;
    do {
      lifetimes.work(LOOKED_AT_ONCE);
      told += this.#expireFew();
      this.#announce();
    } while (told < MOST_TOLD && performance.now() < until && lifetimes.isDue);
    this.#isSizeUntold ||= told > 0;
    if (!this.#isSizeUntold || !lifetimes.isCounted) return;
    this.#isSizeUntold = false;
    this.#teller.tellSize();
  }

  /** When `expireSome` has something to do: also when all was looked through meanwhile, as it is when somebody reads the size. */
  readonly nextExpiryAt = (): number | undefined => {
    const { lifetimes } = this.#layers;
    const at = lifetimes.nextAt();
    return this.#isSizeUntold ? lifetimes.now() : at;
  };

  /** Returns how many it removed. */
  #expireFew(): number {
    for (let count = 0; count < TOLD_AT_ONCE; count++) {
      const entry = this.#layers.lifetimes.nextEnded();
      if (entry === undefined) return count;
      this.#expire(entry, true);
    }
    return TOLD_AT_ONCE;
  }

  /** What has ended under `key`, and was not told yet, is. */
  expireIfEnded(key: string): void {
    const present = this.#layers.view.get(key);
    if (present === undefined || !isMortal(present) || this.#layers.isVisible(present)) return;
    this.#expire(present);
    this.#announce();
  }

  /** `isOneOfMany`: the size is told when all are. */
  #expire(entry: Mortal<unknown>, isOneOfMany = false): void {
    const { key, value } = entry;
    this.#layers.seq++;
    this.#layers.expire(entry);
    if (this.#teller.isHeard(key)) this.#changed({ type: 'expire', key, previous: value, ...this.#stamp('local') }, isOneOfMany);
  }

  /** Begins the time of what is there anew, where it slides. */
  slide(entry: Entry<unknown>, now?: number): void {
    const layers = this.#layers;
    if (this.#isClosed || !isMortal(entry) || !layers.lifetimes.isSliding || this.isReadOnly) return;
    if (layers.slide(entry, now)) this.#announce();
  }

  /** Has every deadline that has moved saved. */
  saveSlides(): void {
    const { slid } = this.#layers.lifetimes;
    if (slid.length === 0) return;
    for (const entry of slid) if (this.#layers.isVisible(entry)) this.#layers.touch(entry);
    this.#announce();
  }

  saveSlide(entry: Mortal<unknown>): void {
    this.#layers.touch(entry);
    this.#announce();
  }

  transact<R>(fn: () => R, atLimit: AtLimit): Transacted<R> {
    this.checkWritable();
    const outer = this.#transaction;
    const transaction = outer ?? this.#newTransaction(atLimit);
    const told = transaction.changes.length;
    this.#transaction = transaction;
    const savepoint = this.#layers.begin();
    let result: R;
    try {
      result = fn();
      if (isPromise(result)) throw new OptionsError('transaction(fn): fn returned a promise, but nothing is awaited in a transaction; its writes were undone. Await first, then write in a synchronous fn.');
    } catch (error) {
      this.#layers.rollback(savepoint);
      transaction.changes.length = told;
      this.#transaction = outer;
      this.#teller.restored();
      throw error;
    } finally {
      this.#transaction = outer;
    }
    this.#layers.commit(savepoint);
    if (outer === undefined) this.#tellTransaction(transaction);
    return { result, keys: [...transaction.keys], isOfClear: transaction.isOfClear };
  }

  #newTransaction(atLimit: AtLimit): Transaction {
    const number = ++this.#transactionNumber;
    return { number, atLimit, group: new TransactionGroup(number), changes: [], keys: new Set(), isOfClear: false };
  }

  #tellTransaction({ changes }: Transaction): void {
    this.#teller.tellAll(changes, true);
    this.#announce();
  }

  #stamp(origin: Origin): { seq: number; origin: Origin; transaction?: number } {
    const { seq } = this.#layers;
    return this.#transaction === undefined ? { seq, origin } : { seq, origin, transaction: this.#transaction.number };
  }

  #changed(change: Change, isOneOfMany = false): void {
    if (this.#transaction === undefined) this.#teller.tell(change, isOneOfMany);
    else this.#transaction.changes.push(change);
  }

  #announce(): void {
    if (this.#transaction === undefined) this.#config.onPending();
  }

  /** Tells what reads see change for another reason than a call. `expired`: the keys that are gone as their time was over. */
  tellDifferences(differences: readonly Difference<unknown>[], origin: Origin, expired?: ReadonlySet<string>): void {
    this.tellAllDifferences([{ differences, origin, expired }]);
  }

  /** The same of several kinds that came together: what is written while one is told comes after all of them. */
  tellAllDifferences(groups: readonly DifferenceGroup[]): void {
    const changes: Change[] = [];
    for (const { differences, origin, expired } of groups) {
      for (const { key, before, after } of differences) {
        this.#layers.seq++;
        if (!this.#teller.isHeard(key)) continue;
        if (after !== undefined) changes.push({ type: 'set', key, value: after, previous: before, ...this.#stamp(origin) });
        else changes.push({ type: expired?.has(key) === true ? 'expire' : 'delete', key, previous: before, ...this.#stamp(origin) });
      }
    }
    if (this.#transaction === undefined) this.#teller.tellAll(changes, false);
    else for (const change of changes) this.#transaction.changes.push(change);
    if (this.#layers.hasPending) this.#announce(); // storage may be to end something
  }

  /** @throws CorruptDataError if what storage has cannot be read. */
  checkReadable(key: string): void {
    const bad = this.#layers.quarantined.get(key);
    if (bad !== undefined) throw this.unreadable(bad);
  }

  /** What a write that depends on what is there ends with. */
  unreadable({ key, error }: Quarantined): CorruptDataError {
    return new CorruptDataError(`What is stored under ${JSON.stringify(key)} cannot be read (${error.message}), so there is nothing to decide on: set or delete it.`, { key, cause: error });
  }

  #checkStorable(key: string, json: string): void {
    const { maxValueBytes, accepts } = this.#config.capabilities;
    if (maxValueBytes !== undefined && json.length * 3 > maxValueBytes) {
      const bytes = utf8.encode(json).length;
      if (bytes > maxValueBytes) throw new InvalidValueError(`The value for ${JSON.stringify(key)} takes ${bytes} bytes as JSON; this storage holds at most ${maxValueBytes}. Split it over several keys.`, '');
    }
    const objection = accepts?.(json);
    if (objection !== undefined) throw new InvalidValueError(`This storage cannot hold the value for ${JSON.stringify(key)}: ${objection}`, '');
  }
}

function isPromise(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
