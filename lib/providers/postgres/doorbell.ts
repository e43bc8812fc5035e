import { setTimeout as delay } from 'node:timers/promises';

import type { Connections } from './connections.ts';

/** The channel of NOTIFY; the payload says which dictionary. */
export const channel = 'rx_persistify';

/** It rings at most 50 times a second: a NOTIFY takes a lock of the whole cluster until its commit. */
const paceMs = 20;

/** For how long an answer is waited for, as one that does not come would keep the process alive; and for how long by `close`. */
const patienceMs = 5_000;
const closePatienceMs = 2_000;

/**
 * Tells other processes that something was committed, after the commit and beside it: inside of it, NOTIFY would make all commits
 * of the cluster wait for one another. Who does not hear it looks by himself, a little later.
 */
export class Doorbell {
  readonly #connections: Pick<Connections, 'use'>;
  readonly #rung = new Set<string>();
  #ringing: Promise<void> | undefined;
  /** Gives up the ring under way. */
  #giveUp: () => void = () => undefined;
  #isAbandoned = false;

  constructor(connections: Pick<Connections, 'use'>) {
    this.#connections = connections;
  }

  ring(payload: string): void {
    this.#rung.add(payload);
    this.#ringing ??= this.#ring();
  }

  /** Done when what was rung is told, or cannot be told in time. */
  async close(): Promise<void> {
    const timer = setTimeout(() => {
      this.#isAbandoned = true;
      this.#giveUp();
    }, closePatienceMs);
    await this.#ringing;
    clearTimeout(timer);
  }

  async #ring(): Promise<void> {
    while (this.#rung.size > 0 && !this.#isAbandoned) {
      const payloads = [...this.#rung];
      this.#rung.clear();
      await this.#tell(payloads);
      await delay(paceMs);
    }
    this.#ringing = undefined;
  }

  /**
   * Never rejects: nothing was lost, and nobody hears it. Each time has a signal of its own; one for all times, with
   * `AbortSignal.any`, holds a trace of each for good in Node 20, until there is room for no more.
   */
  async #tell(payloads: readonly string[]): Promise<void> {
    const giving = new AbortController();
    this.#giveUp = () => giving.abort();
    const timer = setTimeout(this.#giveUp, patienceMs).unref();
    try {
      // There is nothing to be durable.
      const text = `SELECT set_config('synchronous_commit', 'off', true), pg_notify('${channel}', p) FROM unnest($1::text[]) AS s (p)`;
      const statement = { text, values: [payloads], rowMode: 'array' } as const;
      await this.#connections.use((client) => client.query(statement), { doing: 'Notifying', signal: giving.signal });
    } catch {
      // Who was not told looks by himself, a little later.
    } finally {
      clearTimeout(timer);
    }
  }
}

/** How a notification names a dictionary. */
export function payloadOf(schema: string, id: number): string {
  return `${schema} ${id}`;
}
