import type { ChangeOf, Store } from 'rx-persistify';

import type { Journal } from './journal.ts';
import { keyNumber } from './keys.ts';
import type { Latency } from './messages.ts';
import { idOf, writeId, type History, type WriteId, type WrittenValue } from './written-value.ts';

/** By the clock that all processes of a machine have in common, in milliseconds. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export interface Tally {
  writes: number;
  failures: number;
  unknown: number;
  latencies: Latency[];
}

/** Sees what a store tells and writes it down at once: what was told must not be lost with the process. */
export class Witness {
  readonly #life: number;
  readonly #journal: Journal;
  readonly #wrong: (message: string) => void;
  /** What each key was last told to have. */
  readonly #told = new Map<string, WriteId>();
  #lastNumber = 0;
  #isFlushQueued = false;
  #tally: Tally = emptyTally();

  constructor(life: number, journal: Journal, wrong: (message: string) => void) {
    this.#life = life;
    this.#journal = journal;
    this.#wrong = wrong;
  }

  /** To be called when the store is open, before anything else happens. */
  watch(store: Store<History>): void {
    for (const [key, value] of store) {
      this.#told.set(key, this.#idOf(value));
      this.#journal.write({ type: 'loaded', key: this.#numberOf(key), id: this.#idOf(value) });
    }
    if (store.quarantined.size > 0) this.#wrong(`quarantined: ${[...store.quarantined.keys()].join(', ')}`);
    store.changes$.subscribe((change) => this.#changed(change));
    store.saves$.subscribe(({ seq }) => {
      this.#journal.write({ type: 'saved', seq });
      this.#journal.flush();
    });
    store.errors$.subscribe(({ operation, error }) => {
      this.#tally.failures++;
      if (operation !== 'save' && operation !== 'watch') this.#wrong(`${operation}: ${error.name}: ${error.message}`);
    });
  }

  /** A value that no other write has. */
  newValue(more: Partial<WrittenValue> = {}): WrittenValue {
    this.#tally.writes++;
    return { life: this.#life, n: ++this.#lastNumber, ...more };
  }

  proposed(key: string, value: WrittenValue): void {
    this.#tell('proposed', key, value);
  }

  accepted(key: string, value: WrittenValue): void {
    this.#tell('accepted', key, value);
    this.#journal.flush();
  }

  declined(key: string, value: WrittenValue): void {
    this.#tell('declined', key, value);
  }

  resolved(key: string, value: WrittenValue): void {
    this.#tell('resolved', key, value);
    this.#journal.flush();
  }

  /** A write that was waited for, of which it is not known whether it will be stored. */
  unknown(): void {
    this.#tally.unknown++;
  }

  /** What happened since it was last asked. */
  takeTally(): Tally {
    const tally = this.#tally;
    this.#tally = emptyTally();
    return tally;
  }

  /** The last that it tells. */
  end(store: Store<History>): void {
    for (const [key, value] of store) this.#journal.write({ type: 'final', key: this.#numberOf(key), id: this.#idOf(value) });
    this.#journal.write({ type: 'ended' });
    this.#journal.close();
  }

  #changed(change: ChangeOf<History>): void {
    if (change.type === 'clear') {
      if (change.previous.size !== this.#told.size) this.#wrong(`a clear was told of ${change.previous.size} entries, and ${this.#told.size} were told before`);
      this.#told.clear();
      this.#journal.write({ type: 'cleared', seq: change.seq });
      if (change.origin !== 'local') this.#wrong(`a clear was told as ${change.origin}`);
    } else {
      const { key, seq, origin, type } = change;
      const number = this.#numberOf(key);
      const id = type === 'set' ? this.#idOf(change.value) : 0;
      const previous = change.previous === undefined ? 0 : this.#idOf(change.previous);
      if (previous !== (this.#told.get(key) ?? 0)) this.#journal.write({ type: 'gap', key: number, id: previous });
      if (id === 0) this.#told.delete(key);
      else this.#told.set(key, id);
      this.#journal.write({ type: origin === 'local' ? 'applied' : 'heard', key: number, id, seq });
      if (type === 'set' && origin !== 'local') this.#measure(change.value);
      if (type === 'expire') this.#wrong(`${key} expired, and had no deadline`);
    }
    this.#flushSoon();
  }

  #measure({ at, probe }: WrittenValue): void {
    if (at !== undefined && probe !== undefined) this.#tally.latencies.push({ probe, ms: now() - at });
  }

  #tell(type: 'proposed' | 'accepted' | 'declined' | 'resolved', key: string, { life, n }: WrittenValue): void {
    this.#journal.write({ type, key: this.#numberOf(key), id: writeId(life, n) });
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isFlushQueued) return;
    this.#isFlushQueued = true;
    setImmediate(() => {
      this.#isFlushQueued = false;
      this.#journal.flush();
    });
  }

  #numberOf(key: string): number {
    const number = keyNumber(key);
    if (number === undefined) this.#wrong(`${JSON.stringify(key)} is no key of the history`);
    return number ?? 0;
  }

  #idOf(value: unknown): WriteId {
    const id = idOf(value);
    if (id === undefined) this.#wrong(`${JSON.stringify(value).slice(0, 200)} is no value of the history`);
    return id ?? 0;
  }
}

function emptyTally(): Tally {
  return { writes: 0, failures: 0, unknown: 0, latencies: [] };
}
