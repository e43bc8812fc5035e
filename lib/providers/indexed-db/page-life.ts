/** A page that is still there after so long was hidden and not left. */
const leavingMs = 1_000;

/** Tells when the page is being put away, after which it may never run again. Where there is no page, as in a worker, it never is. */
export class PageLife {
  readonly #tell: () => void;
  #leftAt = -Infinity;

  /** `tell` is called behind all other listeners of the event, so that it knows what they have begun to write. */
  constructor(tell: () => void) {
    this.#tell = tell;
    if (typeof document === 'undefined') return;
    addEventListener('pagehide', this.#onLeaving, { capture: true });
    addEventListener('visibilitychange', this.#onVisibility, { capture: true });
  }

  /** Whether it was told a moment ago: what begins now comes too late for it. */
  get isLeft(): boolean {
    return performance.now() - this.#leftAt < leavingMs;
  }

  close(): void {
    if (typeof document === 'undefined') return;
    removeEventListener('pagehide', this.#onLeaving, { capture: true });
    removeEventListener('visibilitychange', this.#onVisibility, { capture: true });
    for (const type of ['pagehide', 'visibilitychange']) removeEventListener(type, this.#onLeft); // where another listener kept it from being called
  }

  readonly #onVisibility = (event: Event): void => {
    if (document.visibilityState === 'hidden') this.#onLeaving(event);
  };

  // One that is added while the others of the window are yet to be called is called last.
  readonly #onLeaving = ({ type }: Event): void => addEventListener(type, this.#onLeft, { once: true });

  readonly #onLeft = (): void => {
    if (this.isLeft) return;
    this.#leftAt = performance.now();
    this.#tell();
  };
}
