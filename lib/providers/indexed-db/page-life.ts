/** A page that is still there after so long was hidden and not left. */
const leavingMs = 1_000;

/** Tells when the page is being put away, after which it may never run again. Where there is no page, as in a worker, it never is. */
export class PageLife {
  readonly #callbacks = new Set<() => void>();
  #leavingSince = -Infinity;

  constructor() {
    if (typeof document === 'undefined') return;
    // First of all, so that what others write when they hear of it finds it known.
    addEventListener('pagehide', this.#onLeaving, { capture: true });
    addEventListener('visibilitychange', this.#onVisibility, { capture: true });
  }

  get isLeaving(): boolean {
    return performance.now() - this.#leavingSince < leavingMs;
  }

  /** Calls back when the page begins to be left. Returns what takes that back. */
  onLeaving(callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  close(): void {
    if (typeof document === 'undefined') return;
    removeEventListener('pagehide', this.#onLeaving, { capture: true });
    removeEventListener('visibilitychange', this.#onVisibility, { capture: true });
  }

  readonly #onVisibility = (): void => {
    if (document.visibilityState === 'hidden') this.#onLeaving();
  };

  readonly #onLeaving = (): void => {
    const wasLeaving = this.isLeaving;
    this.#leavingSince = performance.now();
    if (!wasLeaving) for (const callback of [...this.#callbacks]) callback();
  };
}
