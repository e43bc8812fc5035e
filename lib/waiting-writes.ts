import { abortReason } from './aborted.ts';
import { ConditionalWrites, type ConditionalWritesConfig } from './conditional-writes.ts';
import { SaveError } from './errors.ts';
import { checkKey } from './key.ts';
import type { Layers } from './layers.ts';
import type { Limits } from './limits.ts';
import { checkTtlMs } from './options.ts';
import type { Saver } from './saver.ts';
import type { Settings } from './settings.ts';
import type { SetOptions, WaitOptions } from './store.ts';
import type { Writes } from './writes.ts';

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
  readonly #conditional: ConditionalWrites;

  constructor({ writes, limits, saver, settings, layers, look }: WaitingWritesConfig) {
    this.#writes = writes;
    this.#limits = limits;
    this.#saver = saver;
    this.#settings = settings;
    this.#conditional = new ConditionalWrites({ layers, writes, saver, look, room: (key, json, signal) => this.#roomFor(key, json, signal) });
  }

  async set(key: string, value: unknown, { ttlMs, signal }: SetOptions & WaitOptions = {}): Promise<boolean> {
    this.checkMayWrite(signal);
    checkTtlMs(ttlMs);
    const room = this.room(key, signal, value);
    if (room !== undefined) await room; // where there is room the write is applied before this returns
    this.#writes.set(key, value, { atLimit: 'ignore', ttlMs });
    return this.trueOnceSaved([key], signal);
  }

  async add(key: string, value: unknown, { ttlMs, signal }: SetOptions & WaitOptions = {}): Promise<boolean> {
    this.checkMayWrite(signal);
    checkTtlMs(ttlMs);
    this.#writes.prepare(key, value);
    const make = (present: unknown): unknown => (present === undefined ? value : undefined);
    return (await this.#conditional.write(key, { make, ttlMs, isUpdate: false, signal })).isWritten;
  }

  async delete(key: string, { signal }: WaitOptions = {}): Promise<boolean> {
    this.checkMayWrite(signal);
    const room = this.room(key, signal);
    if (room !== undefined) await room;
    const isDeleted = this.#writes.delete(key, 'ignore');
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
    const room = this.room('', signal);
    if (room !== undefined) await room;
    const { result, keys } = this.#writes.transact(fn, 'ignore');
    await this.#saver.saved(keys, signal);
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
  room(key: string, signal: AbortSignal | undefined, input?: unknown): Promise<void> | undefined {
    if (!this.#limits.isBounded) return undefined;
    const { format } = this.#settings;
    const json = input === undefined ? '' : format.toText(format.validate(key, input));
    return this.#roomFor(key, json, signal);
  }

  #roomFor(key: string, json: string, signal: AbortSignal | undefined): Promise<void> | undefined {
    return this.#limits.haveRoom(key, json) ? undefined : this.#untilRoom(key, json, signal);
  }

  async #untilRoom(key: string, json: string, signal: AbortSignal | undefined): Promise<void> {
    for (let isFirst = true; !this.#limits.haveRoom(key, json); isFirst = false) {
      await this.#saver.progress(isFirst, signal);
      this.#writes.checkOpen();
    }
  }
}
