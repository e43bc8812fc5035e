import { abortReason } from './aborted.ts';
import { DiscardedError, SaveError } from './errors.ts';

interface Waiter {
  /** Waits for storage to equal the store as it was at this `seq`, or later. */
  readonly seq: number;
  /** The keys that it waits for; none: all. */
  readonly keys: readonly string[] | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Those who wait for a save. */
export class Waiters {
  /** In the order of `seq`. */
  #waiting: Waiter[] = [];

  /** Resolves when the store as it was at `seq` is saved. An aborted `signal` ends the waiting alone. */
  wait(seq: number, keys: readonly string[] | undefined, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        if (signal !== undefined) reject(abortReason(signal));
      };
      const waiter: Waiter = {
        seq,
        keys,
        resolve: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
        reject: (error) => {
          signal?.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  /** Everything up to `seq` is saved but what was refused, by key with the reason. */
  settle(seq: number, refused: ReadonlyMap<string, string>): void {
    for (const waiter of this.#takeUpTo(seq)) {
      const keys = refused.size === 0 ? [] : (waiter.keys ?? [...refused.keys()]).filter((key) => refused.has(key));
      const [first] = keys;
      if (first === undefined) waiter.resolve();
      else waiter.reject(new SaveError(`Storage refused ${keys.length === 1 ? `the value of ${JSON.stringify(first)}` : `${keys.length} values`}: ${refused.get(first) ?? ''}`, { outcome: 'refused', keys }));
    }
  }

  /** The attempts are spent: nobody is left waiting. `outcomeOf` tells, by `seq`, what may have become of it. */
  fail(cause: unknown, unsaved: readonly string[], outcomeOf: (seq: number) => 'pending' | 'unknown'): void {
    for (const { seq, keys, reject } of this.#takeUpTo(Infinity)) {
      const outcome = outcomeOf(seq);
      const where = outcome === 'pending' ? 'It is kept and will be tried again.' : 'It may be stored or not; it is kept, and will be settled by the next attempt.';
      const why = cause instanceof Error ? cause.message : String(cause);
      reject(new SaveError(`Not saved: ${why} ${where}`, { outcome, keys: keys ?? unsaved, cause }));
    }
  }

  /** What was set up to `seq` and is not saved was dropped. */
  discard(seq: number, unsaved: readonly string[]): void {
    for (const { keys, reject } of this.#takeUpTo(seq)) reject(new DiscardedError('Not saved: reload discarded it.', keys ?? unsaved));
  }

  #takeUpTo(seq: number): Waiter[] {
    const end = this.#waiting.findIndex((waiter) => waiter.seq > seq);
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }
}
