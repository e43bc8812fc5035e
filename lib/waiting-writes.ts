import { abortReason, unlessAborted } from './aborted.ts';
import { ConditionalWrites, type ConditionalWritesConfig } from './conditional-writes.ts';
import { Counts } from './counts.ts';
import { SaveError } from './errors.ts';
import { checkKey } from './key.ts';
import type { Layers } from './layers.ts';
import type { Limits } from './limits.ts';
import type { Saver } from './saver.ts';
import type { Settings } from './settings.ts';
import type { SetOptions, WaitOptions } from './store.ts';
import type { Transacted, Writes } from './writes.ts';

export interface WaitingWritesConfig {
  readonly writes: Writes;
  readonly limits: Limits;
  readonly saver: Saver<unknown>;
  readonly settings: Settings;
  readonly layers: Layers<unknown>;
  readonly look: ConditionalWritesConfig['look'];
}

/**
 * The twins of the writes: they wait for room where `withLimits` leaves none, apply the same, and wait until it is saved. Where
 * it depends on what is there, storage decides first.
 */
export class WaitingWrites {
  readonly #writes: Writes;
  readonly #limits: Limits;
  readonly #saver: Saver<unknown>;
  readonly #settings: Settings;
  readonly #layers: Layers<unknown>;
  readonly #conditional: ConditionalWrites;
  /** The last of those who wait for room, and the keys of all. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #inLine = new Counts();

  constructor({ writes, limits, saver, settings, layers, look }: WaitingWritesConfig) {
    this.#writes = writes;
    this.#limits = limits;
    this.#saver = saver;
    this.#settings = settings;
    this.#layers = layers;
    this.#conditional = new ConditionalWrites({ layers, writes, saver, look, room: (key, json, signal) => this.#roomFor(key, json, signal) });
  }

  async set(key: string, value: unknown, { ttlMs, signal }: SetOptions & WaitOptions = {}): Promise<boolean> {
    this.checkMayWrite(signal);
    const json = this.#textOf(key, value);
    const write = (): void => this.#writes.set(key, value, { atLimit: 'ignore', ttlMs });
    if (this.#isMyTurn(key, json)) write(); // before this returns
    else await this.#makeInTurn(key, json, write, signal);
    return this.trueOnceSaved([key], signal);
  }

  async add(key: string, value: unknown, { ttlMs, signal }: SetOptions & WaitOptions = {}): Promise<boolean> {
    this.checkMayWrite(signal);
    this.#writes.prepare(key, value);
    const make = (present: unknown): unknown => (present === undefined ? value : undefined);
    return (await this.#conditional.write(key, { make, ttlMs, isUpdate: false, signal })).isWritten;
  }

  async delete(key: string, { signal }: WaitOptions = {}): Promise<boolean> {
    this.checkMayWrite(signal);
    const write = (): boolean => this.#writes.delete(key, 'ignore');
    const isDeleted = this.#isMyTurn(key, '') ? write() : await this.#makeInTurn(key, '', write, signal);
    await this.#saver.saved([key], signal);
    return isDeleted;
  }

  async clear({ signal }: WaitOptions = {}): Promise<boolean> {
    this.checkMayWrite(signal);
    this.#writes.clear();
    return this.trueOnceSaved(undefined, signal);
  }

  async update(key: string, fn: (value: unknown) => unknown, { signal }: WaitOptions = {}): Promise<unknown> {
    this.checkMayWrite(signal);
    checkKey(key);
    return (await this.#conditional.write(key, { make: fn, ttlMs: undefined, isUpdate: true, signal })).value;
  }

  async transaction<R>(fn: () => R, { signal }: WaitOptions = {}): Promise<R> {
    this.checkMayWrite(signal);
    const write = (): Transacted<R> => this.#writes.transact(fn, 'ignore');
    const { result, keys, isOfClear } = this.#isMyTurn('', '') ? write() : await this.#makeInTurn('', '', write, signal);
    await this.#saver.saved(keys, signal, isOfClear);
    return result;
  }

  async trueOnceSaved(keys: readonly string[] | undefined, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.#saver.saved(keys, signal);
      return true;
    } catch (error) {
      if (this.#settings.throwOnFailure || !(error instanceof SaveError)) throw error;
      return false;
    }
  }

  checkMayWait(signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) throw abortReason(signal);
    this.#writes.checkOpen();
    this.#writes.checkNoTransaction();
  }

  checkMayWrite(signal: AbortSignal | undefined): void {
    this.checkMayWait(signal);
    this.#writes.checkWritable();
  }

  /**
   * Resolves when `withLimits` leaves room for a write of `key`; `undefined` where it does. A value that cannot be stored is
   * refused first; one that is not known yet counts nothing.
   */
  room(key: string, signal: AbortSignal | undefined, input: unknown): Promise<void> | undefined {
    return this.#roomFor(key, this.#textOf(key, input), signal);
  }

  /** As much of a value as counts. A value that cannot be stored is refused before it waits for room. */
  #textOf(key: string, input: unknown): string {
    const { format } = this.#settings;
    return this.#limits.isBounded ? format.toText(format.validate(key, input), key) : '';
  }

  /** Whether a write may be made now: there is room for it, and it takes none from those who wait, nor comes before an older one of its key. */
  #isMyTurn(key: string, json: string): boolean {
    if (!this.#limits.haveRoom(key, json)) return false;
    return this.#inLine.isEmpty || (this.#layers.isPending(key) && !this.#inLine.has(key));
  }

  /** Makes a write when there is room for it and all who have waited longer have made theirs; each looks whether the one before has left him any. */
  async #makeInTurn<T>(key: string, json: string, write: () => T, signal: AbortSignal | undefined): Promise<T> {
    this.#inLine.add(key);
    const made = this.#last.then(async () => {
      try {
        if (signal?.aborted === true) throw abortReason(signal);
        for (let isFirst = true; !this.#limits.haveRoom(key, json); isFirst = false) await this.#progress(isFirst, signal);
        return write();
      } finally {
        this.#inLine.remove(key);
      }
    });
    this.#last = made.catch(() => undefined);
    return unlessAborted(made, signal);
  }

  #roomFor(key: string, json: string, signal: AbortSignal | undefined): Promise<void> | undefined {
    return this.#limits.haveRoom(key, json) ? undefined : this.#untilRoom(key, json, signal);
  }

  async #untilRoom(key: string, json: string, signal: AbortSignal | undefined): Promise<void> {
    for (let isFirst = true; !this.#limits.haveRoom(key, json); isFirst = false) await this.#progress(isFirst, signal);
  }

  async #progress(isFirst: boolean, signal: AbortSignal | undefined): Promise<void> {
    await this.#saver.progress(isFirst, signal);
    this.#writes.checkOpen();
  }
}
