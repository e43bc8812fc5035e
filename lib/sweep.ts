import { concat, concatMap, defer, firstValueFrom, repeat, type Subscription } from 'rxjs';

import type { Dictionary } from './dictionary.ts';
import { macrotask$ } from './streams/macrotask.ts';
import { quietTimer } from './streams/quiet-timer.ts';

/** From the start to the first sweep. */
const FIRST_WAIT_MS = 60_000;
/** From one sweep to the next. */
const WAIT_MS = 3_600_000;

/** Ends in storage what has ended there and is not in memory, whose timer knows nothing of it: looks through it now and then. */
export class Sweep {
  readonly #dictionary: Dictionary;

  constructor(dictionary: Dictionary) {
    this.#dictionary = dictionary;
  }

  /** Sweeps until what is returned is unsubscribed. */
  start(): Subscription {
    const { scheduler } = this.#dictionary.settings;
    const sweeping$ = defer(() => this.#sweep());
    return concat(quietTimer(FIRST_WAIT_MS, scheduler), sweeping$, quietTimer(WAIT_MS, scheduler).pipe(concatMap(() => sweeping$), repeat())).subscribe();
  }

  async #sweep(): Promise<void> {
    const { layers, session, settings, writes } = this.#dictionary;
    const isClosed = (): boolean => writes.isClosed;
    const hasEnded = (expiresAt: number | undefined): expiresAt is number => expiresAt !== undefined && expiresAt <= settings.scheduler.now();
    if (!layers.lifetimes.isUsed) return;
    try {
      for await (const { entries } of session.load()) {
        if (isClosed()) return;
        for (const { key, version, expiresAt } of entries) if (hasEnded(expiresAt)) this.#dictionary.expireStored(key, version, expiresAt);
        // Saved page by page, so that what has ended does not gather in memory.
        if (entries.some(({ expiresAt }) => hasEnded(expiresAt)) && !(await this.#dictionary.flush())) return;
        await firstValueFrom(macrotask$);
        if (isClosed()) return;
      }
    } catch {
      // Storage is out of reach, which those hear who read or write; the next sweep makes up for it.
    }
  }
}
