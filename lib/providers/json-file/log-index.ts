import type { RawKey } from './keys.ts';
import { type LoggedMutation, mutationAt } from './log-lines.ts';
import { ShardedMap } from './sharded-map.ts';
import type { Slices } from './slices.ts';

/** What logs do to one key of the `.json` file beneath them. */
export type Change = SetChange | { readonly type: 'delete' } | { readonly type: 'touch'; expiresAt: number };

export interface SetChange {
  readonly type: 'set';
  readonly text: Buffer;
  expiresAt: number | undefined;
  /** Whether the key was deleted before, so that it stands at the end, as in a Map, and no longer where it was. */
  readonly moved: boolean;
  /** Its place among what was added. */
  readonly arrival: number;
}

/** The sum of logs: what they do to the `.json` file beneath them, the latest for each key. */
export class LogIndex {
  readonly #changes = new ShardedMap<Change>();
  /** The keys that were set, in their order; a key that was deleted and set again stands there twice. */
  #arrivals: RawKey[] = [];
  #cleared = false;

  /** Whether nothing of the `.json` file is left. */
  get cleared(): boolean {
    return this.#cleared;
  }

  /** What is done to each key, in no order. */
  changes(): Iterable<[RawKey, Change]> {
    return this.#changes.entries();
  }

  /** What is set and was not taken, in the order of a Map. */
  *added(): Generator<[RawKey, SetChange], void> {
    for (const [arrival, key] of this.#arrivals.entries()) {
      const change = this.#changes.get(key);
      if (change?.type === 'set' && change.arrival === arrival) yield [key, change];
    }
  }

  get(key: RawKey): Change | undefined {
    return this.#changes.get(key);
  }

  /** Forgets a key, as its change was taken over. */
  taken(key: RawKey): void {
    this.#changes.delete(key);
  }

  /** Takes in the lines of a record. @returns where a line stands that is none, or -1. */
  async apply(body: Buffer, slices: Slices): Promise<number> {
    for (let at = 0, lines = 1; at < body.length; lines += 1) {
      const end = body.indexOf(0x0a, at);
      const mutation = end < 0 ? undefined : mutationAt(body, at, end);
      if (mutation === undefined) return at;
      this.#apply(mutation);
      at = end + 1;
      if (lines % 64 === 0 && slices.due) await slices.rest();
    }
    return -1;
  }

  #apply(mutation: LoggedMutation): void {
    switch (mutation.type) {
      case 'set':
        this.#set(mutation.key, mutation.text, mutation.expiresAt);
        break;
      case 'delete':
        this.#delete(mutation.key);
        break;
      case 'touch':
        this.#touch(mutation.key, mutation.expiresAt);
        break;
      case 'clear':
        this.#changes.clear();
        this.#arrivals = [];
        this.#cleared = true;
    }
  }

  #set(key: RawKey, text: Buffer, expiresAt: number | undefined): void {
    const before = this.#changes.get(key);
    if (before?.type === 'set') {
      this.#changes.set(key, { ...before, text, expiresAt });
      return;
    }
    const arrival = this.#arrivals.push(key) - 1;
    this.#changes.set(key, { type: 'set', text, expiresAt, moved: before?.type === 'delete', arrival });
  }

  #delete(key: RawKey): void {
    if (this.#cleared) this.#changes.delete(key);
    else this.#changes.set(key, { type: 'delete' });
  }

  #touch(key: RawKey, expiresAt: number): void {
    const before = this.#changes.get(key);
    if (before === undefined) {
      if (!this.#cleared) this.#changes.set(key, { type: 'touch', expiresAt });
    } else if (before.type !== 'delete') {
      before.expiresAt = laterDeadline(before.expiresAt, expiresAt);
    }
  }
}

/** The deadline after a touch: an entry that stays for ever goes on staying. */
export function laterDeadline(stored: number, touched: number): number;
export function laterDeadline(stored: number | undefined, touched: number): number | undefined;
export function laterDeadline(stored: number | undefined, touched: number): number | undefined {
  return stored === undefined ? undefined : Math.max(stored, touched);
}
