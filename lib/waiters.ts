import { abortReason, onAbort } from './aborted.ts';
import { DiscardedError, SaveError } from './errors.ts';
import { reasonOf } from './provider-failure.ts';

interface Waiter {
  /** Waits for storage to equal the store as it was at this `revision`, or later. */
  readonly revision: number;
  /** The keys that it waits for; none: all. */
  readonly keys: readonly string[] | undefined;
  /** Whether it waits for a `clear`. */
  readonly isOfClear: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Those who wait for a save. */
export class Waiters {
  /** In the order of `revision`. */
  #waiting: Waiter[] = [];

  /** Resolves when the store as it was at `revision` is saved. An aborted `signal` ends the waiting alone. */
  wait({ revision, keys, isOfClear }: Pick<Waiter, 'revision' | 'keys' | 'isOfClear'>, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      let leave = (): void => undefined;
      const waiter: Waiter = {
        revision,
        keys,
        isOfClear,
        resolve: () => {
          leave();
          resolve();
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      this.#waiting.push(waiter);
      if (signal === undefined) return;
      leave = onAbort(signal, () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        reject(abortReason(signal));
      });
    });
  }

  /** Everything up to `revision` is saved but what was refused, by key with the reason; `refusedClear` is why a `clear` was, if it was. */
  settle(revision: number, refused: ReadonlyMap<string, string>, refusedClear: string | undefined): void {
    for (const waiter of this.#takeUpTo(revision)) {
      const error = waiter.isOfClear && refusedClear !== undefined ? refusal([], `to clear: ${refusedClear}`) : refusalOf(waiter.keys ?? [...refused.keys()], refused);
      if (error === undefined) waiter.resolve();
      else waiter.reject(error);
    }
  }

  /**
   * The attempts are spent: nobody is left waiting. `outcomeOf` tells, by `revision`, what may have become of it. What is unsaved
   * is asked for only where somebody waits for all, as it may be much and attempts many.
   */
  fail(cause: unknown, unsavedKeys: () => readonly string[], outcomeOf: (revision: number) => 'pending' | 'unknown'): void {
    let unsaved: readonly string[] | undefined;
    for (const { revision, keys, reject } of this.#takeUpTo(Infinity)) {
      const outcome = outcomeOf(revision);
      const where = outcome === 'pending' ? 'It is kept and will be tried again.' : 'It may be stored or not; it is kept, and will be settled by the next attempt.';
      reject(new SaveError(`Not saved: ${reasonOf(cause)} ${where}`, { outcome, keys: keys ?? (unsaved ??= unsavedKeys()), cause }));
    }
  }

  /** What was set up to `discarded` and is not saved was dropped; everything else up to `revision` is saved. */
  discard(revision: number, discarded: number, unsaved: readonly string[]): void {
    const dropped = new Set(unsaved);
    for (const waiter of this.#takeUpTo(revision)) {
      const isSaved = waiter.revision > discarded && !(waiter.keys ?? unsaved).some((key) => dropped.has(key));
      if (isSaved) waiter.resolve();
      else waiter.reject(new DiscardedError('Not saved: reload discarded it.', waiter.keys ?? unsaved));
    }
  }

  #takeUpTo(revision: number): Waiter[] {
    const end = this.#waiting.findIndex((waiter) => waiter.revision > revision);
    return this.#waiting.splice(0, end === -1 ? Infinity : end);
  }
}

function refusalOf(keys: readonly string[], refused: ReadonlyMap<string, string>): SaveError | undefined {
  const concerned = refused.size === 0 ? [] : keys.filter((key) => refused.has(key));
  const [first] = concerned;
  if (first === undefined) return undefined;
  return refusal(concerned, `${concerned.length === 1 ? `the value of ${JSON.stringify(first)}` : `${concerned.length} values`}: ${refused.get(first) ?? ''}`);
}

function refusal(keys: readonly string[], what: string): SaveError {
  return new SaveError(`Storage refused ${what}`, { outcome: 'refused', keys });
}
