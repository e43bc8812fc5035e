import { SaveError } from '../errors.ts';

/** What can be saved and closed at the end of a program, as a `Store` can. */
export interface Closable {
  readonly name: string;
  /** The keys whose stored state is, or may be, another than that in memory. */
  readonly unsaved: readonly string[];
  /** Takes nothing new in, saves what is pending, and rejects if it cannot. Called again, it is the same closing. */
  close(options: { readonly deadlineMs: number }): Promise<unknown>;
}

/** What a store left when the program ended. */
export interface Unsaved {
  /** The store's name. */
  readonly store: string;
  /** How many keys were not saved; 0 if all were, and the store did not close as it should. */
  readonly unsaved: number;
  readonly keys: readonly string[];
  /** Why: what `close` rejected with, or that the deadline passed. */
  readonly error: Error;
}

/** The closing of some stores at once, which can be asked at any time how it stands. */
export class Closing {
  /** Resolves when all are closed or the deadline has passed, whichever comes first. Never rejects. */
  readonly ended: Promise<void>;
  /** By store: still closing, or how that ended. */
  readonly #outcomes = new Map<Closable, 'closing' | 'closed' | Error>();

  constructor(stores: Iterable<Closable>, deadlineMs: number) {
    this.ended = new Promise((resolve) => {
      // Not the stores' own deadlines: they may have been given others before, or have another clock, or a provider that hangs.
      const timeout = setTimeout(resolve, deadlineMs);
      const all = Array.from(stores, (store) => this.#close(store, deadlineMs));
      void Promise.all(all).then(() => {
        clearTimeout(timeout);
        resolve();
      });
    });
  }

  /** What is left as of now; `late` says why of the stores that are still closing. */
  left(late: string): Unsaved[] {
    return [...this.#outcomes].flatMap(([store, outcome]) => {
      const failure = outcome === 'closing' ? new Error(late) : outcome === 'closed' ? undefined : outcome;
      // What was refused is undone in memory, so that `unsaved` does not have it.
      const keys = [...new Set([...store.unsaved, ...(failure instanceof SaveError ? failure.keys : [])])];
      if (failure === undefined && keys.length === 0) return [];
      return [{ store: store.name, unsaved: keys.length, keys, error: failure ?? new Error('It closed without saving them.') }];
    });
  }

  async #close(store: Closable, deadlineMs: number): Promise<void> {
    this.#outcomes.set(store, 'closing');
    try {
      await store.close({ deadlineMs });
      this.#outcomes.set(store, 'closed');
    } catch (error) {
      this.#outcomes.set(store, error instanceof Error ? error : new Error(String(error), { cause: error }));
    }
  }
}

/** One line for each store. */
export function printUnsaved(left: readonly Unsaved[]): void {
  for (const { store, unsaved, error } of left) {
    const name = JSON.stringify(store);
    const what = unsaved === 0 ? `store ${name} is saved, but did not close as it should` : unsaved === 1 ? `1 key of store ${name} was not saved` : `${unsaved} keys of store ${name} were not saved`;
    console.error(`rx-persistify: ${what}: ${reasonOf(error)}`);
  }
}

/** A `SaveError` says what was not saved, and its cause why. */
function reasonOf(error: Error): string {
  return error instanceof SaveError && error.cause instanceof Error ? reasonOf(error.cause) : error.message;
}
