import { unlessAborted } from './aborted.ts';
import { SaveError } from './errors.ts';
import type { Layers } from './layers.ts';
import type { Seen } from './looks.ts';
import { isMortal } from './overlay.ts';
import { reasonOf } from './provider-failure.ts';
import type { Saver } from './saver.ts';
import type { Writes } from './writes.ts';

export interface ConditionalWritesConfig {
  readonly layers: Layers<unknown>;
  readonly writes: Writes;
  readonly saver: Saver<unknown>;
  /** Resolves when `withLimits` leaves room for a write of `key`; `undefined` where it does. */
  readonly room: (key: string, json: string, signal: AbortSignal | undefined) => Promise<void> | undefined;
  /** Tells what storage has under `key`. */
  readonly look: (key: string) => Promise<Seen>;
}

export interface Decision {
  /** The value to be set, made from the one that is there; `undefined`: none. */
  readonly make: (value: unknown) => unknown;
  /** How long it lives, where that is not as long as others do. */
  readonly ttlMs: number | undefined;
  /** What is there lives on as it was meant to. */
  readonly isUpdate: boolean;
  readonly signal: AbortSignal | undefined;
}

export interface Outcome {
  readonly isWritten: boolean;
  /** What the key then has. */
  readonly value: unknown;
}

/**
 * Writes that storage decides: they are made from what it has, and applied when it accepts them because it still has that;
 * else they are made anew from what it has then. Those of one key follow each other in this process.
 */
export class ConditionalWrites {
  readonly #config: ConditionalWritesConfig;
  /** The last one of each key. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(config: ConditionalWritesConfig) {
    this.#config = config;
  }

  /** Once it is sent, an aborted signal ends the waiting alone. */
  write(key: string, decision: Decision): Promise<Outcome> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const written = before.then(() => this.#write(key, decision));
    const last = written.catch(() => undefined).then(() => {
      if (this.#last.get(key) === last) this.#last.delete(key);
    });
    this.#last.set(key, last);
    return unlessAborted(written, decision.signal);
  }

  async #write(key: string, { make, ttlMs, isUpdate, signal }: Decision): Promise<Outcome> {
    const { layers, writes, saver, room, look } = this.#config;
    const { lifetimes } = layers;
    /** In place of the version that memory knows, storage was seen to have one that reads here do not see: none (0), or what has ended here. */
    let unseen: { readonly inPlaceOf: number; readonly version: number } | undefined;
    for (;;) {
      signal?.throwIfAborted();
      writes.checkOpen();
      writes.checkReadable(key);
      writes.expireIfEnded(key);
      if (layers.isUnsaved(key) || layers.isCleared) {
        await this.#othersSaved(key, signal);
        continue;
      }
      const version = layers.baseVersion(key);
      // What memory has come to know since is newer.
      const unseenVersion = unseen?.inPlaceOf === version ? unseen.version : undefined;
      const present = unseenVersion === undefined ? layers.find(key) : undefined;
      const input = make(present?.value);
      if (input === undefined) return { isWritten: false, value: present?.value };
      const { value, json } = writes.prepare(key, input);
      const waiting = room(key, json, signal);
      if (waiting !== undefined) {
        await waiting;
        continue;
      }
      const ownTtl = isUpdate && present !== undefined && isMortal(present) ? lifetimes.ownTtl(present) : ttlMs;
      const expiresAt = isUpdate && present !== undefined ? lifetimes.deadlineKept(present) : lifetimes.deadline(ttlMs);
      const outcome = await saver.propose({ key, value, json, expect: unseenVersion ?? version, expiresAt: expiresAt === Infinity ? undefined : expiresAt, ownTtl });
      if (outcome === 'accepted') return { isWritten: true, value };
      if (outcome !== 'conflict') continue;
      const seen = await look(key);
      if (typeof seen === 'object' && 'error' in seen) throw writes.unreadable(seen);
      unseen = seen === 'in memory' ? undefined : { inPlaceOf: version, version: seen?.endedVersion ?? 0 };
    }
  }

  /** Waits until what else was written under the key is saved, or storage has refused it and it is undone. */
  async #othersSaved(key: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#config.saver.saved([key], signal);
    } catch (error) {
      if (!(error instanceof SaveError)) throw error;
      if (error.outcome === 'refused' || error.outcome === 'discarded') return;
      throw new SaveError(`Not saved: what was written under ${JSON.stringify(key)} before is not saved yet. ${reasonOf(error.cause ?? error)} Nothing was changed.`, { outcome: 'discarded', keys: [key], cause: error.cause });
    }
  }
}
