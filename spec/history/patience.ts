import { setTimeout as delay } from 'node:timers/promises';

/** Something that was waited for did not come; the message says what. */
export class Stalled extends Error {
  constructor(what: string) {
    super(what);
    this.name = new.target.name;
  }
}

/** Waits, but never for ever: nothing of a history takes longer than it may, and all of it no longer than is left. */
export class Patience {
  readonly #seconds: number;
  readonly #endsAt: number;
  readonly #signal: AbortSignal;

  /** `signal`: nothing is waited for any more. */
  constructor(seconds: number, signal: AbortSignal) {
    this.#seconds = seconds;
    this.#endsAt = performance.now() + seconds * 1_000;
    this.#signal = signal;
  }

  /** @throws Stalled when it takes longer, and what `signal` was aborted with. */
  async within<T>(seconds: number, what: string, awaited: Promise<T>): Promise<T> {
    const over = new AbortController();
    const stop = (): void => over.abort();
    this.#signal.addEventListener('abort', stop, { once: true });
    try {
      this.#signal.throwIfAborted();
      const ms = Math.max(0, Math.min(seconds * 1_000, this.#endsAt - performance.now()));
      const late = delay(ms, undefined, { signal: over.signal }).catch(() => undefined);
      return await Promise.race([awaited, late.then(() => this.#giveUp(what, seconds))]);
    } finally {
      this.#signal.removeEventListener('abort', stop);
      over.abort();
      awaited.catch(() => undefined); // of which nobody will hear, if it comes too late
    }
  }

  pause(ms: number): Promise<void> {
    return this.within(ms / 1_000 + 60, 'a pause', delay(ms));
  }

  #giveUp(what: string, seconds: number): never {
    this.#signal.throwIfAborted();
    if (performance.now() >= this.#endsAt) throw new Stalled(`the ${this.#seconds} s that all may take were over while it waited for ${what}`);
    throw new Stalled(`it waited ${seconds} s for ${what}`);
  }
}
