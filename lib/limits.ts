import { LimitError } from './errors.ts';
import type { Layers } from './layers.ts';

/** What `withLimits` allows to be unsaved. */
export class Limits {
  readonly #layers: Layers<unknown>;
  readonly #pendingKeys: number;
  readonly #pendingBytes: number;
  /** Whether there may be no room at times. */
  readonly isBounded: boolean;

  constructor(layers: Layers<unknown>, { pendingKeys, pendingBytes }: { readonly pendingKeys: number; readonly pendingBytes: number }) {
    this.#layers = layers;
    this.#pendingKeys = pendingKeys;
    this.#pendingBytes = pendingBytes;
    this.isBounded = pendingKeys < Infinity || pendingBytes < Infinity;
  }

  /** @throws LimitError if there is no room for a write of `key`. */
  check(key: string, json: string): void {
    if (this.haveRoom(key, json)) return;
    throw new LimitError(`Too much is unsaved: withLimits allows ${this.#pendingKeys} keys and ${this.#pendingBytes} bytes. Wait with setAndSave or flush, or write less.`);
  }

  haveRoom(key: string, json: string): boolean {
    if (!this.isBounded) return true;
    const layers = this.#layers;
    if (layers.unsavedCount === 0) return true; // a value above the limit by itself would wait for ever
    const growth = layers.isPending(key) ? 0 : 1;
    return layers.unsavedCount + growth <= this.#pendingKeys && layers.unsavedBytes + key.length + json.length <= this.#pendingBytes;
  }

  /** How much of what is allowed is taken, from 0 on. */
  get fullness(): number {
    return this.isBounded ? Math.max(this.#layers.unsavedCount / this.#pendingKeys, this.#layers.unsavedBytes / this.#pendingBytes) : 0;
  }
}
