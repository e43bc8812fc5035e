import type { PersistifyError } from '../../errors.ts';
import type { CheckedOut, Client, Statement } from './driver.ts';
import { describeFailure, isConnectionLost, isUnanswered } from './failures.ts';
import { valueParsers } from './rows.ts';

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

export interface LeaseConfig {
  readonly use: Use;
  /** For messages. */
  readonly place: string;
  /** How long an answer is waited for, whoever made the connection: one that is dead without a sign gives none. */
  readonly queryTimeoutMs: number;
  readonly onEnd: () => void;
}

/** A pool's connection while it is in use. */
export class Lease {
  readonly client: Client;
  readonly #checkedOut: CheckedOut;
  readonly #config: LeaseConfig;
  readonly #abort = (): void => this.cut();
  #isEnded = false;

  constructor(checkedOut: CheckedOut, config: LeaseConfig) {
    this.client = readable(checkedOut.client, config.queryTimeoutMs);
    this.#checkedOut = checkedOut;
    this.#config = config;
    config.use.signal?.addEventListener('abort', this.#abort);
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
    const { doing, stores = false, transaction = false } = this.#config.use;
    this.#release(transaction || isConnectionLost(error));
    return describeFailure(error, { doing, place: this.#config.place, outcomeUnknown: stores && isUnanswered(error) });
  }

  #release(destroy: boolean): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#config.use.signal?.removeEventListener('abort', this.#abort);
    const { client, hearNoMore } = this.#checkedOut;
    client.release(destroy);
    if (!destroy) hearNoMore();
    this.#config.onEnd();
  }
}

/** The client, whose every query ends in time, and answers values as `rows` takes them. */
function readable(client: Client, queryTimeoutMs: number): Client {
  const ours = { rowMode: 'array', types: valueParsers, query_timeout: queryTimeoutMs } as const;
  return { query: (statement: Statement | string) => client.query(typeof statement === 'string' ? { text: statement, ...ours } : { ...statement, ...ours }) };
}
