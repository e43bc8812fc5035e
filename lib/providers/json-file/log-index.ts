import type { RawKey } from './keys.ts';
import { type LoggedMutation, type Member, mutationAt } from './log-lines.ts';
import { ShardedMap } from './sharded-map.ts';
import type { Slices } from './slices.ts';

/** What logs do to one key of the `.json` file beneath them. */
export type Change = SetChange | { readonly type: 'delete' } | { readonly type: 'touch'; expiresAt: number };

export interface SetChange extends Member {
  readonly type: 'set';
  bytes: Buffer;
  start: number;
  end: number;
  expiresAt: number | undefined;
  /** Whether the key was deleted before, so that it stands at the end, as in a Map, and no longer where it was. */
  readonly moved: boolean;
  /** Whether it does not belong to what is added: it was deleted, or stands in the place of an entry of the `.json` file. */
  isGone: boolean;
}

/** The sum of logs: what they do to the `.json` file beneath them, the latest for each key. */
export class LogIndex {
  readonly #changes = new ShardedMap<Change>();
  /** What was set, in the order in which the keys came; a key that was deleted and set again stands there twice. */
  #arrivals: SetChange[] = [];
  #cleared = false;

  /** Whether nothing of the `.json` file is left. */
  get cleared(): boolean {
    return this.#cleared;
  }

  /** Whether the `.json` file says it all. */
  get isEmpty(): boolean {
    return !this.#cleared && this.#changes.isEmpty;
  }

  /** What is done to each key, in no order. */
  changes(): Iterable<[RawKey, Change]> {
    return this.#changes.entries();
  }

  /** What is set and not gone, in the order of a Map. */
  *added(): Generator<SetChange, void> {
    for (const change of this.#arrivals) if (!change.isGone) yield change;
  }

  get(key: RawKey): Change | undefined {
    return this.#changes.get(key);
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
        this.#set(mutation);
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

  #set({ key, bytes, start, end, expiresAt }: Extract<LoggedMutation, { type: 'set' }>): void {
    const before = this.#changes.get(key);
    if (before?.type === 'set') {
      before.bytes = bytes;
      before.start = start;
      before.end = end;
      before.expiresAt = expiresAt;
      return;
    }
    const change: SetChange = { type: 'set', key, bytes, start, end, expiresAt, moved: before?.type === 'delete', isGone: false };
    this.#arrivals.push(change);
    this.#changes.set(key, change);
  }

  #delete(key: RawKey): void {
    const before = this.#changes.get(key);
    if (before?.type === 'set') before.isGone = true;
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
