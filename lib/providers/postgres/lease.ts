import type { PersistifyError } from '../../errors.ts';
import { onEvent, type Client, type PoolClient } from './driver.ts';
import { describeFailure, isConnectionLost, isUnanswered } from './failures.ts';

/** What a connection is wanted for. */
export interface Use {
  /** For messages, as in `Saving "prefs"`. */
  readonly doing: string;
  /** Cuts the connection, so that what waits for an answer fails. */
  readonly signal?: AbortSignal;
  /** Whether a failure without an answer leaves open if something was stored. */
  readonly stores?: boolean;
  /** Whether a transaction lasts over several statements, so that the connection cannot be given back after a failure. */
  readonly transaction?: boolean;
}

/** A pool's connection while it is in use. */
export class Lease {
  readonly #client: PoolClient;
  readonly #place: string;
  readonly #use: Use;
  readonly #onEnd: () => void;
  readonly #hearNoMore: () => void;
  readonly #abort = (): void => this.cut();
  #isEnded = false;

  constructor(client: PoolClient, place: string, use: Use, onEnd: () => void) {
    this.#client = client;
    this.#place = place;
    this.#use = use;
    this.#onEnd = onEnd;
    // A pool listens to idle connections only; what is under way on one that is lost fails by itself.
    this.#hearNoMore = onEvent(client, 'error', () => undefined);
    use.signal?.addEventListener('abort', this.#abort);
  }

  get client(): Client {
    return this.#client;
  }

  /** Gives it back. */
  end(): void {
    this.#release(false);
  }

  /** Closes it, whatever is under way on it. */
  cut(): void {
    this.#release(true);
  }

  /** Gives it back, or closes it where it cannot be used after this. Returns what went wrong, in the terms of the contract. */
  fail(error: unknown): PersistifyError {
    const { doing, stores = false, transaction = false } = this.#use;
    this.#release(transaction || isConnectionLost(error));
    return describeFailure(error, { doing, place: this.#place, outcomeUnknown: stores && isUnanswered(error) });
  }

  #release(destroy: boolean): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#use.signal?.removeEventListener('abort', this.#abort);
    this.#client.release(destroy);
    if (!destroy) this.#hearNoMore();
    this.#onEnd();
  }
}
